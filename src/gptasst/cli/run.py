"""`gptasst run`: an assistant or instruction on files and text."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.commands import AllowSecretsOption, build_command
from gptasst.cli.conversation import (
    ContinueOption,
    ConversationOption,
    chosen_conversation,
    shown,
)
from gptasst.cli.estimates import MaxCostOption, budget_of, show_run_plan, tell_long_run
from gptasst.cli.output import Output, size_text
from gptasst.cli.progress import Activity
from gptasst.cli.results import tell_about, tell_fallback
from gptasst.cli.run_each import DEFAULT_JOBS, MOST_JOBS, EachOptions, run_each
from gptasst.cli.session import Session
from gptasst.cli.variables import VarOption, asking, given_values
from gptasst.definitions.schemas import read_schema
from gptasst.errors import InvalidInput, UsageError
from gptasst.hints import cmd
from gptasst.threads import time_left, time_limit

if TYPE_CHECKING:
    from gptasst.api.types import CompletionWindow, TextDelta
    from gptasst.assistants.types import Resolved
    from gptasst.conversations.dialogue import Dialogue
    from gptasst.runs.service import RunService
    from gptasst.runs.types import RunRequest, RunResult

_many_option = functools.partial(typer.Option, rich_help_panel="Many files")

_EPILOG = """\
Examples:

  gptasst run MarkdownLinter -f guide.md -o guide.linted.md

  git diff --staged | gptasst run CommitMessage

  gptasst run CodeReviewer src/*.py -t "only the error handling"

  gptasst run MarkdownLinter docs/*.md --each -o 'linted/{stem}{suffix}'
"""


class By(StrEnum):
    """Within which time answers come."""

    h2 = "2h"
    h8 = "8h"
    h24 = "24h"


_WINDOWS: dict[By, CompletionWindow] = {By.h2: "2h", By.h8: "8h"}  # --by 24h is a batch


def build() -> Any:
    return build_command(run, "run", epilog=_EPILOG)


def run(  # one parameter an option
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An assistant, or an instruction.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, patterns, directories; - for stdin."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file", "-f", metavar="FILE...", help="Input files, patterns or directories."
        ),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="The task, as text.")] = None,
    var: VarOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Output file; - is stdout. With --each: a directory or pattern.",
        ),
    ] = None,
    each: Annotated[bool, _many_option("--each", help="Run each file on its own.")] = False,
    jobs: Annotated[
        int | None,
        _many_option(
            "--jobs",
            "-j",
            min=1,
            max=MOST_JOBS,
            help=f"With --each: how many at once. Default {DEFAULT_JOBS}.",
        ),
    ] = None,
    in_place: Annotated[
        bool, _many_option("--in-place", help="With --each: write each answer over its file.")
    ] = False,
    check: Annotated[
        bool,
        _many_option("--check", help="With --each: write nothing; exit 6 if a file would change."),
    ] = False,
    diff: Annotated[
        bool, _many_option("--diff", help="With --each: show what changes, as a unified diff.")
    ] = False,
    force: Annotated[
        bool, _many_option("--force", help="With --each: run finished files again.")
    ] = False,
    batch: Annotated[
        bool,
        _many_option(
            "--batch", help="With --each: run within 24 hours at half price; see `batch`."
        ),
    ] = False,
    by: Annotated[
        By | None,
        _many_option("--by", help="With --each: answers within this time, at a discount."),
    ] = None,
    wait: Annotated[
        bool, _many_option("--wait", help="With --batch: wait until the answers are written.")
    ] = False,
    null: Annotated[
        bool,
        _many_option("--null", "-0", help="With --each: print names of files, each ended by NUL."),
    ] = False,
    no_file_search: Annotated[
        bool, typer.Option("--no-file-search", help="Do not search the assistant's knowledge.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Model to use instead of the assistant's own."),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option("--schema", metavar="FILE", help="JSON Schema that the answer must match."),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", help="Encoding of the input text."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="Time limit of the run; with --each, of each file.",
        ),
    ] = None,
    go_on: ContinueOption = False,
    conversation: ConversationOption = None,
    allow_secrets: AllowSecretsOption = False,
    max_cost: MaxCostOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show what would be sent and send nothing.")
    ] = False,
) -> None:
    """Give an assistant files and a task; its answer goes to stdout or into a file."""
    from gptasst.config.profile import check_timeout
    from gptasst.inputs.encoding import named_encoding
    from gptasst.runs.types import RunRequest
    from gptasst.storage.atomic_files import output_file

    if timeout is not None:
        check_timeout(timeout, f"--timeout is {timeout:g}")
    words = [*(files or ()), *(file or ())]
    if text is None:
        _refuse_sentences(name, words)
    screening = session.screening(allow_secrets)
    asked = RunRequest(
        name,
        text=text,
        model=model,
        schema=read_schema(schema, screening) if schema else None,
        timeout=timeout,
        file_search=not no_file_search,
        screening=screening,
        encoding=named_encoding(encoding),
        variables=given_values(var, screening, named_encoding(encoding)),
        budget=budget_of(max_cost),
    )
    options = EachOptions(
        jobs,
        in_place,
        check,
        diff,
        force,
        batch or by == By.h24,
        wait,
        null,
        _WINDOWS.get(by) if by else None,
    )
    if each:
        if go_on or conversation:
            raise UsageError(
                "--each runs every file on its own, so it can't continue a conversation",
                hint="leave out --each to send all files together",
            )
        run_each(session, asked, words, output, options, dry_run=dry_run)
        return
    if by == By.h24 and not batch:
        raise UsageError("--by needs --each", hint="--each runs every file on its own")
    options.refuse_alone()
    output = output_file(output)
    if output is None:
        session.output.require_stdout()
    with time_limit(timeout):
        _run_once(session, asked, words, output, (go_on, conversation), dry_run=dry_run)


def _run_once(
    session: Session,
    asked: RunRequest,
    words: Sequence[str],
    output: Path | None,
    goes_on: tuple[bool, str | None],
    *,
    dry_run: bool,
) -> None:
    """One run over all inputs; `goes_on` has the values of `-c` and `--conversation`."""
    from gptasst.inputs.reading import refuse_named_pipe
    from gptasst.runs.inputs import read_inputs

    name = asked.name
    go_on, conversation = goes_on
    filters = (not words or "-" in words) and sys.stdin is not None and not sys.stdin.isatty()
    if output is None and filters:
        session.output.keep_answer_apart()
    activity = Activity(session.output, "waiting for the answer")
    session.context.approve = session.approver(activity.stop)
    service = session.context.runs(activity.report, progress=activity.advance)
    resolved = None if dry_run else _begin(session, service, name)
    paths = [word for word in words if word != "-"]
    if dry_run:
        for path in paths:
            refuse_named_pipe(Path(path))
    request = replace(
        asked,
        files=read_inputs(
            paths,
            session.output.note,
            screening=asked.screening,
            encoding=asked.encoding,
            failed=session.output.miss,
            warn=session.output.warn,
        ),
        stdin=_read_stdin(session, words, asked),
    )
    dialogue = None
    if go_on or conversation:
        chosen = chosen_conversation(session, name, go_on=go_on, asked=conversation)
        dialogue = session.context.dialogue(chosen, activity.report)
    if dry_run:
        plan = asking(session, request, (dialogue or service).plan)[0]
        show_run_plan(session.output, plan)
    else:

        def begin(request: RunRequest) -> Generator[TextDelta | RunResult]:
            with session.waiting():
                return dialogue.say(request) if dialogue else service.stream(request, resolved)

        events, request = asking(session, request, begin)
        tell_fallback(session)
        tell_long_run(session, service, request, paths)
        direct = output is None and session.output.mode != "json"
        with _telling_what_is_kept(session.output, dialogue), contextlib.closing(events), activity:
            result = _follow(events, session.output if direct else None, activity)
        _finish(session.output, result, output)


def _begin(session: Session, service: RunService, name: str) -> Resolved | None:
    """Start importing the HTTP client, which takes longest, once it is certainly needed.

    For a local store, `name` is looked up first.
    """
    local = session.context.profile.store == "local"
    resolved = service.resolve(name) if local else None
    session.context.begin_gateway()
    return resolved


@contextlib.contextmanager
def _telling_what_is_kept(output: Output, dialogue: Dialogue | None) -> Iterator[None]:
    """Print how to continue a new conversation, or one whose answer broke off."""
    begins = dialogue is not None and dialogue.conversation is None
    try:
        yield
    finally:
        kept = dialogue.conversation if dialogue else None
        if kept and dialogue and dialogue.kept_part:
            output.note(f"the part of the answer that arrived is kept in {shown(kept)}")
        elif kept and begins:
            output.note(f"this is {shown(kept)}; -c continues it")


def _refuse_sentences(name: str, words: Sequence[str]) -> None:
    """Raise if a task was given without its option: a word with blanks, where no file is."""
    for word in words:
        of_paths = any(mark in word for mark in "*[/\\") or len(Path(word).suffix) > 1
        if len(word.split()) > 2 and not of_paths and not os.path.lexists(word):
            meant = cmd(f"run {shlex.quote(name)} -t {shlex.quote(word)}")
            raise InvalidInput(
                f"no such file: `{word}`", hint=f"is it the task? {meant}", code="no_such_file"
            )


def _read_stdin(session: Session, words: Sequence[str], request: RunRequest) -> str | None:
    """Standard input, if `-` is among the words, or if there are none and it is piped.

    It is not read beside named files: in a shell loop, it belongs to the loop.
    """
    from gptasst.inputs.encoding import decode_text
    from gptasst.inputs.reading import read_standard_input
    from gptasst.inputs.screening import STDIN

    asked = "-" in words
    if sys.stdin is None or not (asked or (not words and not sys.stdin.isatty())):
        return None
    request.screening.refuse_file(STDIN)
    output = session.output
    tell = output.note if sys.stdin.isatty() else output.warn
    limit = time_left()
    content = read_standard_input(
        limit[0] if limit else session.context.profile.timeout,
        lambda: tell("waiting for the end of standard input; `< /dev/null` gives none"),
    )
    text = decode_text(content, "stdin", request.encoding)[0] if content else ""
    if text.strip():
        return text
    if asked:
        raise InvalidInput("standard input is empty", code="empty_input")
    return None


def _follow(
    events: Iterable[TextDelta | RunResult], output: Output | None, activity: Activity
) -> RunResult:
    """Read an answer to its end; with an `output`, print each piece as it arrives."""
    from gptasst.runs.types import RunResult

    last = ""
    try:
        for event in events:
            if isinstance(event, RunResult):
                return event
            last = event.text
            if output:
                activity.stop()
                output.answer(last)
            else:
                activity.receive(last)
    finally:
        if output and last and not last.endswith("\n") and output.stdout.isatty():
            output.answer("\n")  # start the next message on a new line
    raise AssertionError  # the last event is the result, or an error is raised


def _finish(output: Output, result: RunResult, target: Path | None) -> None:
    from gptasst.storage.atomic_files import replace_file

    if target is not None:
        content = encoded_answer(result)
        replace_file(target, content)
        output.note(f"wrote `{target}` ({size_text(len(content))})")
    if output.mode == "json":
        output.document(result)
    tell_about(output, result)


def encoded_answer(result: RunResult) -> bytes:
    """An answer in the form written to a file.

    Raises:
        InvalidInput: the input's encoding lacks one of its characters.
    """
    from gptasst.inputs.encoding import encode_like

    if result.encoding == "utf-8":
        return result.answer.encode("utf-8")
    return encode_like(
        result.answer,
        result.answer[:1].encode(result.encoding, "ignore"),
        result.encoding,
        "the input",
    )
