"""Test assistants and instructions: find their cases, and prepare a test."""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gptasst.api.limits import OnLimits
from gptasst.assistants.store import AssistantStore
from gptasst.assistants.types import Resolved
from gptasst.cases.answers import KnownAnswers
from gptasst.cases.running import TestRun
from gptasst.cases.types import Subject, TestJob, TestReport
from gptasst.definitions.case_files import (
    cases_beside,
    cases_of,
    definition_of_cases,
    input_of_case,
    is_cases_file,
    read_cases_file,
)
from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.types import Case, Instruction
from gptasst.each.pace import Pace
from gptasst.errors import GptasstError, InvalidDefinition, NotFound, PartlyDone, UsageError
from gptasst.hints import cmd, did_you_mean
from gptasst.models.prices import NO_PRICES, Prices
from gptasst.runs.service import RunService
from gptasst.runs.types import RunRequest


class CaseService:
    """Runs the cases of assistants and instructions.

    Args:
        library: finds the instructions.
        open_store: opens the store whose knowledge is searched.
        open_runs: returns the service for single runs, whose requests are paced here.
        answers: earlier answers.
        most_jobs: the most concurrent requests of the endpoint, if known.
        prices: the prices of the endpoint's models.
    """

    def __init__(
        self,
        library: InstructionLibrary,
        open_store: Callable[[], AssistantStore],
        open_runs: Callable[[OnLimits], RunService],
        answers: KnownAnswers,
        most_jobs: int | None = None,
        prices: Prices = NO_PRICES,
    ) -> None:
        self._library = library
        self._open_store = open_store
        self._open_runs = open_runs
        self._answers = answers
        self._most_jobs = most_jobs
        self._prices = prices

    def subjects(self, words: Sequence[str], cases: Path | None = None) -> tuple[Subject, ...]:
        """The subjects to test.

        Args:
            words: names of assistants and instructions, files of definitions or of cases; by
                default the instructions of the project and the user that have cases.
            cases: a file of cases to run, instead of their own.

        Raises:
            NotFound: a name or file does not exist, or nothing has a case.
            InvalidDefinition: a definition or its cases are invalid.
        """
        named = [self._named(word) for word in words] if words else list(self._with_cases())
        if cases is not None:
            own = read_cases_file(cases)
            return tuple(replace(each, cases=own, directory=cases.parent) for each in named)
        if not named:
            raise NotFound(
                "no instruction of yours has cases",
                hint="write them into `instructions/NAME.cases.toml`, or name what to test",
                code="no_cases",
            )
        return tuple(named)

    def subject(self, word: str) -> Subject:
        """One assistant or instruction, with its cases, if it has any."""
        return self._named(word)

    def _named(self, word: str) -> Subject:
        if is_cases_file(word):
            word = str(definition_of_cases(Path(word)))
        if not word.endswith(".toml"):
            resolved = self._open_runs(lambda _: None).resolve(word)
            if resolved.assistant is not None:
                return Subject(word, resolved, resolved.definition.cases)
        return _of_instruction(self._library.find(word), word)

    def _with_cases(self) -> Iterator[Subject]:
        """The instructions of the project and the user that have cases."""
        for name in self._library.names():
            path, origin = self._library.locate(name)
            if origin == "shipped":
                continue
            found = self._library.find(name)
            if found.definition.cases or cases_beside(path).exists():
                yield _of_instruction(found, name)

    def start(self, job: TestJob) -> TestRun:
        """Prepare a test; errors that every case would have are raised before anything is sent.

        A case whose file or variables can't be used gets the result `error`; the others run.

        Raises:
            NotFound: there is no case, or none matches a pattern.
            UsageError: `retrieval_only` was given, and there is no knowledge.
        """
        chosen = [(subject, case) for subject in job.subjects for case in _chosen(subject, job)]
        tasks = [(subject, case, _request(subject, case, job)) for subject, case in chosen]
        if not tasks:
            raise _nothing_to_test(job)
        pace = Pace(min(job.jobs, self._most_jobs or job.jobs))
        runs = self._open_runs(pace.observe)
        if job.retrieval_only:
            for subject, _, _ in tasks:
                if subject.resolved.assistant is None:
                    raise UsageError(
                        f"`{subject.name}` is an instruction and has no knowledge to search",
                        hint=f"name an assistant: {cmd('test ASSISTANT --cases FILE')}",
                    )
        return TestRun(job, tasks, runs, self._open_store, self._answers, pace, self._prices)


