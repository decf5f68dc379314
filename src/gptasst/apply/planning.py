"""Compare definitions with the assistants of a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gptasst.apply.differences import difference
from gptasst.apply.matching import matched
from gptasst.apply.reading import ReadDirectories, nothing_named, read_directories
from gptasst.apply.types import (
    OF_ONE,
    ApplyPlan,
    CodedAssistant,
    PlannedAssistant,
    PlannedKnowledge,
)
from gptasst.definitions.toml import differing_keys
from gptasst.errors import GptasstError, InvalidDefinition, InvalidInput, UsageError
from gptasst.threads import workers

if TYPE_CHECKING:
    from gptasst.apply.sources import SourceDirectory
    from gptasst.assistants.store import AssistantStore
    from gptasst.assistants.types import Assistant, AssistantSummary
    from gptasst.definitions.library import InstructionLibrary
    from gptasst.definitions.types import Definition
    from gptasst.inputs.screening import Screening
    from gptasst.knowledge.types import KnowledgeFile, KnowledgePlan
    from gptasst.uploads.cache import FileCache

_JOBS = 8


class Planning:
    """Finds the changes that make a store match directories; see `ApplyService`."""

    def __init__(
        self,
        store: AssistantStore,
        library: InstructionLibrary,
        open_cache: Callable[[], FileCache],
        machine: Callable[[], str],
    ) -> None:
        self._store = store
        self._library = library
        self._open_cache = open_cache
        self._machine = machine

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
        read = read_directories(
            words, self._library, self._open_cache, screening, errors.append, self._machine
        )
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
        pairs = matched(read.definitions, _as_now(there, read.directories))
        found, unread = self._read_all([one for _, one in pairs if one is not None])
        errors: list[GptasstError] = []
        planned = []
        for coded, summary in pairs:
            if summary is not None and summary.id in unread:
                planned.append(_blocked(coded, summary, unread[summary.id]))
                continue
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
            tuple(planned),
            () if prune else tuple(one.name for one in gone),
            read.passed_over,
            tuple(
                one.name
                for one in there
                if one.id not in used and any(place.may_hold(one.source) for place in read.whole)
            ),
        )

    def _read_all(
        self, summaries: Sequence[AssistantSummary]
    ) -> tuple[dict[str, Assistant], dict[str, GptasstError]]:
        """The assistants with their knowledge and the files that were deleted elsewhere.

        Also returns why others can't be read.
        """
        ready = [one.id for one in summaries if one.state != "creating"]
        with workers(_JOBS) as pool:
            results = dict(zip(ready, pool.map(self._read, ready), strict=True))
        unread = {i: error for i, error in results.items() if isinstance(error, GptasstError)}
        read = [one for one in results.values() if not isinstance(one, GptasstError)]
        return {one.id: one for one in self._store.checked(read)}, unread

    def _read(self, ident: str) -> Assistant | GptasstError:
        try:
            return self._store.get(ident)
        except OF_ONE as error:
            return error

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
            place.holds(place.current(assistant.source)) for place in read.directories
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


def _as_now(
    there: Sequence[AssistantSummary], directories: Sequence[SourceDirectory]
) -> Sequence[AssistantSummary]:
    """The assistants with sources as this version writes them, so that they are found by them."""
    taken = {one.source for one in there}
    return [
        replace(one, source=now)
        if (now := next((p.current(one.source) for p in directories if p.may_hold(one.source)), ""))
        and now not in taken
        else one
        for one in there
    ]


def _blocked(
    coded: CodedAssistant, summary: AssistantSummary, problem: GptasstError
) -> PlannedAssistant:
    return PlannedAssistant(
        "blocked",
        coded.definition.name,
        id=summary.id,
        file=coded.path,
        status="failed",
        problem=problem,
        coded=coded,
        summary=summary,
    )


def _deletion(summary: AssistantSummary) -> PlannedAssistant:
    return PlannedAssistant(
        "delete",
        summary.name,
        id=summary.id,
        files=summary.files,
        unfinished=summary.state == "deleting",
        summary=summary,
    )
