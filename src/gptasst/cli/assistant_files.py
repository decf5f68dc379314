"""`gptasst assistant files`: an assistant's knowledge."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gptasst.cli.assistant import NameArgument, carried_out
from gptasst.cli.commands import (
    AllowSecretsOption,
    CommandGroup,
    DryRunOption,
    FilesArgument,
    KnowledgeEncodingOption,
    YesOption,
    command,
)
from gptasst.cli.output import Output, count_text, one_line, size_text, time_text
from gptasst.cli.results import (
    KeepFilesOption,
    TestedOption,
    changes_text,
    finish_change,
    incomplete_text,
    show_plan,
)
from gptasst.cli.session import Session
from gptasst.cli.tables import Column
from gptasst.errors import InvalidInput, LimitReached, PartlyDone, ServiceError, UsageError
from gptasst.hints import cmd
from gptasst.inputs.encoding import named_encoding

if TYPE_CHECKING:
    from gptasst.assistants.types import Assistant, KnowledgeChange
    from gptasst.inputs.reading import Refusal
    from gptasst.inputs.watching import Places
    from gptasst.knowledge.types import KnowledgeFile


_NAMED = 5  # files listed in a question

app = CommandGroup("The knowledge files of an assistant.")


@command(app, "list")
def list_files(session: Session, name: NameArgument) -> None:
    """List an assistant's knowledge."""
    columns: list[Column[KnowledgeFile]] = [
        Column("path", lambda f: f.path, cuts=True),
        Column("size", lambda f: size_text(f.size), right=True, dim=True),
        Column("status", lambda f: f.status),
        Column("added", lambda f: time_text(f.added_at), gives_way=1, dim=True),
        Column("id", lambda f: f.id, gives_way=2, dim=True),
    ]
    with session.waiting():
        found = session.context.assistants.get(name)
    session.output.table(
        "files",
        found.knowledge,
        columns,
        ident=lambda f: f.path if f.path == one_line(f.path) else f.id,
        empty=f"no knowledge; {cmd(f'assistant files add {shlex.quote(name)} FILE...')} adds some",
    )


@command(app, "add", examples=["gptasst assistant files add DocWriter-1 handbook.pdf docs/"])
def add(
    session: Session,
    name: NameArgument,
    files: FilesArgument,
    dry_run: DryRunOption = False,
    allow_secrets: AllowSecretsOption = False,
    encoding: KnowledgeEncodingOption = None,
    keep_files: KeepFilesOption = False,
    tested: TestedOption = False,
) -> None:
    """Add knowledge; a path that exists gets its new content."""
    service = session.context.assistants
    with session.waiting():
        change = service.plan_add(
            service.current(name),
            files,
            session.screening(allow_secrets),
            encoding=named_encoding(encoding),
        )
    _carry_out(session, change, dry_run=dry_run, keep_files=keep_files, tested=tested)


@command(app, "remove")
def remove(
    session: Session,
    name: NameArgument,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Paths, ids, patterns or directories.")
    ],
    dry_run: DryRunOption = False,
    keep_files: KeepFilesOption = False,
) -> None:
    """Remove knowledge. Your files on disk stay."""
    service = session.context.assistants
    with session.waiting():
        change = service.plan_remove(service.current(name), files)
    _carry_out(session, change, dry_run=dry_run, keep_files=keep_files)


@command(
    app,
    "set",
    examples=["gptasst assistant files set DocWriter-1 style-guide.md docs/ --dry-run"],
)
def set_files(
    session: Session,
    name: NameArgument,
    files: FilesArgument,
    dry_run: DryRunOption = False,
    allow_secrets: AllowSecretsOption = False,
    encoding: KnowledgeEncodingOption = None,
    keep_files: KeepFilesOption = False,
    tested: TestedOption = False,
) -> None:
    """Replace all knowledge with these files."""
    service = session.context.assistants
    with session.waiting():
        change = service.plan_set(
            service.current(name),
            files,
            session.screening(allow_secrets),
            encoding=named_encoding(encoding),
        )
    _carry_out(session, change, dry_run=dry_run, keep_files=keep_files, tested=tested)


