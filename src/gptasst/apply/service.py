"""Make a store match directories of definitions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gptasst.apply.differences import difference, differing_keys
from gptasst.apply.matching import matched
from gptasst.apply.reading import (
    ReadDirectories,
    nothing_named,
    read_directories,
)
from gptasst.apply.types import ApplyPlan, CodedAssistant, PlannedAssistant, PlannedKnowledge
from gptasst.assistants.store import edit_conflict
from gptasst.assistants.types import AssistantChange
from gptasst.errors import (
    GptasstError,
    InvalidDefinition,
    InvalidInput,
    NotFound,
    PartlyDone,
    StateError,
    UsageError,
)
from gptasst.threads import workers

if TYPE_CHECKING:
    from pathlib import Path

    from gptasst.apply.exporting import ExportedDirectory
    from gptasst.assistants.store import AssistantStore
    from gptasst.assistants.types import Assistant, AssistantSummary, KnowledgeOutcome
    from gptasst.cases.trial import TestedChanges
    from gptasst.definitions.library import InstructionLibrary
    from gptasst.definitions.types import Definition
    from gptasst.inputs.screening import Screening
    from gptasst.knowledge.types import KnowledgeFile, KnowledgePlan
    from gptasst.uploads.cache import FileCache
    from gptasst.uploads.types import OnTransfer, TransferState

_JOBS = 8

# What one assistant has to itself: the others go on.
_OF_ONE = (UsageError, InvalidInput, InvalidDefinition, NotFound, StateError, PartlyDone)

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
    """

    def __init__(
        self,
        store: AssistantStore,
        library: InstructionLibrary,
        open_cache: Callable[[], FileCache],
    ) -> None:
        self._store = store
        self._library = library
        self._open_cache = open_cache

    # Planning

    def plan(
        self,
        words: Sequence[str],
        screening: Screening,
        *,
        prune: bool = False,
        told: Callable[[GptasstError], None] | None = None,
    ) -> ApplyPlan:
        """The changes that make the store match the definitions. Changes nothing.

        Args:
            words: directories of definitions, and files.
            screening: the check for secrets.
            prune: delete assistants of these directories whose file is gone.
            told: called for each unusable definition, if there are several.

        Raises:
            InvalidDefinition: a definition can't be used.
            InvalidInput: a word matches nothing, or there is no definition.
            UsageError: two assistants have the name of a definition.
        """
        errors: list[GptasstError] = []
        read = read_directories(words, self._library, self._open_cache, screening, errors.append)
        _raise_all(errors, told)
        if prune and not read.whole:
            raise UsageError("`--prune` needs a directory", hint="name the directory of the files")
        if not read.definitions and not prune:
            raise nothing_named(words, read.passed_over)
        return self._compared(read, screening, prune=prune, told=told)

    def _compared(
        self,
        read: ReadDirectories,
        screening: Screening,
        *,
        prune: bool,
        told: Callable[[GptasstError], None] | None,
    ) -> ApplyPlan:
        there = self._store.list()
        pairs = matched(read.definitions, there)
        found = self._read_all([one for _, one in pairs if one is not None])
        errors: list[GptasstError] = []
        planned = []
        for coded, summary in pairs:
            assistant = found.get(summary.id) if summary is not None else None
            try:
                planned.append(self._planned(coded, summary, assistant, read, screening))
            except GptasstError as error:
                errors.append(_of_file(coded, error))
        _raise_all(errors, told)
        used = {one.id for _, one in pairs if one is not None}
        gone = [
            one
            for one in there
            if one.id not in used and any(place.holds(one.source) for place in read.whole)
        ]
        if prune:
            planned += map(_deletion, gone)
        return ApplyPlan(
            tuple(planned), () if prune else tuple(o.name for o in gone), read.passed_over
        )

    def _read_all(self, summaries: Sequence[AssistantSummary]) -> dict[str, Assistant]:
        """The assistants with their knowledge, and the files that were deleted elsewhere."""
        ready = [one for one in summaries if one.state != "creating"]
        with workers(_JOBS) as pool:
            assistants = list(pool.map(lambda one: self._store.get(one.id), ready))
        return {one.id: one for one in self._store.checked(assistants)}

    def _planned(
        self,
        coded: CodedAssistant,
        summary: AssistantSummary | None,
        assistant: Assistant | None,
        read: ReadDirectories,
        screening: Screening,
    ) -> PlannedAssistant:
        plan = self._knowledge_plan(coded, assistant.knowledge if assistant else (), screening)
        definition = _as_kept(coded, assistant)
        common: dict[str, Any] = {
            "file": coded.path,
            "knowledge": None if plan is None else _shown(plan),
            "outside": _sent_from_outside(coded, plan),
            "notes": coded.notes,
            "coded": coded,
            "definition": definition,
            "plan": plan,
        }
        if assistant is None or summary is None:
            return PlannedAssistant(
                "create",
                coded.definition.name,
                id=summary.id if summary else None,
                tools=_reaching(definition),
                unfinished=summary is not None,
                **common,
            )
        keys = differing_keys(assistant.definition, definition)
        unfinished = summary.state == "renaming" or (plan is not None and not assistant.complete)
        moved = assistant.source != coded.source and any(
            place.holds(assistant.source) for place in read.directories
        )
        is_same = not (keys or moved or unfinished or (plan is not None and not plan.is_empty))
        old_name = assistant.name if assistant.name != definition.name else None
        tools = _reaching(assistant.definition)
        foreign = assistant.source != coded.source and not moved
        return PlannedAssistant(
            "unchanged" if is_same else "rename" if old_name else "change",
            definition.name,
            id=assistant.id,
            old_name=old_name,
            keys=(*keys, *(("source",) if moved else ())),
            diff=difference(assistant, definition, coded.path),
            taken_from=assistant.source if foreign and not is_same else None,
            tools=tuple(tool for tool in _reaching(definition) if tool not in tools),
            unfinished=unfinished,
            assistant=assistant,
            summary=summary,
            **common,
        )

    def _knowledge_plan(
        self, coded: CodedAssistant, there: Sequence[KnowledgeFile], screening: Screening
    ) -> KnowledgePlan | None:
        from gptasst.assistants.knowledge_files import plan_taken

        if coded.knowledge is None:
            return None
        return plan_taken(there, coded.knowledge, screening, self._store.problem, whole=True)

    # Carrying out

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
        results = [replace(one, status="not_done") for one in plan.assistants]
        for number, one in enumerate(plan.assistants):
            outcome = None
            try:
                outcome = self._carried_out(one, report, tested, keep_files=keep_files)
            except _OF_ONE as error:
                results[number] = replace(one, status="failed", problem=error)
            except GptasstError as error:
                results[number] = replace(one, status="failed", problem=error)
                error.done = replace(plan, assistants=tuple(results))
                raise
            else:
                results[number] = _finished(one, outcome)
            on_done(results[number], outcome)
        done = replace(plan, assistants=tuple(results))
        failed = [one for one in results if one.status == "failed"]
        if failed:
            raise _partly(failed, done)
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


