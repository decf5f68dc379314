"""One assistant over many files: made ready as a whole, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable

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
            InvalidInput: a file can't be used.
        """
        resolved, files = self._prepare(job, self._open_runs(lambda _: None))
        definition = resolved.definition
        told = len(definition.instructions) + len(job.asked.text or definition.default_text or "")
        return [_planned(files, target, told) for target in job.targets]

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
    given = files.read(target)
    output = None if target.output is None else str(target.output)
    if isinstance(given, FileResult):
        if given.error:
            raise given.error
        return PlannedFile(str(target.path), output, "skipped", 0)
    if files.finished(given):
        return PlannedFile(str(target.path), output, "finished", 0)
    hindrance = files.hindrance(given)
    if hindrance and hindrance.error and hindrance.error.code == "secret":
        raise hindrance.error
    tokens = estimated_tokens(told + len(given.file.text or ""))
    return PlannedFile(str(target.path), output, "to_do", tokens)
