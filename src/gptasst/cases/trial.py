"""Change assistants only if their cases pass."""

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
    from gptasst.assistants.types import Assistant, AssistantChange, KnowledgeOutcome
    from gptasst.cases.running import TestRun
    from gptasst.cases.types import TestReport
    from gptasst.definitions.types import Definition
    from gptasst.knowledge.types import KnowledgePlan
    from gptasst.uploads.types import OnTransfer

Follow = Callable[["TestRun"], "TestReport"]


class Stopped(Exception):
    """The test was stopped; nothing was changed."""


class TestedChanges:
    """Makes changes of assistants after their cases pass.

    Args:
        store: the store of the assistants.
        open_cases: returns the test service for a store.
        job: how to test; its subjects are left alone.
        follow: lets a test run to its end.
    """

    __test__ = False

    def __init__(
        self,
        store: AssistantStore,
        open_cases: Callable[[AssistantStore], CaseService],
        job: TestJob,
        follow: Follow,
    ) -> None:
        self._store = store
        self._open_cases = open_cases
        self._job = job
        self._follow = follow

    def carry_out(
        self,
        change: AssistantChange,
        report: OnTransfer,
        *,
        keep_files: bool = False,
        source: str | None = None,
    ) -> KnowledgeOutcome:
        """Make a planned change if all cases pass on its result.

        The new definition is first saved as a revision, and new knowledge is tested separately from
        the assistant. If a case fails, the revision stays, but is not in force.

        Args:
            change: what is to be made.
            report: called with the progress of a transfer.
            keep_files: unused uploads stay.
            source: the file that the assistant comes from, if that is known.

        Raises:
            PartlyDone: a case failed; nothing is changed.
            NotFound: there is no case.
            Stopped: the test was stopped; nothing is changed.
            GptasstError: a case could not be tested, or the change could not be made.
        """
        assistant, definition, plan = change.assistant, change.definition, change.plan
        if not change.is_empty:
            self._test(assistant, definition, plan, report)
        return self._store.apply(
            assistant, definition, plan, report, keep_files=keep_files, source=source
        )

    def create(
        self,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
        *,
        source: str = "",
    ) -> KnowledgeOutcome:
        """Make a new assistant if all cases hold on it; arguments and errors as `carry_out`."""
        self._test(None, definition, plan, report)
        return self._store.create(definition, plan, report, source=source)

    def _test(
        self,
        assistant: Assistant | None,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
    ) -> None:
        name, revision = definition.name if assistant is None else assistant.name, None
        if not definition.cases:
            words = f"assistant edit {shlex.quote(name)} --cases FILE"
            hint = f"{cmd(words)} gives it some" if assistant else "write them beside its file"
            raise NotFound(f"`{name}` has no cases to test it with", hint=hint, code="no_cases")
        if assistant and not _are_same(definition, assistant.definition):
            revision = self._store.propose(assistant, definition)
        with self._store.trial(assistant, definition, plan, report) as trial:
            shown = name if revision is None else f"{name}@{revision}"
            subject = Subject(shown, trial.resolved, definition.cases)
            run = self._open_cases(trial.store).start(replace(self._job, subjects=(subject,)))
            told = self._follow(run)
            if run.stopped:
                raise Stopped
            error = error_of(run, told)
            if error is not None:
                error.done = told
                raise _held_back(error, assistant, name, plan, revision)


def _are_same(one: Definition, other: Definition) -> bool:
    """Whether two definitions differ in nothing but where their knowledge is read from."""
    return replace(one, knowledge=()) == replace(other, knowledge=())


def _held_back(
    error: GptasstError,
    assistant: Assistant | None,
    name: str,
    plan: KnowledgePlan,
    revision: int | None,
) -> GptasstError:
    """The error for a change that was held back, with how to try the new definition."""
    current = f"`{name}` is not created"
    if assistant is not None:
        current = f"`{name}` stays at revision {assistant.revision}"
    if assistant is not None and not plan.is_empty:
        current += " with its knowledge as it was"
    error.message = f"{error.message}; {current}"
    if error.code == "cases_failed":
        error.advice = "pass the same command without --tested to change it anyway"
        if revision is not None:
            new = shlex.quote(f"{name}@{revision}")
            error.advice = f"{cmd(f'run {new} FILE…')} tries revision {revision}"
    return error