def _raise_all(errors: Sequence[GptasstError], told: Callable[[GptasstError], None] | None) -> None:
    """Raise the last error of definitions, after `told` was called with the others.

    Without it, the error that is raised has the messages of all.
    """
    if not errors:
        return
    *others, last = errors
    if told is None:
        last.message = "; ".join(error.message for error in errors)
    else:
        for error in others:
            told(error)
    raise last


def _of_file(coded: CodedAssistant, error: GptasstError) -> GptasstError:
    """The error with the file that it concerns."""
    if not isinstance(error, InvalidInput):
        return error
    return InvalidDefinition(
        f"key `knowledge`: {error.message}",
        file=coded.path,
        line=coded.knowledge_line,
        hint=error.advice,
        code=error.code,
    )


def _as_kept(coded: CodedAssistant, assistant: Assistant | None) -> Definition:
    """The definition in the store's form, with the store's knowledge words."""
    if coded.knowledge is not None:
        return replace(coded.definition, knowledge=coded.knowledge.collections)
    kept = assistant.definition.knowledge if assistant else ()
    return replace(coded.definition, knowledge=kept)


def _reaching(definition: Definition) -> tuple[str, ...]:
    """Hosted tools that reach further than the knowledge; MCP servers with what they get."""
    shown = list(definition.tools.hosted)
    for server in definition.tools.mcp:
        key = f" with the key in {server.key_env}" if server.key_env else ""
        shown[shown.index(f"mcp:{server.label}")] = f"mcp:{server.label} at {server.url}{key}"
    return tuple(shown)


def _shown(plan: KnowledgePlan) -> PlannedKnowledge:
    return PlannedKnowledge(
        add=tuple(source.path for source in plan.add),
        replace=tuple(one.source.path for one in plan.replace),
        remove=tuple(file.path for file in plan.remove),
        unchanged=len(plan.unchanged),
        refused=plan.refused,
    )


def _sent_from_outside(coded: CodedAssistant, plan: KnowledgePlan | None) -> tuple[str, ...]:
    sent = {source.file.as_posix() for source in plan.wanted} if plan else set[str]()
    return tuple(path for path in coded.outside if path in sent)


def _deletion(summary: AssistantSummary) -> PlannedAssistant:
    return PlannedAssistant(
        "delete",
        summary.name,
        id=summary.id,
        files=summary.files,
        unfinished=summary.state == "deleting",
        summary=summary,
    )


def _finished(one: PlannedAssistant, outcome: KnowledgeOutcome | None) -> PlannedAssistant:
    """The result of an assistant; files that the server refused make it a failure."""
    if outcome is None or not outcome.failed:
        ident = outcome.assistant.id if outcome else one.id
        return replace(one, status="done", id=ident)
    named = "; ".join(f"`{failure.path}`: {failure.reason}" for failure in outcome.failed)
    problem = PartlyDone(f"files could not be taken: {named}")
    return replace(one, status="failed", id=outcome.assistant.id, problem=problem)


_OF_CASES = ("cases_failed", "no_cases")


def _partly(failed: Sequence[PlannedAssistant], done: ApplyPlan) -> PartlyDone:
    named = "; ".join(f"`{o.name}`: {o.problem.message if o.problem else ''}" for o in failed)
    hint = "the rest is done; the same command does what is missing"
    problems = [one.problem for one in failed if one.problem]
    if problems and all(problem.code in _OF_CASES for problem in problems):
        hint = problems[0].advice or hint  # the same command would test the same again
    of_all = "1 assistant" if len(done.assistants) == 1 else f"{len(done.assistants)} assistants"
    error = PartlyDone(f"{len(failed)} of {of_all} failed: {named}", hint=hint)
    error.done = done
    return error
