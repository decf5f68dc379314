"""Assistants in an OpenAI project: one vector store each, visible to every key of the project.

The store has the assistant's name; its metadata points to the newest definition, an item of the
assistant's conversation. An edit appends a definition there, then moves the pointer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import VectorStore
from gptasst.assistants.knowledge_texts import KnowledgeTexts
from gptasst.assistants.project_commit import ChangedMeanwhile
from gptasst.assistants.project_directory import (
    AssistantDirectory,
    Pointer,
    definitions_of,
    knowledge_file,
    read_pointer,
)
from gptasst.assistants.project_knowledge import LONGEST_STALL, AppliedPlan, KnowledgeWriter
from gptasst.assistants.project_making import NameClaims, StoreMaker, delete_store
from gptasst.assistants.project_notes import (
    Announcement,
    KnowledgeNotes,
    Revisions,
    digest_of,
    ordered,
    summary_for_list,
    summary_of,
)
from gptasst.assistants.project_search import fitting, found_passages
from gptasst.assistants.project_trial import Trials
from gptasst.assistants.store import Trial, edit_conflict, name_taken, numbered
from gptasst.assistants.types import (
    Assistant,
    AssistantSummary,
    KnowledgeOutcome,
    Resolved,
    Revision,
    RunTarget,
)
from gptasst.assistants.unready_files import settle, without_lost
from gptasst.assistants.upload_removal import UploadRemover
from gptasst.definitions.types import Definition
from gptasst.errors import GptasstError, NotFound
from gptasst.knowledge.types import FoundPassage, KnowledgeFile, KnowledgePlan
from gptasst.threads import workers
from gptasst.uploads.types import KnowledgeSource, OnTransfer

if TYPE_CHECKING:
    from gptasst.knowledge.question import Question

_JOBS = 8


class OpenAIStore:
    """The `AssistantStore` of a project on a server with vector stores and conversations.

    Args:
        gateway: the server.
        directory: finds assistants there.
        writer: changes the files of vector stores.
        remover: deletes uploads that are no longer needed.
        texts: as in the writer.
        machine: returns this machine's mark.

    Raises (each method):
        GptasstError: see `errors`; `no_vector_stores` if the server has none.
    """

    def __init__(
        self,
        gateway: OpenAIGateway,
        directory: AssistantDirectory,
        writer: KnowledgeWriter,
        remover: UploadRemover,
        texts: KnowledgeTexts,
        machine: Callable[[], str],
    ) -> None:
        self._files = gateway.files
        self._stores = gateway.vector_stores
        self._conversations = gateway.conversations
        self._directory = directory
        self._names = NameClaims(gateway.vector_stores, directory, machine, gateway.pause)
        self._making = StoreMaker(gateway, directory, self._names)
        self._revisions = Revisions(gateway)
        self._writer = writer
        self._remover = remover
        self._texts = texts
        self._trials = Trials(gateway.vector_stores, writer, remover)
        self._notes = KnowledgeNotes(
            gateway, directory, remover, self._making.look_for_an_overtaker
        )

    def close(self) -> None:
        """Do nothing: whoever created the gateway and the cache closes them."""

    def list(self, *, whole_list: bool = False) -> Sequence[AssistantSummary]:
        found = [summary_for_list(s) for s in self._directory.all(whole_list=whole_list)]
        return sorted(found, key=lambda summary: (summary.name.casefold(), summary.name))

    def summary(self, name: str) -> AssistantSummary:
        return summary_of(self._directory.find(name))

    def get(self, name: str, *, revision: int | None = None) -> Assistant:
        store = self._directory.find(name)
        pointer = read_pointer(store)
        assistant = self._assistant(store, pointer, self._definition(store, pointer, revision))
        return replace(assistant, revision=revision or assistant.revision)

    def _definition(self, store: VectorStore, pointer: Pointer, revision: int | None) -> Definition:
        if revision is None:
            return self._directory.definition(store, pointer)
        return numbered(list(self._revisions.of(store)), revision, store.name).definition

    def open(self, name: str, *, briefly: bool = False, revision: int | None = None) -> Resolved:
        store = self._directory.find(name, briefly=briefly)
        pointer = read_pointer(store)
        knowledge_sha256 = pointer.knowledge_sha256 if store.files else ""
        definition = self._definition(store, pointer, revision)
        search = definition.tools.search
        paths = None
        if search.filters and knowledge_sha256:
            known = self._directory.known_paths(store.id, knowledge_sha256)
            if known is None:
                known = frozenset(file.path for file in self._knowledge(store))
            paths = fitting(search.filters, known)
        target = RunTarget(store.id, knowledge_sha256, store.id, search, paths)
        return Resolved(definition, target)

    def _assistant(
        self,
        store: VectorStore,
        pointer: Pointer,
        definition: Definition,
        knowledge: Sequence[KnowledgeFile] | None = None,
    ) -> Assistant:
        if knowledge is None:
            knowledge = self._knowledge(store)
        self._notes.saw(store.id, pointer)
        complete = pointer.creating or digest_of(knowledge) == pointer.knowledge_sha256
        gone: frozenset[str] = frozenset()
        if complete:
            self._directory.remember_knowledge(store.id, knowledge)
        else:
            known = self._directory.known_paths(store.id, pointer.knowledge_sha256)
            gone = (known or frozenset()) - {file.path for file in knowledge}
        return Assistant(
            id=store.id,
            definition=definition,
            revision=pointer.revision,
            created_at=store.created_at,
            updated_at=pointer.updated_at,
            knowledge=ordered(knowledge),
            complete=complete,
            gone=tuple(sorted(gone)),
            source=pointer.source,
        )

    def _knowledge(self, store: VectorStore) -> Sequence[KnowledgeFile]:
        if not store.files:
            return []
        return [knowledge_file(file) for file in self._stores.files(store.id)]

    # Making and changing

    def create(
        self, definition: Definition, plan: KnowledgePlan, report: OnTransfer, *, source: str = ""
    ) -> KnowledgeOutcome:
        store = self._making.unfinished(definition.name)
        if store is not None and not self._making.is_whole(store):
            self._making.unmake(store)
            store = None
        if store is None and not plan.wanted:
            return self._make_settled(definition, plan, source)
        made = store is None
        if store is None:
            store = self._making.make(definition, source=source)
            self._making.yield_to_earlier(store)
        try:
            outcome = self._fill(store, definition, plan, report, source, adopted=not made)
        except GptasstError:
            if made:
                with contextlib.suppress(GptasstError):
                    self._making.unmake_unfinished(store)
            raise
        self._directory.remember(store.id, store.name)
        return outcome

    def _make_settled(
        self, definition: Definition, plan: KnowledgePlan, source: str
    ) -> KnowledgeOutcome:
        """Create an assistant without knowledge, which is complete at once."""
        store = self._making.make(definition, creating=False, source=source)
        if self._names.is_withdrawn(store):
            self._making.unmake(store)
            raise name_taken(store.name)
        self._directory.remember(store.id, store.name)
        made_assistant = self._assistant(store, read_pointer(store), definition)
        return KnowledgeOutcome(made_assistant, plan, plan.unread)

    def _fill(
        self,
        store: VectorStore,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
        source: str,
        *,
        adopted: bool,
    ) -> KnowledgeOutcome:
        pointer = read_pointer(store)
        assistant = self._assistant(store, pointer, definition)
        if adopted:
            there = self._directory.definition(store, pointer)
            assistant = replace(assistant, definition=there)
        told = self._notes.announcement(store.id, creating=True, adopted=adopted, keep_files=False)
        plan = replace(plan, whole=True)  # remove what the other process added
        assistant = self._revised(assistant, definition, source or None)
        return self._apply(assistant, plan, report, told, creating=True)

    def update(
        self, assistant: Assistant, definition: Definition, *, source: str | None = None
    ) -> Assistant:
        store, pointer = self._revisions.unchanged(assistant)
        renamed = definition.name != assistant.name
        if renamed:
            self._names.refuse_taken(definition.name)
        with definitions_of(store):
            text, item = self._revisions.append(definition, pointer)
            revision = self._revisions.number_of(item, pointer, assistant.name)
        store, pointer = self._revisions.unchanged(assistant)
        moved, before = pointer.to(definition, text, item, revision), store
        if source is not None:
            moved = replace(moved, source=source)
        if renamed:
            moved = self._names.claimed(moved, assistant.name)
        store = self._stores.update(
            store.id, name=definition.name, metadata=moved.metadata(store.metadata)
        )
        if renamed:
            store = self._names.settle(before, store)
        store = self._stores.get(store.id)
        if read_pointer(store).item != item:
            raise edit_conflict(assistant.name)
        self._directory.keep_definition(text)
        self._directory.remember(store.id, definition.name)
        if (store.files, store.usage_bytes) != (before.files, before.usage_bytes):
            self._notes.forget(store.id)  # others are changing the knowledge at the same time
            self._notes.write(assistant, self._knowledge(store), (), touched=True)
        assistant = replace(assistant, definition=definition, source=moved.source)
        return replace(assistant, revision=revision, updated_at=moved.updated_at)

    def propose(self, assistant: Assistant, definition: Definition) -> int:
        store, pointer = self._revisions.unchanged(assistant)
        if definition.name != assistant.name:
            self._names.refuse_taken(definition.name)
        with definitions_of(store):
            _, item = self._revisions.append(definition, pointer, proposed=True)
            return self._revisions.number_of(item, pointer, assistant.name)

    @contextlib.contextmanager
    def trial(
        self,
        assistant: Assistant | None,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
    ) -> Iterator[Trial]:
        self._directory.learn_contents(plan.wanted, self._making.listed)
        with self._trials.resolved(assistant, definition, plan, report) as resolved:
            yield Trial(resolved, self)

    def _revised(
        self, assistant: Assistant, definition: Definition, source: str | None
    ) -> Assistant:
        if definition != assistant.definition:
            return self.update(assistant, definition, source=source)
        if source is None or source == assistant.source:
            return assistant
        store, _ = self._revisions.unchanged(assistant)
        return self._notes.name_source(store, assistant, source)

    def finish_rename(self, name: str | None, new: str) -> Assistant | None:
        store = self._names.finish_rename(name, new)
        if store is None:
            return None
        self._directory.remember(store.id, new)
        return self.get(store.id)

    def history(self, assistant: AssistantSummary | Assistant) -> Iterator[Revision]:
        return self._revisions.of(self._stores.get(assistant.id))

    def delete(self, assistant: AssistantSummary, *, keep_files: bool) -> Sequence[str]:
        store = self._stores.get(assistant.id)
        left = delete_store(
            self._stores, self._conversations, self._notes, self._remover,
            store, assistant.name, keep_files=keep_files,
        )  # fmt: skip
        self._directory.forget(store.id)
        return left

    # Knowledge

    def content(self, file: KnowledgeFile) -> bytes:
        if file.sent_sha256:
            raise NotFound(
                f"the server has only the text of `{file.path}`, and no file of this disk has the"
                " content that it was made from",
                code="gone",
            )
        return self._files.content(file.id)

    def problem(self, source: KnowledgeSource) -> str | None:
        return self._texts.problem(source)

    def apply(
        self,
        assistant: Assistant,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
        *,
        keep_files: bool = False,
        source: str | None = None,
    ) -> KnowledgeOutcome:
        told = self._notes.announcement(
            assistant.id, creating=False, adopted=False, keep_files=keep_files
        )
        assistant = self._revised(assistant, definition, source)
        return self._apply(assistant, plan, report, told, keep_files=keep_files)

    def _apply(
        self,
        assistant: Assistant,
        plan: KnowledgePlan,
        report: OnTransfer,
        told: Announcement,
        *,
        keep_files: bool = False,
        creating: bool = False,
    ) -> KnowledgeOutcome:
        self._directory.learn_contents(plan.wanted, self._making.listed)
        if plan.is_empty and not (creating and assistant.knowledge):
            applied = AppliedPlan(assistant.knowledge)
        else:
            try:
                applied = self._writer.apply(assistant.id, plan, report, told)
            except ChangedMeanwhile as error:
                self._remover.remove(sorted(error.fresh if keep_files else error.unused))
                raise edit_conflict(assistant.name) from None
        self._remover.keep(assistant.id, applied.detached)
        if creating:
            self._making.settle(assistant, told)
        touched = creating or not plan.is_empty
        changed = self._notes.write(assistant, applied.knowledge, applied.detached, touched=touched)
        if creating and changed.knowledge != ordered(applied.knowledge):
            raise edit_conflict(assistant.name)  # others finished it, or its files are gone
        left = () if keep_files else self._remove_left(assistant.id, applied.detached)
        slow = settle(self._stores, assistant.id, plan.unchanged, timedelta(seconds=LONGEST_STALL))
        failed = (*plan.unread, *applied.failed, *slow)
        return KnowledgeOutcome(changed, plan, failed, tuple(left), tuple(applied.notes))

    def checked(self, assistants: Sequence[Assistant]) -> Sequence[Assistant]:
        return without_lost(self._files, assistants)

    def finish_removal(self, assistant: Assistant) -> None:
        self._remove_left(assistant.id)

    def _remove_left(self, store_id: str, detached: Collection[str] = ()) -> Sequence[str]:
        """Delete uploads that left the knowledge now, or in an earlier command that was killed."""
        leaving = {*detached, *self._remover.begun(store_id)}
        left = self._remover.remove(sorted(leaving))
        self._remover.end(leaving)
        return left

    def search(self, target: RunTarget, question: Question, limit: int) -> Sequence[FoundPassage]:
        """The results of the server's search; a run searches within the run."""
        return found_passages(self._stores, target, question, limit)

    def knowledge_of_all(
        self, *, whole_list: bool
    ) -> Iterator[tuple[AssistantSummary, Sequence[KnowledgeFile]]]:
        """Every assistant with its files, to rebuild a cache; `whole_list` is as in `list`."""
        stores = self._directory.all(whole_list=whole_list)
        filled = [store.id for store in stores if store.files]
        with workers(_JOBS) as pool:
            listed = dict(zip(filled, pool.map(self._stores.files_if_there, filled), strict=True))
        for store in stores:
            knowledge = [knowledge_file(file) for file in listed.get(store.id, ())]
            # Together with the names of the files, this shows which contents are on the server.
            self._directory.remember_knowledge(store.id, knowledge, contents=False)
            yield summary_for_list(store), knowledge