def _of_instruction(found: Instruction, name: str) -> Subject:
    resolved = Resolved(found.definition, path=found.path)
    return Subject(name, resolved, cases_of(found), Path(found.path).parent)


def _chosen(subject: Subject, job: TestJob) -> list[Case]:
    return [
        case
        for case in subject.cases
        if (not job.patterns or any(_fits(case.name, pattern) for pattern in job.patterns))
        and (case.is_retrieval or not job.retrieval_only)
    ]


def _request(subject: Subject, case: Case, job: TestJob) -> RunRequest | GptasstError:
    """The run of a case, or the error if its file or its variables can't be used."""
    try:
        file = input_of_case(case, subject.directory, job.screening)
        subject.resolved.filled(case.vars)
    except GptasstError as error:
        hint = error.advice
        if hint and "--var" in hint:  # which `test` does not have
            unknown = error.code == "unknown_variable"
            hint = f"{'take it out of' if unknown else 'set it in'} the case's key `vars`"
        return InvalidDefinition(error.message, hint=hint)
    return RunRequest(
        subject.name,
        files=(file,) if file else (),
        text=case.text,
        stdin=case.input if file is None else None,
        model=job.model,
        variables=case.vars,
        timeout=job.timeout,
        screening=job.screening,
        of_many=True,
    )


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or fnmatch.fnmatchcase(name, pattern)


def _nothing_to_test(job: TestJob) -> GptasstError:
    names = [case.name for subject in job.subjects for case in subject.cases]
    called = ", ".join(f"`{subject.name}`" for subject in job.subjects)
    if not names:
        words = f"test {shlex.join(s.name for s in job.subjects)} --cases FILE"
        return NotFound(
            f"{called} has no cases" if len(job.subjects) == 1 else f"none of {called} has cases",
            hint=f"write them into `NAME.cases.toml` beside the definition, or {cmd(words)}",
            code="no_cases",
        )
    if job.patterns:
        wanted = ", ".join(f"`{pattern}`" for pattern in job.patterns)
        listing = f"there are: {', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
        return NotFound(
            f"no case {wanted} in {called}",
            hint=did_you_mean(job.patterns[0], names, listing),
            code="no_cases",
        )
    return NotFound(
        f"no case of {called} says what must be found",
        hint='`cites = ["PATH"]` in a case does',
        code="no_cases",
    )


def tested(run: TestRun) -> TestReport:
    """Let a test run to its end.

    Raises:
        GptasstError: a case could not be tested.
    """
    for _ in run.results():
        pass
    report = run.report()
    error = error_of(run, report)
    if error is not None and error.code != "cases_failed":
        error.done = report
        raise error
    return report


def error_of(run: TestRun, report: TestReport, options: Sequence[str] = ()) -> GptasstError | None:
    """The error of a test, if not every case passed. Untested cases come first.

    `options` are those of the command that tests the same in the same way.
    """
    if run.ended_by is not None:
        return run.ended_by
    broken = next((result for result in report.cases if result.error), None)
    if broken is not None and broken.error is not None:
        broken.error.message = f"{broken.place}: {broken.error.message}"
        return broken.error
    failed = report.failed
    if not failed:
        return None
    named = ", ".join(f"`{result.case}`" for result in failed[:3])
    counted = "1 case" if len(report.cases) == 1 else f"{len(report.cases):,} cases"
    words = shlex.join(("test", failed[0].name, *options, "--case", failed[0].case, "--force"))
    return PartlyDone(
        f"{len(failed):,} of {counted} failed: {named}{', …' if len(failed) > 3 else ''}",
        hint=f"{cmd(words)} asks the model again",
        code="cases_failed",
    )
