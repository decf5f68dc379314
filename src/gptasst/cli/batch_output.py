"""How batches are shown: where they stand, what was submitted, what was fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gptasst.cli.output import Output, count_text, harmless
from gptasst.cli.progress import Drawn
from gptasst.cli.results import tell_kept, tokens_text, usage_of, warn_of_failures
from gptasst.errors import GptasstError, PartlyDone
from gptasst.hints import cmd

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from gptasst.api.types import Batch
    from gptasst.batches.types import Fetched, Submission
    from gptasst.each.types import FileResult


def progress_text(batch: Batch) -> str:
    """How many requests are done, of how many."""
    failed = f", {batch.failed:,} failed" if batch.failed else ""
    return f"{batch.completed + batch.failed:,} of {batch.all_requests:,}{failed}"


class BatchProgress(Drawn):
    """A bar over all requests of batches while they are waited for."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._bar: tuple[Progress, TaskID] | None = None

    def report(self, batches: Sequence[Batch]) -> None:
        """Show how batches stand."""
        if not self._output.shows_progress:
            return
        self._bar = self._bar or self._draw()
        progress, task = self._bar
        states = Counter(batch.status.replace("_", " ") for batch in batches)
        progress.update(
            task,
            description=", ".join(f"{number} {status}" for status, number in states.items()),
            completed=sum(batch.completed + batch.failed for batch in batches),
            total=sum(batch.all_requests for batch in batches) or None,
        )

    def _draw(self) -> tuple[Progress, TaskID]:
        from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

        progress = self._bars(
            "{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        return progress, progress.add_task("")


@dataclass(frozen=True, slots=True)
class FetchSummary:
    """What came of all files of the batches that were fetched."""

    files: int
    written: int
    unchanged: int
    failed: int
    input_tokens: int
    cached_tokens: int
    written_tokens: int
    output_tokens: int
    reasoning_tokens: int


def show_submission(output: Output, submission: Submission) -> None:
    """Say what was submitted, and what came of files that had no need to be."""
    error = submission_error(submission)
    if output.mode == "json":
        output.document({"submission": submission, "error": error})
    else:
        for batch in submission.batches:
            output.text(batch.id)
        warn_of_failures(output, submission.results)
        output.note(_submission_text(submission))
        ids = " ".join(batch.id for batch in (*submission.batches, *submission.earlier))
        if ids:
            output.note(
                f"{cmd(f'batch fetch {ids}')} puts the answers in place once they are"
                " there, within 24 hours"
            )


def submission_error(submission: Submission) -> GptasstError | None:
    """The error of a submission in which some files can't take part."""
    failed = sum(result.status == "failed" for result in submission.results)
    if not failed:
        return None
    return PartlyDone(f"{count_text(failed, 'file')} can't be submitted or written")


def _submission_text(submission: Submission) -> str:
    counts = Counter(result.status for result in submission.results)
    batches = count_text(len(submission.batches), "batch").replace("batchs", "batches")
    parts = [f"{count_text(submission.submitted, 'file')} submitted in {batches}"]
    if submission.waiting:
        parts.append(f"{submission.waiting:,} on their way in earlier ones")
    done = counts["written"] + counts["unchanged"]
    parts += [f"{done:,} answered before"] if done else []
    for number, word in ((counts["skipped"], "empty"), (counts["failed"], "failed")):
        parts += [f"{number:,} {word}"] if number else []
    if not submission.submitted:
        parts[0] = "nothing to submit"
    return "; ".join(parts)


def show_fetched(
    output: Output, fetched: Sequence[Fetched], submission: Submission | None = None
) -> None:
    """Say what came of each file; as JSON together with what was submitted before."""
    results = [result for one in fetched for result in one.results]
    summary = _summary(results)
    error = fetch_error(fetched, submission)
    if output.mode == "json":
        batches = [{"batch": one.batch, "name": one.name, "files": one.results} for one in fetched]
        document = {"batches": batches, "summary": summary, "error": error}
        output.document({"submission": submission} | document if submission else document)
        return
    if output.mode == "quiet":
        for result in results:
            if result.status == "written":
                output.text(harmless(result.output or result.path))
    warn_of_failures(output, results)
    tell_kept(output, [kept for result in results for kept in result.kept])
    tokens = tokens_text(output, usage_of(results))
    kinds = ("written", "unchanged", "failed")
    counted = [(getattr(summary, kind), kind) for kind in kinds]
    parts = ", ".join(f"{number:,} {kind}" for number, kind in counted if number)
    output.note(f"{count_text(summary.files, 'file')}: {parts}; {tokens}")


def fetch_error(
    fetched: Sequence[Fetched], submission: Submission | None = None
) -> GptasstError | None:
    """The error of a fetch that did not bring all answers into place, or of what came before."""
    summary = _summary([result for one in fetched for result in one.results])
    if not summary.failed:
        return submission_error(submission) if submission else None
    # What others typed is nothing to be typed here.
    typed = {o.command for o in fetched if any(r.status == "failed" for r in o.results)} - {""}
    commands = ", ".join(f"`{command}`" for command in sorted(typed))
    return PartlyDone(
        f"{summary.failed:,} of {count_text(summary.files, 'file')} failed",
        hint=f"{commands} submits only what is missing" if commands else None,
    )


def _summary(results: Sequence[FileResult]) -> FetchSummary:
    counts = Counter(result.status for result in results)
    usage = usage_of(results)
    return FetchSummary(
        files=len(results),
        written=counts["written"],
        unchanged=counts["unchanged"],
        failed=counts["failed"],
        input_tokens=usage.input,
        cached_tokens=usage.cached,
        written_tokens=usage.written,
        output_tokens=usage.output,
        reasoning_tokens=usage.reasoning,
    )
