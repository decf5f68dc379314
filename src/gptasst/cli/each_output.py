"""What came of `gptasst run --each`: data on stdout, the account of it on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gptasst.cli.output import Output, count_text, harmless
from gptasst.cli.results import tell_kept, tokens_text, usage_of, warn_of_failures
from gptasst.cli.tables import Column
from gptasst.errors import GptasstError, PartlyDone

if TYPE_CHECKING:
    from gptasst.each.run import EachRun
    from gptasst.each.types import FileResult, PlannedFile

_DIFF_COLOURS = {"+++": "1", "---": "1", "@@": "35", "+": "32", "-": "31"}
_SAME_COMMAND = "the same command does only what is missing"


@dataclass(frozen=True, slots=True)
class EachSummary:
    """What came of all files. `seconds` is what the command took."""

    files: int
    written: int
    unchanged: int
    would_change: int
    answered: int
    skipped: int
    failed: int
    not_run: int
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    seconds: float


def summary_of(results: Sequence[FileResult], seconds: float) -> EachSummary:
    """Count what came of the files, in a command that took so many seconds."""
    counts = Counter(result.status for result in results)
    usage = usage_of(results)
    return EachSummary(
        files=len(results),
        written=counts["written"],
        unchanged=counts["unchanged"],
        would_change=counts["would_change"],
        answered=counts["answered"],
        skipped=counts["skipped"],
        failed=counts["failed"],
        not_run=counts["not_run"],
        requests=sum(result.asked for result in results),
        input_tokens=usage.input,
        cached_tokens=usage.cached,
        output_tokens=usage.output,
        reasoning_tokens=usage.reasoning,
        seconds=round(seconds, 3),
    )


def error_of(
    run: EachRun, summary: EachSummary, results: Sequence[FileResult], *, check: bool
) -> GptasstError | None:
    """What a command over many files ends with, if not all is well."""
    if run.ended_by is not None:
        return run.ended_by
    files = count_text(summary.files, "file")
    if summary.failed:
        return PartlyDone(f"{summary.failed:,} of {files} failed", hint=_SAME_COMMAND)
    if check and summary.would_change:
        changing = [f"`{r.path}`" for r in results if r.status == "would_change"]
        return PartlyDone(
            f"{summary.would_change:,} of {files} would change: {', '.join(changing[:3])}"
            + (", …" if len(changing) > 3 else ""),
            hint="--in-place in place of --check changes them, with no further request",
            code="would_change",
        )
    return None


def show_results(output: Output, results: Sequence[FileResult], *, diff: bool, check: bool) -> None:
    """What is data: differences, the names of files that would change, or of those written."""
    if diff and output.mode != "quiet":
        for result in results:
            if result.diff and output.colours:
                output.drawn(_coloured(result.diff))
            elif result.diff:
                output.answer(result.diff)
    elif output.mode == "quiet" or check:
        for result in results:
            if result.status in ("would_change", "written"):
                output.text(harmless(result.output or result.path))


def _coloured(diff: str) -> str:
    """A diff in colours; its own control characters are made harmless first."""
    lines = []
    for line in harmless(diff).splitlines():
        code = next((c for start, c in _DIFF_COLOURS.items() if line.startswith(start)), None)
        lines.append(f"\x1b[{code}m{line}\x1b[0m" if code else line)
    return "\n".join(lines) + "\n"


def tell(
    output: Output, results: Sequence[FileResult], summary: EachSummary, *, stopped: bool
) -> None:
    warn_of_failures(output, results)
    tell_kept(output, [kept for result in results for kept in result.kept])
    kinds = ("written", "unchanged", "would_change", "skipped", "failed", "not_run")
    words = {"would_change": "would change", "skipped": "empty", "not_run": "not done"}
    counted = [(getattr(summary, kind), words.get(kind, kind)) for kind in kinds]
    parts = ", ".join(f"{number:,} {word}" for number, word in counted if number)
    output.note(
        f"{count_text(summary.files, 'file')}: {parts};"
        f" {count_text(summary.requests, 'request')}, {tokens_text(output, usage_of(results))},"
        f" {summary.seconds:.1f} s"
    )
    if stopped:
        output.note(f"stopped; {_SAME_COMMAND}")


def show_plan(output: Output, planned: Sequence[PlannedFile]) -> None:
    output.table(
        "files",
        planned,
        [
            Column("file", lambda file: file.path, wraps=True),
            Column("output", lambda file: file.output or "", wraps=True),
            Column("state", lambda file: file.state.replace("_", " ")),
            Column("tokens", lambda file: f"{file.estimated_tokens:,}", right=True),
        ],
        ident=lambda file: file.path,
        empty="no files",
    )
