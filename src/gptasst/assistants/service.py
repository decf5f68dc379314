"""Assistants: making, changing, listing, exporting and deleting them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.assistants.store import compared, numbered, revision_named
from gptasst.assistants.types import (
    AssistantChange,
    AssistantImport,
    KnowledgeChange,
    KnowledgeOutcome,
)
from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.service import with_changes
from gptasst.definitions.toml import dump_definition
from gptasst.definitions.types import Definition, DefinitionChanges
from gptasst.errors import NotFound, UsageError

if TYPE_CHECKING:
    from gptasst.assistants.knowledge_files import NamedSources
    from gptasst.assistants.store import AssistantStore
    from gptasst.assistants.types import Assistant, AssistantSummary, Revision
    from gptasst.inputs.reading import Refusal
    from gptasst.inputs.screening import Screening
    from gptasst.knowledge.types import FoundPassage, KnowledgeFile, KnowledgePlan
    from gptasst.uploads.cache import FileCache
    from gptasst.uploads.types import OnTransfer, TransferState


def _silent(_state: TransferState) -> None:
    """For callers without progress display."""


class AssistantService:
    """What can be done with the assistants of one store.

    `name` is an assistant's name or id, `words` are file names, patterns or directories, and
    `report` is called with the progress of a transfer. Files that `screening` finds secret don't
    become knowledge. Every method may raise the errors of `AssistantStore`.
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

    def create(
        self,
        changes: DefinitionChanges,
        words: Sequence[str],
        screening: Screening,
        report: OnTransfer = _silent,
        *,
        encoding: str | None = None,
    ) -> KnowledgeOutcome:
        """Create an assistant from an instruction, or with instructions of its own.

        Args:
            changes: requires `name`, and `instruction` or `instructions`.
            words: its knowledge.
            screening: see the class.
            report: see the class.
            encoding: the encoding of text files, if it was given.

        Raises:
            NotFound: there is no such instruction.
            UsageError: the name is taken or can't be used.
            InvalidInput: a knowledge file can't be used.
        """
        assert changes.name is not None
        if changes.instruction is not None:
            template = self._template(changes.instruction, screening)
            changes = replace(changes, instruction=template.name)
        else:
            template = Definition(changes.name or "", changes.instructions or "")
        definition = with_changes(template, changes)
        named = self._read(words, screening, encoding)
        plan = self._plan((), named, screening, whole=True)
        definition = replace(definition, knowledge=named.collections)
        return self._store.create(definition, plan, report)

    def list(self, *, all_stores: bool = False) -> Sequence[AssistantSummary]:
        """Every assistant, sorted by name; `all_stores` reads the server's whole list."""
        return self._store.list(whole_list=all_stores)

    def get(self, name: str) -> Assistant:
        """One assistant; `NAME@REVISION` has the definition of that revision."""
        try:
            return self._store.get(name)
        except NotFound as missing:
            return self._named_revision(name, missing)

    def current(self, name: str) -> Assistant:
        """One assistant as it is in force, to be changed."""
        return self._store.get(name)

    def examine(self, name: str) -> Assistant:
        """Like `get`, but also marks knowledge whose upload is gone; takes more requests."""
        (assistant,) = self._store.checked([self.get(name)])
        return assistant

    def checked(self, assistants: Sequence[Assistant]) -> Sequence[Assistant]:
        """Assistants as returned by `examine`."""
        return self._store.checked(assistants)

    def search(self, name: str, question: str, limit: int = 10) -> Sequence[FoundPassage]:
        """The passages of an assistant's knowledge that match a question, best first.

        Raises:
            UsageError: the question is empty.
        """
        from gptasst.knowledge.question import Question

        if not question.strip():
            raise UsageError("the question is empty")
        target = self._store.open(name).assistant
        assert target is not None
        return self._store.search(target, Question(question), limit)

    def edit(
        self,
        name: str,
        changes: DefinitionChanges,
        words: Sequence[str] | None,
        screening: Screening,
        report: OnTransfer = _silent,
        *,
        keep_files: bool = False,
        encoding: str | None = None,
    ) -> KnowledgeOutcome:
        """Change an assistant; see `plan_edit`."""
        change = self.plan_edit(name, changes, words, screening, encoding=encoding)
        return self.carry_out(change, report, keep_files=keep_files)

    def plan_edit(
        self,
        name: str,
        changes: DefinitionChanges,
        words: Sequence[str] | None,
        screening: Screening,
        *,
        encoding: str | None = None,
    ) -> AssistantChange:
        """Plan to change an assistant. `words` replace its whole knowledge, `None` leaves it.

        A new instruction replaces everything that came from the old one; the model and the cases
        stay if the new instruction has none. Of `NAME@REVISION`, that revision is changed.
        """
        from gptasst.knowledge.types import KnowledgePlan

        assistant, definition = self._to_edit(name, changes.name)
        if changes.instruction is not None:
            template = self._template(changes.instruction, screening)
            definition = replace(
                template,
                name=definition.name,
                model=template.model or definition.model,
                knowledge=definition.knowledge,
                cases=template.cases or definition.cases,
            )
            changes = replace(changes, instruction=template.name)
        definition = with_changes(definition, changes)
        if words is None:
            return AssistantChange(assistant, definition, KnowledgePlan())
        named = self._read(words, screening, encoding)
        plan = self._plan(assistant.knowledge, named, screening, whole=True)
        return AssistantChange(assistant, replace(definition, knowledge=named.collections), plan)

    def carry_out(
        self, change: AssistantChange, report: OnTransfer = _silent, *, keep_files: bool = False
    ) -> KnowledgeOutcome:
        """Make a planned change; delete unused uploads, unless kept."""
        return self._store.apply(
            change.assistant, change.definition, change.plan, report, keep_files=keep_files
        )

    def _template(self, instruction: str, screening: Screening) -> Definition:
        """An instruction's definition with its cases, as an assistant takes it over."""
        from gptasst.definitions.case_files import with_cases

        return with_cases(self._library.find(instruction), screening)

    def _to_edit(self, name: str, new: str | None) -> tuple[Assistant, Definition]:
        """The assistant to edit, which may have its new name already, and what is changed of it."""
        try:
            assistant = self._store.get(name)
        except NotFound as missing:
            renamed = self._store.finish_rename(name, new) if new else None
            if renamed is not None:
                return renamed, renamed.definition
            base = self._named_revision(name, missing)
            assistant = self._store.get(base.id)
            return assistant, _as_newest(base.definition, assistant)
        return assistant, assistant.definition

    def _named_revision(self, name: str, missing: NotFound) -> Assistant:
        """The assistant with the definition that `NAME@REVISION` means; else raise `missing`."""
        named = revision_named(name)
        if named is None:
            raise missing
        return self._store.get(named[0], revision=named[1])

    def summary(self, name: str) -> AssistantSummary:
        return self._store.summary(name)

    def delete(self, assistant: AssistantSummary, *, keep_files: bool = False) -> Sequence[str]:
        """Delete an assistant and, unless kept, its uploads that nothing else uses.

        Returns the ids of unused files that stay because they may be somebody else's.
        """
        return self._store.delete(assistant, keep_files=keep_files)

    # Knowledge

    def plan_add(
        self,
        assistant: Assistant,
        words: Sequence[str],
        screening: Screening,
        *,
        encoding: str | None = None,
    ) -> KnowledgeChange:
        """Plan to add knowledge; an existing path is replaced if its content changed.

        With an `encoding`, text files are read again in it, even if unchanged.
        """
        named = self._read(words, screening, encoding)
        plan = self._plan(assistant.knowledge, named, screening, whole=False)
        collections = dict.fromkeys((*assistant.definition.knowledge, *named.collections))
        return KnowledgeChange(assistant, plan, tuple(collections))

    def plan_remove(self, assistant: Assistant, words: Sequence[str]) -> KnowledgeChange:
        """Plan to remove knowledge by path, id, pattern or directory."""
        from gptasst.assistants.knowledge_files import collection_word, named_files
        from gptasst.knowledge.types import KnowledgePlan

        try:
            gone = named_files(assistant, words)
        except NotFound:  # an interrupted command may have removed it already
            self._store.finish_removal(assistant)
            raise
        kept = tuple(file for file in assistant.knowledge if file not in gone)
        named = {collection_word(word) for word in words}
        collections = tuple(w for w in assistant.definition.knowledge if w not in named)
        plan = KnowledgePlan(remove=tuple(gone), unchanged=kept)
        return KnowledgeChange(assistant, plan, collections)

    def plan_set(
        self,
        assistant: Assistant,
        words: Sequence[str],
        screening: Screening,
        *,
        encoding: str | None = None,
    ) -> KnowledgeChange:
        """Plan to replace the whole knowledge; without `words`, empty it. See also `plan_add`."""
        named = self._read(words, screening, encoding)
        plan = self._plan(assistant.knowledge, named, screening, whole=True)
        return KnowledgeChange(assistant, plan, named.collections)

    def plan_sync(
        self, assistant: Assistant, screening: Screening, *, encoding: str | None = None
    ) -> KnowledgeChange:
        """Plan to update the knowledge from its paths, directories and patterns.

        A file that looks secret stays as it is; new content of it is only added if allowed.
        `encoding` is that of new text.

        Raises:
            InvalidInput: none of the files is here, so it is probably the wrong directory.
        """
        from gptasst.assistants.knowledge_files import followed_sources, sent_from_outside

        (assistant,) = self._store.checked([assistant])
        collections = assistant.definition.knowledge
        named = followed_sources(assistant, self._open_cache(), screening, encoding)
        plan = self._plan(assistant.knowledge, named, screening, whole=True)
        plan = replace(plan, follows=True)
        return KnowledgeChange(assistant, plan, collections, sent_from_outside(plan))

    def apply(
        self, change: KnowledgeChange, report: OnTransfer = _silent, *, keep_files: bool = False
    ) -> KnowledgeOutcome:
        """Carry out a planned change; delete unused uploads, unless kept."""
        return self.carry_out(change.change, report, keep_files=keep_files)

    def _read(
        self, words: Sequence[str], screening: Screening, encoding: str | None = None
    ) -> NamedSources:
        from gptasst.assistants.knowledge_files import in_encoding, read_sources

        read = read_sources(words, self._open_cache(), screening)
        return replace(read, sources=tuple(in_encoding(read.sources, encoding)))

    def _plan(
        self,
        there: Sequence[KnowledgeFile],
        read: NamedSources,
        screening: Screening,
        *,
        whole: bool,
    ) -> KnowledgePlan:
        from gptasst.assistants.knowledge_files import plan_taken

        return plan_taken(there, read, screening, self._store.problem, whole=whole)

    def history(self, name: str) -> Iterator[Revision]:
        """Every revision of an assistant, oldest first, as they arrive."""
        return compared(self._store.history(self._store.summary(name)))

    def revision(self, assistant: Assistant, number: int) -> Revision:
        """One revision of an assistant.

        Raises:
            NotFound: it has no revision of that number.
        """
        return numbered(list(self._store.history(assistant)), number, assistant.name)

    def rollback(self, assistant: Assistant, revision: Revision) -> Assistant:
        """Make an earlier definition the newest revision; see `plan_rollback`."""
        change = self.plan_rollback(assistant, revision)
        if change.is_empty:
            return assistant
        return self._store.update(assistant, change.definition)

    def plan_rollback(self, assistant: Assistant, revision: Revision) -> AssistantChange:
        """Plan to make an earlier definition the newest. Name and knowledge stay.

        So do the cases if that revision had none.
        """
        from gptasst.knowledge.types import KnowledgePlan

        definition = _as_newest(revision.definition, assistant)
        definition = replace(definition, cases=definition.cases or assistant.definition.cases)
        return AssistantChange(assistant, definition, KnowledgePlan())

    def export(self, name: str) -> str:
        """An assistant's definition as TOML, without its knowledge."""
        return dump_definition(self.get(name).definition)

    def export_files(self, name: str, directory: Path) -> Sequence[Refusal]:
        """Write an assistant's knowledge below a new directory; see `write_knowledge`.

        Returns the files that could not be written, each with the reason.
        """
        from gptasst.assistants.exported_files import write_knowledge

        knowledge = self.get(name).knowledge
        return write_knowledge(knowledge, directory, self._open_cache(), self._store.content)

    def import_file(
        self,
        path: Path,
        name: str | None,
        files: Path | None,
        screening: Screening,
    ) -> AssistantImport:
        """Create an assistant from a definition, or from a saved object of the Assistants API.

        Args:
            path: see `read_import`.
            name: see `read_import`.
            files: a directory with its knowledge, as written by `export_files`.
            screening: see the class; it also checks the file itself.
        """
        from gptasst.assistants.imports import read_import
        from gptasst.assistants.knowledge_files import NamedSources
        from gptasst.definitions.formats.types import LeftBehind
        from gptasst.knowledge.types import KnowledgePlan

        read = read_import(path, name, screening, self._library)
        plan = KnowledgePlan()
        if files is not None:
            from gptasst.assistants.exported_files import read_knowledge

            sources = read_knowledge(files, self._open_cache())
            named = NamedSources(sources, frozenset(), ())
            plan = self._plan((), named, screening, whole=True)
        made = self._store.create(read.definition, plan, _silent)
        failed = [LeftBehind("file", f.path, f.reason) for f in (*plan.refused, *made.failed)]
        notes = (*read.notes, *made.notes)
        return AssistantImport(made.assistant, notes, (*read.left_behind, *failed))


def _as_newest(definition: Definition, assistant: Assistant) -> Definition:
    """A definition of an assistant with the name and the directories that it has now."""
    return replace(definition, name=assistant.name, knowledge=assistant.definition.knowledge)
