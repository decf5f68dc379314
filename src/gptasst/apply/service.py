"""Make a store match directories of definitions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gptasst.apply.planning import Planning
from gptasst.apply.types import OF_ONE, STORED, ApplyPlan, PlannedAssistant
from gptasst.assistants.store import edit_conflict
from gptasst.assistants.types import AssistantChange
from gptasst.errors import (
    GptasstError,
    NotFound,
    PartlyDone,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gptasst.apply.exporting import ExportedDirectory
    from gptasst.assistants.store import AssistantStore
    from gptasst.assistants.types import AssistantSummary, KnowledgeOutcome
    from gptasst.cases.trial import TestedChanges
    from gptasst.definitions.library import InstructionLibrary
    from gptasst.inputs.screening import Screening
    from gptasst.uploads.cache import FileCache
    from gptasst.uploads.types import OnTransfer, TransferState

# Called for each finished or failed assistant, with the result of its knowledge.
OnDone = Callable[[PlannedAssistant, "KnowledgeOutcome | None"], None]


def _silent(_state: TransferState) -> None:
    """For callers without progress display."""


class ApplyService:
    """Plans and applies changes of the assistants of one store.

    Args:
        store: the store.
        library: finds the instructions that definitions extend.
        open_cache: opens the cache of file hashes.
        machine: returns the mark of this machine.
    """

    def __init__(
        self,
        store: AssistantStore,
        library: InstructionLibrary,
        open_cache: Callable[[], FileCache],
        machine: Callable[[], str],
    ) -> None:
        self._store = store
        self._open_cache = open_cache
        self._planning = Planning(store, library, open_cache, machine)

    def plan(
        self,
        words: Sequence[str],
        screening: Screening,
        *,
        prune: bool = False,
        told: Callable[[GptasstError], None] | None = None,
    ) -> ApplyPlan:
        """The changes that make the store match the definitions; see `Planning.plan`."""
        return self._planning.plan(words, screening, prune=prune, told=told)

    def apply(
        self,
        plan: ApplyPlan,
        on_done: OnDone = lambda _planned, _outcome: None,
        report: OnTransfer = _silent,
        *,
        keep_files: bool = False,
        tested: TestedChanges | None = None,
    ) -> ApplyPlan:
        """Carry out a plan; return the result of each assistant.

        Concurrent changes are not overwritten: that assistant fails, and the others continue.

        Args:
            plan: a current plan.
            on_done: called for each finished or failed assistant.
            report: called with the progress of a transfer.
            keep_files: keep unused uploads on the server.
            tested: makes the changes, each only if the cases of the assistant hold.

        Raises:
            PartlyDone: some failed; `done` is the plan with the results.
            GptasstError: the server failed or refused to continue; `done` is as above.
        """
        results = [
            one if one.action == "blocked" else replace(one, status="not_done")
            for one in plan.assistants
        ]
        for number, one in enumerate(plan.assistants):
            outcome = None
            if one.action == "blocked":
                on_done(one, None)
                continue
            try:
                outcome = self._carried_out(one, report, tested, keep_files=keep_files)
            except OF_ONE as error:
                results[number] = replace(one, status="failed", problem=error)
            except GptasstError as error:
                results[number] = replace(one, status="failed", problem=error)
                if error.code not in STORED:
                    error.done = replace(plan, assistants=tuple(results))
                    raise
            else:
                results[number] = _finished(one, outcome)
            on_done(results[number], outcome)
        done = replace(plan, assistants=tuple(results))
        if any(one.status == "failed" for one in results):
            raise partly(done)
        return done

    def _carried_out(
        self,
        one: PlannedAssistant,
        report: OnTransfer,
        tested: TestedChanges | None,
        *,
        keep_files: bool,
    ) -> KnowledgeOutcome | None:
        from gptasst.knowledge.types import KnowledgePlan

        if one.action == "delete":
            assert one.summary is not None
            with contextlib.suppress(NotFound):  # somebody else deleted it
                self._store.delete(one.summary, keep_files=keep_files)
            return None
        assert one.coded is not None
        assert one.definition is not None
        plan = KnowledgePlan() if one.plan is None else one.plan
        if one.assistant is None and tested:
            return tested.create(one.definition, plan, report, source=one.coded.source)
        if one.assistant is None:
            return self._store.create(one.definition, plan, report, source=one.coded.source)
        if one.action == "unchanged" and one.plan is None:
            return None
        if one.summary is not None and one.summary.state == "renaming":
            self._finish_rename(one.summary)
        source = None if one.action == "unchanged" else one.coded.source
        if tested:
            change = AssistantChange(one.assistant, one.definition, plan)
            return tested.carry_out(change, report, keep_files=keep_files, source=source)
        return self._store.apply(
            one.assistant, one.definition, plan, report, keep_files=keep_files, source=source
        )

    def _finish_rename(self, summary: AssistantSummary) -> None:
        """Finish a rename that was interrupted.

        Raises:
            UsageError: somebody else is using the name at the moment.
        """
        if self._store.finish_rename(None, summary.name) is None:
            raise edit_conflict(summary.name)

    def export_all(self, directory: Path, knowledge: Path | None) -> ExportedDirectory:
        """Export every assistant to a new directory; see `exporting`."""
        from gptasst.apply.exporting import export_all

        return export_all(self._store, self._open_cache, directory, knowledge)


def _finished(one: PlannedAssistant, outcome: KnowledgeOutcome | None) -> PlannedAssistant:
    """The result of an assistant; files that the server refused make it a failure."""
    if outcome is None or not outcome.failed:
        ident = outcome.assistant.id if outcome else one.id
        return replace(one, status="done", id=ident)
    named = [f"`{failure.path}`: {failure.reason}" for failure in outcome.failed]
    problem = PartlyDone(f"files could not be taken: {_bounded(named, '; ')}")
    return replace(one, status="failed", id=outcome.assistant.id, problem=problem)


_MOST_NAMED = 20  # failures in one message
_MOST_HINTS = 3
_LONGEST = 300  # characters of one failure in a message


def _bounded(named: Sequence[str], separator: str) -> str:
    more = [f"and {len(named) - _MOST_NAMED:,} more"] if len(named) > _MOST_NAMED else []
    return separator.join([*named[:_MOST_NAMED], *more])


_OF_CASES = ("cases_failed", "no_cases")


def partly(done: ApplyPlan) -> PartlyDone:
    """The error for a plan of which some assistants failed, one line for each."""
    failed = [one for one in done.assistants if one.status == "failed"]
    lines = [f"`{one.name}`: {_cut(one.problem.message)}" for one in failed if one.problem]
    of_all = "1 assistant" if len(done.assistants) == 1 else f"{len(done.assistants)} assistants"
    text = f" {lines[0]}" if len(lines) == 1 else "\n" + _bounded(lines, "\n")
    message = f"{len(failed)} of {of_all} failed:{text}"
    error = PartlyDone(message, hint=_hint([o.problem for o in failed if o.problem], done))
    error.done = done
    return error


def _hint(problems: Sequence[GptasstError], done: ApplyPlan) -> str | None:
    if all(problem.code in _OF_CASES for problem in problems) and problems[0].advice:
        return problems[0].advice  # the same command would test the same again
    blocked = [one.problem for one in done.blocked if one.problem]
    advices = list(dict.fromkeys(problem.advice for problem in blocked if problem.advice))
    if any(one.status == "planned" for one in done.assistants):
        return "; ".join(advices[:_MOST_HINTS]) or None
    again = "the rest is done; the same command does what is missing"
    return "; ".join([*advices[:_MOST_HINTS], again])


def _cut(message: str) -> str:
    message = " ".join(message.split("\n"))
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
