"""One assistant over many files: made ready as a whole, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from gptasst.api.types import OnLimits
from gptasst.assistants.types import Resolved
from gptasst.each.files import EachFiles
from gptasst.each.journal import RunJournal
from gptasst.each.pace import Pace
from gptasst.each.run import EachRun
from gptasst.each.types import EachJob, FileResult, FileTarget, PlannedFile
from gptasst.errors import UsageError
from gptasst.inputs.reading import input_kind
from gptasst.runs.inputs import estimated_tokens
from gptasst.runs.service import RunService


class EachService:
    """Runs an assistant or instruction over many files.

    Args:
        journal: of finished runs.
        open_runs: gives the service for single runs; its requests are to be paced.
        most_jobs: what the endpoint can do at once, where that is known.
    """

    def __init__(
        self,
        journal: RunJournal,
        open_runs: Callable[[OnLimits], RunService],
        most_jobs: int | None = None,
    ) -> None:
        self._journal = journal
        self._open_runs = open_runs
        self._most_jobs = most_jobs

    def start(self, job: EachJob) -> EachRun:
        """Make ready; what every file would fail at is raised here, before anything is sent.

        Raises:
            NotFound: no assistant or instruction has that name.
            UsageError: a file that is to be changed is not text, or no model is named.
        """
        pace = Pace(min(job.jobs, self._most_jobs or job.jobs))
        runs = self._open_runs(pace.observe)
        resolved, files = self._prepare(job, runs)
        warnings = runs.warnings(job.asked, resolved)
        return EachRun(job, runs, resolved, files, self._journal, pace, warnings)

    def plan(self, job: EachJob) -> list[PlannedFile]:
        """What each file would come to. Nothing is sent or written.

        Raises:
            GptasstError: what `start` would raise.
            InvalidInput: no file can be used.
        """
        resolved, files = self._prepare(job, self._open_runs(lambda _: None))
        definition = resolved.definition
        told = len(definition.instructions) + len(job.asked.text or definition.default_text or "")
        planned = [_planned(files, target, told) for target in job.targets]
        refused = [file.error for file in planned if file.error]
        if refused and len(refused) == len(planned):
            raise refused[0]
        return planned

    def _prepare(self, job: EachJob, runs: RunService) -> tuple[Resolved, EachFiles]:
        if job.purpose in ("replace", "check"):
            _refuse_documents(job)
        resolved = runs.resolve(job.asked.name)
        basis = runs.basis(job.asked, resolved)
        edits = resolved.definition.edit is not None
        return resolved, EachFiles(job, basis, self._journal, edits=edits)


def _refuse_documents(job: EachJob) -> None:
    for target in job.targets:
        kind = input_kind(target.path)
        if kind != "text":
            raise UsageError(
                f"`{target.path}` is {'an image' if kind == 'image' else 'a document'},"
                " and only text can be compared or written over",
                hint="name the text files, as in '**/*.md'",
                code="not_text",
            )


def _planned(files: EachFiles, target: FileTarget, told: int) -> PlannedFile:
    path, output = str(target.path), None if target.output is None else str(target.output)
    given = files.read(target)
    if isinstance(given, FileResult):
        state: Literal["refused", "skipped"] = "refused" if given.error else "skipped"
        return PlannedFile(path, output, state, 0, given.error)
    if files.finished(given):
        return PlannedFile(path, output, "finished", 0)
    hindrance = files.hindrance(given)
    if hindrance and hindrance.error:
        return PlannedFile(path, output, "refused", 0, hindrance.error)
    tokens = estimated_tokens(told + len(given.file.text or ""))
    return PlannedFile(path, output, "to_do", tokens)
