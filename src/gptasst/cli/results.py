"""Output beside an answer: the model, warnings and sources."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gptasst.cli.output import Output, count_text, size_text
from gptasst.cli.session import Session
from gptasst.cli.tables import Column
from gptasst.errors import PartlyDone
from gptasst.hints import cmd
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.api.types import Usage
    from gptasst.assistants.types import Assistant, AssistantSummary, KnowledgeOutcome
    from gptasst.cli.session import Session
    from gptasst.definitions.types import Definition
    from gptasst.each.types import FileResult
    from gptasst.inputs.reading import Refusal
    from gptasst.knowledge.types import KnowledgePlan
    from gptasst.runs.types import Kept, RunResult


def tell_fallback(session: Session) -> None:
    """Print one line if the embedded model is used without being chosen."""
    note = session.context.fallback_note()
    if note:
        session.output.note(note)


def tell_about(output: Output, result: RunResult) -> None:
    """Print on stderr what an answer is based on."""
    if output.draws or output.verbose:
        for number, source in enumerate(result.citations, start=1):
            output.note(f"[{number}] {source.path}{', ' if source.place else ''}{source.place}")
    for warning in result.warnings:
        output.warn(warning)
    tell_kept(output, result.kept)
    if result.left_out:
        output.note(
            f"{count_text(result.left_out, 'earlier message')} did not fit into the context"
        )
    if output.verbose:
        for line in result.reasoning.splitlines():
            output.note(f"reasoning: {line}" if line.strip() else "")
        for query in result.searches:
            output.note(f"the model searched the knowledge for `{query}`")
        output.note(_account(output, result))


def tell_kept(output: Output, kept: Sequence[Kept]) -> None:
    """Print how many blocks an edit kept unchanged; with `--verbose`, why for each."""
    if not kept:
        return
    count = count_text(len(kept), "block")
    if not output.verbose:
        output.note(
            f"kept {count} unchanged because the answer's version was not safe;"
            " `--verbose` shows why"
        )
        return
    for each in kept:
        output.note(f"kept {each.path}:{each.lines}: {each.reason}")


def warn_of_failures(output: Output, results: Iterable[FileResult]) -> None:
    """Print each file that failed, and why."""
    for result in results:
        if result.error is not None:
            hint = f" ({result.error.advice})" if result.error.advice else ""
            output.warn(f"`{result.path}` failed: {result.error.message}{hint}")
            if result.error.code == "internal_error":
                output.trace(result.error)


@dataclass(frozen=True, slots=True)
class FileTotals:
    """What came of many files, and what it took. `cost` is as in `FileResult`."""

    files: int
    written: int
    unchanged: int
    failed: int
    input_tokens: int
    cached_tokens: int
    written_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: float | None


def totals_of(results: Sequence[FileResult]) -> FileTotals:
    """Total the results of files."""
    from gptasst.api.types import Usage
    from gptasst.models.prices import total

    counts = Counter(result.status for result in results)
    usage = sum((result.usage for result in results if result.usage), Usage(0, 0))
    return FileTotals(
        files=len(results),
        written=counts["written"],
        unchanged=counts["unchanged"],
        failed=counts["failed"],
        input_tokens=usage.input,
        cached_tokens=usage.cached,
        written_tokens=usage.written,
        output_tokens=usage.output,
        reasoning_tokens=usage.reasoning,
        cost=total(result.cost for result in results if result.usage),
    )


def totals_text(output: Output, totals: FileTotals) -> str:
    """Total tokens and their price; with `--verbose`, all kinds of tokens.

    Empty where there are none: some servers, such as open-responses-server, report no tokens.
    """
    from gptasst.api.types import Usage

    usage = Usage(
        totals.input_tokens,
        totals.output_tokens,
        totals.cached_tokens,
        totals.reasoning_tokens,
        totals.written_tokens,
    )
    if not (usage.input or usage.output):
        return ""
    return f"{tokens_text(output, usage)}{price_text(usage, totals.cost)}"


def price_text(usage: Usage, cost: float | None) -> str:
    """The price after a number of tokens; empty if there is none."""
    from gptasst.models.prices import cost_text

    used = usage.input or usage.output
    return f", {cost_text(cost)}" if used and cost != 0 else ""


def tokens_text(output: Output, usage: Usage) -> str:
    """Total tokens; with `--verbose`, all kinds of tokens."""
    if not output.verbose:
        return count_text(usage.input + usage.output, "token")
    cached = f"{usage.cached:,} cached" + f", {usage.written:,} written" * bool(usage.written)
    given = f"{count_text(usage.input, 'token')} in ({cached})"
    return f"{given}, {usage.output:,} out ({usage.reasoning:,} reasoning)"


def _account(output: Output, result: RunResult) -> str:
    tokens = "tokens unknown"
    if result.usage:
        tokens = tokens_text(output, result.usage) + price_text(result.usage, result.cost)
    first = result.timings.first_token
    begun = f"first after {first:.1f} s, " if first is not None else ""
    return f"{result.model}: {tokens}; {begun}all after {result.timings.total:.1f} s"


TestedOption = Annotated[
    bool, typer.Option("--tested", help="Change it only if its cases hold afterwards.")
]
KeepFilesOption = Annotated[
    bool, typer.Option("--keep-files", help="Leave unused uploads on the server.")
]
_Row = tuple[str, str, str]


def show_plan(output: Output, plan: KnowledgePlan) -> None:
    """Print a plan, one line per file."""
    if output.mode == "json":
        output.document(plan)
        return
    columns: list[Column[_Row]] = [
        Column("change", lambda row: row[0]),
        Column("path", lambda row: row[1], cuts=True),
        Column("about", lambda row: row[2], cuts=True),
    ]
    rows = _rows(plan)
    output.table(
        "changes", rows, columns, ident=lambda row: row[1], empty="everything is up to date"
    )
    if output.draws and plan.unchanged:
        output.note(f"{count_text(len(plan.unchanged), 'file')} unchanged")


def _rows(plan: KnowledgePlan) -> list[_Row]:
    rows = [("add", source.path, size_text(source.size)) for source in plan.add]
    rows += [
        ("replace", r.source.path, f"{size_text(r.old.size)} -> {size_text(r.source.size)}")
        for r in plan.replace
    ]
    rows += [("remove", file.path, size_text(file.size)) for file in plan.remove]
    return rows + [("refused", refusal.path, refusal.reason) for refusal in plan.refused]


def finish_change(
    output: Output, text: str, outcome: KnowledgeOutcome, *, created: bool = False
) -> None:
    """Print a change's result; failed files end the command with exit code 6.

    Raises:
        PartlyDone: some files could not be added.
    """
    unread = outcome.plan.unread
    for refusal in outcome.plan.refused:
        if refusal not in unread:
            output.warn(f"left out: {refusal.reason}")
    note_left(output, outcome.left)
    for note in outcome.notes:
        output.warn(note)
    if not outcome.failed:
        output.done(text, outcome, ident=outcome.assistant.name)
        return
    if output.mode != "json":
        output.done(text, outcome, ident=outcome.assistant.name)
    named = "; ".join(map(_failure_text, outcome.failed))
    again = "the same command"
    if created:  # it would find that the name is taken
        words = ("assistant", "files", "add", outcome.assistant.name)
        again = cmd(shlex.join((*words, *(failure.path for failure in outcome.failed))))
    failed = count_text(len(outcome.failed), "place" if unread else "file")
    error = PartlyDone(
        f"{failed} could not be taken: {named}",
        hint=f"the rest is done; {again} tries these again",
    )
    error.done = outcome
    raise error


def ident_of(assistant: Assistant | AssistantSummary) -> str:
    """The address of an assistant: its name, or its id if the name does not fit on one line."""
    from gptasst.definitions.toml import name_problem

    return assistant.id if name_problem(assistant.name) else assistant.name


def _failure_text(failure: Refusal) -> str:
    called = f"`{failure.path}`"
    return failure.reason if failure.reason.startswith(called) else f"{called}: {failure.reason}"


def incomplete_text(assistant: Assistant) -> str:
    """The missing part of the knowledge, and how to restore it."""
    sync = cmd(f"assistant files sync {shlex.quote(assistant.name)}")
    if not assistant.gone:
        return (
            "files were deleted or added by other programs, or a command was interrupted; "
            f"{sync} brings the knowledge into line with your files"
        )
    named = ", ".join(f"`{path}`" for path in assistant.gone)
    return f"{named} was deleted on the server; {sync} uploads it again"


def note_left(output: Output, file_ids: Sequence[str]) -> None:
    """Print files that stay on the server because somebody else may have made them, or use them."""
    if file_ids:
        delete = cmd(f"file delete {' '.join(file_ids)}")
        files = count_text(len(file_ids), "unused file")
        output.note(
            f"{files} may belong to somebody else, or be used by somebody else, and were kept;"
            f" {delete} deletes them"
        )


def changes_text(outcome: KnowledgeOutcome) -> str:
    """A short summary of a change."""
    plan, failed = outcome.plan, {failure.path for failure in outcome.failed}
    replaced = [r for r in plan.replace if r.source.path not in failed]
    counts = [
        (len([source for source in plan.add if source.path not in failed]), "added"),
        (len(replaced), "replaced"),
        (len(plan.remove), "removed"),
        (len(plan.unchanged), "unchanged"),
    ]
    return ", ".join(f"{count:,} {word}" for count, word in counts if count) or "nothing to do"


def tools_shown(definition: Definition) -> list[str]:
    """The tools of a definition as text, with its search settings."""
    from gptasst.definitions.tools import written_file_search

    tools = definition.tools
    names = ("file_search", "code_interpreter", "web_search")
    shown = [
        "file_search (when it has knowledge)" if value is None else name
        for name in names
        if (value := getattr(tools, name)) is not False
    ]
    shown += [f"mcp {server.label} ({server.url})" for server in tools.mcp]
    settings = written_file_search(tools)
    if isinstance(settings, dict):
        shown[0] += f" ({', '.join(f'{key} {_plain(value)}' for key, value in settings.items())})"
    return shown


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
