"""Changes of assistants that wait for their cases: tried first, and made only if all hold."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from gptasst.cases.service import CaseService, error_of
from gptasst.cases.types import Subject, TestJob
from gptasst.errors import GptasstError, NotFound
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.assistants.store import AssistantStore
    from gptasst.assistants.types import AssistantChange, KnowledgeOutcome
    from gptasst.cases.running import TestRun
    from gptasst.cases.types import TestReport
    from gptasst.uploads.types import OnTransfer

Follow = Callable[["TestRun"], "TestReport"]


class Stopped(Exception):
    """Whoever follows a test stopped it; nothing was changed."""


class TestedChanges:
    """Makes changes of assistants once their cases hold.

    Args:
        store: has the assistants.
        open_cases: gives the service that tests what a store searches.
    """

    __test__ = False

    def __init__(
        self, store: AssistantStore, open_cases: Callable[[AssistantStore], CaseService]
    ) -> None:
        self._store = store
        self._open_cases = open_cases

    def carry_out(
        self,
        change: AssistantChange,
        job: TestJob,
        follow: Follow,
        report: OnTransfer,
        *,
        keep_files: bool = False,
    ) -> KnowledgeOutcome:
        """Make a planned change if all cases hold on what it makes of the assistant.

        The new definition is kept as a revision first, and new knowledge is tried apart from the
        assistant. If a case does not hold, the revision stays without being in force.

        Args:
            change: what is to be made.
            job: how to test; its subjects are left alone.
            follow: lets the test run to its end.
            report: called with the progress of a transfer.
            keep_files: unused uploads stay.

        Raises:
            PartlyDone: a case did not hold; nothing is changed.
            NotFound: there is no case.
            Stopped: the test was stopped; nothing is changed.
            GptasstError: a case could not be tested, or the change could not be made.
        """
        if not change.is_empty:
            self._test(change, job, follow, report)
        return self._store.apply(
            change.assistant, change.definition, change.plan, report, keep_files=keep_files
        )

    def _test(
        self, change: AssistantChange, job: TestJob, follow: Follow, report: OnTransfer
    ) -> None:
        assistant, definition = change.assistant, change.definition
        if not definition.cases:
            words = f"assistant edit {shlex.quote(assistant.name)} --cases FILE"
            raise NotFound(
                f"`{assistant.name}` has no cases to test it with",
                hint=f"{cmd(words)} gives it some",
                code="no_cases",
            )
        revision = None
        if replace(definition, knowledge=()) != replace(assistant.definition, knowledge=()):
            revision = self._store.propose(assistant, definition)
        with self._store.trial(assistant, definition, change.plan, report) as trial:
            name = assistant.name if revision is None else f"{assistant.name}@{revision}"
            subject = Subject(name, trial.resolved, definition.cases)
            run = self._open_cases(trial.store).start(replace(job, subjects=(subject,)))
            told = follow(run)
            if run.stopped:
                raise Stopped
            error = error_of(run, told)
            if error is not None:
                raise _held_back(error, change, revision)


def _held_back(error: GptasstError, change: AssistantChange, revision: int | None) -> GptasstError:
    """The error that ends a change, with what is in force, and how the new one can be tried."""
    current = f"`{change.assistant.name}` stays at revision {change.assistant.revision}"
    if not change.plan.is_empty:
        current += " with its knowledge as it was"
    error.message = f"{error.message}; {current}"
    if error.code == "cases_failed":
        error.advice = "pass the same command without --tested to change it anyway"
        if revision is not None:
            new = shlex.quote(f"{change.assistant.name}@{revision}")
            error.advice = f"{cmd(f'run {new} FILE…')} tries revision {revision}"
    return error
