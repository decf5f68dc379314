"""What many files would come to, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from gptasst.assistants.types import Resolved
from gptasst.each.files import EachFiles, EachInput
from gptasst.each.types import EachJob, FileResult, FileTarget, JobPlan, PlannedFile
from gptasst.errors import InvalidInput, UsageError
from gptasst.inputs.reading import input_kind
from gptasst.models.prices import Estimate, Window, total
from gptasst.runs.service import RunService
from gptasst.runs.spending import Spending


def refuse_documents(job: EachJob) -> None:
    """Refuse to compare or overwrite what is no text."""
    for target in job.targets:
        kind = input_kind(target.path)
        if kind != "text":
            raise UsageError(
                f"`{target.path}` is {'an image' if kind == 'image' else 'a document'},"
                " and only text can be compared or overwritten",
                hint="name the text files, as in '**/*.md'",
                code="not_text",
            )


def planned_files(
    job: EachJob,
    runs: RunService,
    resolved: Resolved,
    files: EachFiles,
    window: Window = "now",
) -> Iterator[tuple[PlannedFile, Estimate | None]]:
    """Each file, with what its request may take if it is the first of its content."""
    seen: set[str] = set()

    def estimate(given: EachInput) -> Estimate | None:
        if given.run in seen:
            return None
        seen.add(given.run)
        return runs.estimate(job.request(given.file), resolved, window)

    for target in job.targets:
        yield _planned(files, target, estimate)


def job_plan(
    planned: Sequence[PlannedFile], estimates: Sequence[Estimate], spending: Spending
) -> JobPlan:
    """What files and the estimates of their requests come to."""
    windows = [spending.choices(each) for each in estimates]
    known = windows and all(windows)
    costs = {w: total(each[w] for each in windows) or 0.0 for w in (windows[0] if known else ())}
    return JobPlan(
        tuple(planned),
        requests=len(estimates),
        input_tokens=sum(each.input_tokens for each in estimates),
        output_tokens=sum(each.output_tokens for each in estimates),
        cost=costs,
    )


def _planned(
    files: EachFiles, target: FileTarget, estimate: Callable[[EachInput], Estimate | None]
) -> tuple[PlannedFile, Estimate | None]:
    path, output = str(target.path), None if target.output is None else str(target.output)
    given = files.read(target)
    if isinstance(given, FileResult):
        state: Literal["refused", "skipped"] = "refused" if given.error else "skipped"
        return PlannedFile(path, output, state, 0, given.error), None
    if files.finished(given):
        return PlannedFile(path, output, "finished", 0), None
    hindrance = files.hindrance(given)
    if hindrance and hindrance.error:
        return PlannedFile(path, output, "refused", 0, hindrance.error), None
    try:
        found = estimate(given)
    except InvalidInput as error:
        return PlannedFile(path, output, "refused", 0, error), None
    if found is None:  # of the same content as an earlier one
        return PlannedFile(path, output, "to_do", 0), None
    planned = PlannedFile(
        path,
        output,
        "to_do",
        found.input_tokens,
        estimated_output_tokens=found.output_tokens,
        estimated_cost=found.cost,
    )
    return planned, found