@command(app, "sync", examples=["gptasst assistant files sync DocWriter-1 --dry-run"])
def sync(
    session: Session,
    name: NameArgument,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    allow_secrets: AllowSecretsOption = False,
    encoding: KnowledgeEncodingOption = None,
    keep_files: KeepFilesOption = False,
    tested: TestedOption = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running, and sync whenever files change.")
    ] = False,
) -> None:
    """Update the knowledge from the files on disk.

    It reads the knowledge's paths, directories and patterns again. Run it in the directory in
    which the assistant was created. It asks before it sends files from outside of this directory,
    because others may have added their paths.
    """
    if watch and (dry_run or session.output.mode == "json"):
        option = "--dry-run" if dry_run else "--json"
        raise UsageError(f"`--watch` goes on and on, which `{option}` does not fit")
    service, screening = session.context.assistants, session.screening(allow_secrets)
    known = named_encoding(encoding)

    def plan(missed: Collection[str] = ()) -> KnowledgeChange:
        with session.waiting():
            assistant = _with_missed(service.current(name), missed)
            return service.plan_sync(assistant, screening, encoding=known)

    if watch:
        with session.waiting():
            assistant = service.current(name)
        options = {"keep_files": keep_files, "tested": tested}
        followed = _Followed(session, plan, yes=yes, options=options)
        follow(session.output, assistant, followed.sync)
    change = plan()
    if not change.assistant.complete:
        session.output.warn(incomplete_text(change.assistant))
    if change.outside and not dry_run:
        session.confirm(_question(change.outside, name), yes=yes)
    _carry_out(session, change, dry_run=dry_run, keep_files=keep_files, tested=tested)


def _with_missed(assistant: Assistant, missed: Collection[str]) -> Assistant:
    """The assistant, with paths that are added when they are there again."""
    return replace(assistant, gone=(*assistant.gone, *sorted(missed))) if missed else assistant


class _Followed:
    """The syncs of one `--watch`: silent if nothing changed; asks and warns of each thing once.

    Args:
        session: the session of the command.
        plan: plans a sync, which also adds some paths if they are there.
        yes: don't ask.
        options: of each change.
    """

    def __init__(
        self,
        session: Session,
        plan: Callable[[Collection[str]], KnowledgeChange],
        *,
        yes: bool,
        options: Mapping[str, bool],
    ) -> None:
        self._session = session
        self._plan = plan
        self._yes = yes
        self._options = options
        self._agreed: set[str] = set()  # paths outside of the working directory
        self._told: set[str] = set()  # why the last sync left files out
        # Removed here because they were not there: a checkout of another branch, or an editor that
        # takes its time, brings them back.
        self._missed: set[str] = set()

    def sync(self) -> Assistant:
        change = self._plan(self._missed)
        self._ask(change)
        new, self._told = self._not_told(change), {r.reason for r in change.plan.refused}
        if change.plan.is_empty and not any(file.is_late for file in change.plan.unchanged):
            for refusal in new:
                self._session.output.warn(f"left out: {refusal.reason}")
            return change.assistant
        if not change.assistant.complete:
            gone = tuple(path for path in change.assistant.gone if path not in self._missed)
            self._session.output.warn(incomplete_text(replace(change.assistant, gone=gone)))
        self._missed |= {file.path for file in change.plan.remove}
        change = replace(change, plan=replace(change.plan, refused=new))
        assistant = _carried_out(self._session, change, **self._options)
        self._missed -= {file.path for file in assistant.knowledge}
        return _with_missed(assistant, self._missed)

    def _ask(self, change: KnowledgeChange) -> None:
        new = tuple(path for path in change.outside if path not in self._agreed)
        if new:
            self._session.confirm(_question(new, change.assistant.name), yes=self._yes)
            self._agreed.update(new)

    def _not_told(self, change: KnowledgeChange) -> tuple[Refusal, ...]:
        return tuple(one for one in change.plan.refused if one.reason not in self._told)


def _question(outside: Sequence[str], name: str) -> str:
    named = ", ".join(f"`{path}`" for path in outside[:_NAMED])
    rest = len(outside) - _NAMED
    more = f" and {rest:,} more" if rest > 0 else ""
    return f"send {named}{more} from outside of this directory to `{name}`?"


def _carry_out(
    session: Session,
    change: KnowledgeChange,
    *,
    dry_run: bool,
    keep_files: bool,
    tested: bool = False,
) -> None:
    if dry_run:
        show_plan(session.output, change.plan)
        late = [file.path for file in change.plan.unchanged if file.is_late]
        if late:
            more = f" and {len(late) - _NAMED:,} more" if len(late) > _NAMED else ""
            named = ", ".join(f"`{path}`" for path in late[:_NAMED])
            session.output.warn(f"not indexed by the server yet: {named}{more}")
    else:
        _carried_out(session, change, keep_files=keep_files, tested=tested)


def _carried_out(
    session: Session, change: KnowledgeChange, *, keep_files: bool, tested: bool
) -> Assistant:
    screening = session.screening(allow_secrets=False)
    outcome = carried_out(session, change.change, screening, tested=tested, keep_files=keep_files)
    text = f"`{outcome.assistant.name}`: {changes_text(outcome)}"
    finish_change(session.output, text, outcome)
    return outcome.assistant


_FIRST_PAUSE = 2.0  # seconds after a failure, doubled after each further one

_LONGEST_PAUSE = 60.0

_ATTEMPTS = 3  # attempts for files that the server refused, until they change

_FINAL = (
    "no_vector_stores",
    "no_endpoint",
    "no_embeddings",
    "bad_request",
    "redirected",
    "quota",
    "expired",
)

# Updates the knowledge; returns the assistant.
Sync = Callable[[], "Assistant"]


def follow(output: Output, assistant: Assistant, sync: Sync) -> NoReturn:
    """Sync now and whenever files change, until interrupted.

    Later failures are reported and retried.

    Args:
        output: for messages.
        assistant: the assistant before.
        sync: called in this thread.

    Raises:
        GptasstError: the first sync failed, or there is nothing to watch.
    """
    from gptasst.assistants.knowledge_files import watched_places
    from gptasst.inputs.watching import ChangedFiles

    first = True
    while True:
        places = watched_places(assistant)
        with ChangedFiles(places) as changes:
            # Set only now, so that no change is missed.
            if first:
                assistant = _sync_first(output, assistant, sync)
                output.note(f"watching {_where(places)}; Ctrl-C ends it")
                first = False
            else:
                assistant = _sync_sometime(output, assistant, sync)
            while changes.covers(watched_places(assistant)):
                changes.wait()
                assistant = _sync_sometime(output, assistant, sync)


def _where(places: Places) -> str:
    count = len(places.trees) + len(places.directories)
    return "1 directory" if count == 1 else f"{count:,} directories"


def _sync_first(output: Output, assistant: Assistant, sync: Sync) -> Assistant:
    try:
        return sync()
    except PartlyDone as error:
        output.warn(error.message)
    except UsageError as error:
        if error.code != "edit_conflict":
            raise
        return _sync_sometime(output, assistant, sync)
    return assistant


def _sync_sometime(output: Output, assistant: Assistant, sync: Sync) -> Assistant:
    """Sync, and retry until it succeeds: the server may be down for a while."""
    pause, attempts = _FIRST_PAUSE, 0
    while True:
        attempts += 1
        try:
            return sync()
        except InvalidInput as error:  # refused files: their next change may help
            output.warn(error.message)
            return assistant
        except (ServiceError, LimitReached, PartlyDone, UsageError) as error:
            if isinstance(error, UsageError) and error.code != "edit_conflict":
                raise
            if error.code == "cases_failed":
                output.warn(error.message)
                return assistant
            if error.code in _FINAL:
                raise
            if isinstance(error, PartlyDone) and attempts == _ATTEMPTS:
                output.warn(error.message)
                return assistant
            seconds = error.retry_after or pause
            wait = count_text(math.ceil(seconds), "second")
            output.warn(f"{error.message}; trying again in {wait}")
            time.sleep(seconds)
            pause = min(2 * pause, _LONGEST_PAUSE)
