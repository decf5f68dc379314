"""Assistants in an OpenAI project: a vector store each, seen by every key of the project.

The store's name is the assistant's; its metadata points to the newest definition, which is an
item of the assistant's conversation. An edit appends a definition there, then moves the pointer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import VectorStore
from gptasst.assistants.project_directory import (
    MARKER,
    AssistantDirectory,
    Pointer,
    definitions_of,
    item_text,
    item_time,
    knowledge_file,
    now,
    read_pointer,
    without_time,
)
from gptasst.assistants.project_knowledge import (
    LONGEST_STALL,
    AppliedPlan,
    KnowledgeWriter,
)
from gptasst.assistants.slow_files import settle
from gptasst.assistants.store import deleted_meanwhile, edit_conflict, name_taken
from gptasst.assistants.types import (
    Assistant,
    AssistantSummary,
    KnowledgeOutcome,
    Revision,
    RunTarget,
)
from gptasst.definitions.toml import parse_definition
from gptasst.definitions.types import Definition
from gptasst.errors import GptasstError, NotFound
from gptasst.knowledge.question import Question
from gptasst.knowledge.types import (
    FoundPassage,
    KnowledgeFile,
    KnowledgePlan,
    knowledge_sha256,
)
from gptasst.threads import workers
from gptasst.uploads.searchable import search_problem
from gptasst.uploads.types import KnowledgeSource, OnTransfer

_JOBS = 8
# From appending a revision to pointing to it.
_EDIT_TAKES = timedelta(seconds=5)


class OpenAIStore:
    """The `AssistantStore` of a project on a server with vector stores and conversations.

    Args:
        gateway: the server.
        directory: finds assistants there.
        writer: changes the files of vector stores.

    Raises (each method):
        GptasstError: see `errors`; `no_vector_stores` where the server has none.
    """

    def __init__(
        self, gateway: OpenAIGateway, directory: AssistantDirectory, writer: KnowledgeWriter
    ) -> None:
        self._files = gateway.files
        self._stores = gateway.vector_stores
        self._conversations = gateway.conversations
        self._directory = directory
        self._writer = writer
        self._noted: dict[str, str] = {}  # what the metadata says of the knowledge, by store

    def close(self) -> None:
        """Nothing is open: the gateway and the cache are closed by who made them."""

    def list(self) -> Sequence[AssistantSummary]:
        found = [_summary(store) for store in self._directory.all()]
        return sorted(found, key=lambda summary: (summary.name.casefold(), summary.name))

    def summary(self, name: str) -> AssistantSummary:
        return _summary(self._directory.find(name))

    def get(self, name: str) -> Assistant:
        store = self._directory.find(name)
        pointer = read_pointer(store)
        return self._assistant(store, pointer, self._directory.definition(store, pointer))

    def open(self, name: str) -> RunTarget:
        store = self._directory.find(name)
        pointer = read_pointer(store)
        return RunTarget(
            id=store.id,
            definition=self._directory.definition(store, pointer),
            revision=pointer.revision,
            knowledge_sha256=pointer.knowledge_sha256 if store.files else "",
            vector_store_id=store.id,
        )

    def _assistant(
        self,
        store: VectorStore,
        pointer: Pointer,
        definition: Definition,
        knowledge: Sequence[KnowledgeFile] | None = None,
    ) -> Assistant:
        if knowledge is None:
            knowledge = self._knowledge(store)
        if not pointer.creating:
            self._noted[store.id] = pointer.knowledge_sha256
        return Assistant(
            id=store.id,
            definition=definition,
            revision=pointer.revision,
            created_at=store.created_at,
            updated_at=pointer.updated_at,
            knowledge=tuple(sorted(knowledge, key=lambda file: file.path)),
        )

    def _knowledge(self, store: VectorStore) -> Sequence[KnowledgeFile]:
        if not store.files:
            return []
        return [knowledge_file(file) for file in self._stores.files(store.id)]

    # Making and changing

    def create(
        self, definition: Definition, plan: KnowledgePlan, report: OnTransfer
    ) -> KnowledgeOutcome:
        store = self._unfinished(definition.name)
        if store is not None and not self._is_whole(store):
            self._unmake(store)
            store = None
        made = store is None
        if store is None:
            store = self._make(definition)
        try:
            outcome = self._fill(store, definition, plan, report, adopted=not made)
        except GptasstError:
            if made:
                with contextlib.suppress(GptasstError):
                    self._unmake(store)
            raise
        self._directory.remember(store.id, store.name)
        return outcome

    def _unfinished(self, name: str) -> VectorStore | None:
        """The store of that name whose creation was interrupted, to be finished."""
        found = [store for store in self._directory.all() if store.name == name]
        if not all(read_pointer(store).creating for store in found):
            raise name_taken(name)
        return min(found, key=_age, default=None)

    def _is_whole(self, store: VectorStore) -> bool:
        """Whether its definition is on the server: the attempt to take it back may have failed."""
        pointer = read_pointer(store)
        try:
            self._conversations.item(pointer.conversation, pointer.item)
        except NotFound:
            return False
        return True

    def _make(self, definition: Definition) -> VectorStore:
        conversation = self._conversations.create({MARKER: "1", "assistant": definition.name})
        try:
            text = item_text(definition, now())
            item = self._conversations.append(conversation, text)
            pointer = Pointer(
                "", "", 1, "", conversation, item, knowledge_sha256="", updated_at=now()
            ).to(definition, text, item, revision=1)
            store = self._stores.create(
                definition.name, replace(pointer, creating=True).metadata({})
            )
        except GptasstError:
            with contextlib.suppress(GptasstError):
                self._conversations.delete(conversation)
            raise
        self._directory.keep_definition(text)
        self._yield_to_earlier(store)
        return store

    def _yield_to_earlier(self, store: VectorStore) -> None:
        """Of several who take a name at once, the first to be ready has it, or the earliest."""
        for other in self._directory.all():
            if other.name != store.name or other.id == store.id:
                continue
            if not read_pointer(other).creating or _age(other) < _age(store):
                self._unmake(store)
                raise name_taken(store.name)

    def _unmake(self, store: VectorStore) -> None:
        """Delete a store, and before it the conversation to which nothing else leads."""
        self._conversations.delete(read_pointer(store).conversation)
        self._stores.delete(store.id)

    def _fill(
        self,
        store: VectorStore,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
        *,
        adopted: bool,
    ) -> KnowledgeOutcome:
        pointer = read_pointer(store)
        assistant = self._assistant(store, pointer, definition)
        if adopted:
            there = self._directory.definition(store, pointer)
            assistant = replace(assistant, definition=there)
        return self.apply(assistant, definition, plan, report)

    def update(self, assistant: Assistant, definition: Definition) -> Assistant:
        store, pointer = self._unchanged(assistant)
        if definition.name != assistant.name:
            self._unfinished(definition.name)
        with definitions_of(store):
            text, item = self._appended(definition, pointer)
            revision = self._revision_of(item, pointer, assistant.name)
        self._unchanged(assistant)
        moved = pointer.to(definition, text, item, revision)
        store = self._stores.update(
            store.id, name=definition.name, metadata=moved.metadata(store.metadata)
        )
        if read_pointer(self._stores.get(store.id)).item != item:
            raise edit_conflict(assistant.name)
        self._directory.keep_definition(text)
        if definition.name != assistant.name:
            self._directory.forget(assistant.name)
        self._directory.remember(store.id, definition.name)
        return replace(
            assistant, definition=definition, revision=revision, updated_at=moved.updated_at
        )

    def _appended(self, definition: Definition, pointer: Pointer) -> tuple[str, str]:
        """The text of a new revision and its item, which an interrupted edit may have left."""
        text = item_text(definition, now())
        for item in self._conversations.items(pointer.conversation):  # newest first
            if item.id == pointer.item:
                break
            if without_time(item.text) == without_time(text):
                return item.text, item.id
        return text, self._conversations.append(pointer.conversation, text)

    def _unchanged(self, assistant: Assistant) -> tuple[VectorStore, Pointer]:
        """The assistant's store as it is now.

        Raises:
            UsageError: somebody edited it since it was read.
        """
        try:
            store = self._stores.get(assistant.id)
        except NotFound:
            raise deleted_meanwhile(assistant.name) from None
        pointer = read_pointer(store)
        if pointer.revision != assistant.revision:
            raise edit_conflict(assistant.name)
        return store, pointer

    def _revision_of(self, item: str, pointer: Pointer, name: str) -> int:
        """The number of a revision that was just appended: its place in the conversation.

        Raises:
            UsageError: somebody else appended one a moment ago and is about to point to it.
        """
        items = list(self._conversations.items(pointer.conversation, order="asc"))
        ids = [found.id for found in items]
        last = ids.index(pointer.item) if pointer.item in ids else -1
        recent = now() - _EDIT_TAKES
        for rival in items[last + 1 : ids.index(item)]:
            written = item_time(rival.text)
            if written and written > recent:
                raise edit_conflict(name)
        return ids.index(item) + 1

    def history(self, assistant: Assistant) -> Sequence[Revision]:
        store = self._stores.get(assistant.id)
        pointer = read_pointer(store)
        revisions = []
        with definitions_of(store):
            items = list(self._conversations.items(pointer.conversation, order="asc"))
        for number, item in enumerate(items, start=1):
            definition = parse_definition(item.text, source=f"revision {number}")
            moment = item_time(item.text) or store.created_at
            revisions.append(Revision(number, definition, moment, item.id == pointer.item))
        return revisions

    def delete(self, assistant: AssistantSummary, *, keep_files: bool) -> None:
        store = self._stores.get(assistant.id)
        own = [] if keep_files else [file.id for file in self._knowledge(store) if file.sha256]
        unused = self._used_nowhere_else(store.id, own) if own else ()
        # The store goes last: should this end before its time, it leads to what is left.
        self._conversations.delete(read_pointer(store).conversation)
        with workers(_JOBS) as pool:
            list(pool.map(self._files.delete, unused))
        self._directory.forget_uploads(unused)
        self._stores.delete(store.id)
        self._directory.forget(assistant.name)

    def _used_nowhere_else(self, store_id: str, file_ids: Sequence[str]) -> Sequence[str]:
        """The files that no other vector store of the project holds, whoever it belongs to."""
        unused = set(file_ids)
        for other in self._stores.list():
            if other.id != store_id and other.files and unused:
                unused -= {file.id for file in self._stores.files_if_there(other.id)}
        return sorted(unused)

    # Knowledge

    def problem(self, source: KnowledgeSource) -> str | None:
        return search_problem(source)

    def apply(
        self,
        assistant: Assistant,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
    ) -> KnowledgeOutcome:
        if definition != assistant.definition:
            assistant = self.update(assistant, definition)
        applied = AppliedPlan(assistant.knowledge)
        if not plan.is_empty:
            applied = self._writer.apply(assistant.id, plan, report)
        changed = self._note_knowledge(assistant, applied, touched=not plan.is_empty)
        slow = settle(self._stores, assistant.id, plan.unchanged, timedelta(seconds=LONGEST_STALL))
        return KnowledgeOutcome(changed, plan, (*applied.failed, *slow))

    def _note_knowledge(
        self, assistant: Assistant, applied: AppliedPlan, *, touched: bool
    ) -> Assistant:
        """Write down what the knowledge is, if that is not what is written already."""
        digest = knowledge_sha256(file for file in applied.knowledge if file.sha256)
        ordered = tuple(sorted(applied.knowledge, key=lambda file: file.path))
        if not touched and self._noted.get(assistant.id) == digest:
            return replace(assistant, knowledge=ordered)
        store = applied.store or self._stores.get(assistant.id)
        pointer = read_pointer(store)
        if pointer.creating:
            self._yield_to_earlier(store)
        if pointer.knowledge_sha256 != digest or pointer.creating:
            pointer = replace(pointer, knowledge_sha256=digest, updated_at=now(), creating=False)
            self._stores.update(store.id, metadata=pointer.metadata(store.metadata))
        return replace(assistant, knowledge=ordered, updated_at=pointer.updated_at)

    def search(self, target: RunTarget, question: Question, limit: int) -> Sequence[FoundPassage]:
        """What the server's own search finds; a run has it search in the run itself."""
        if not target.knowledge_sha256:
            return ()
        hits = self._stores.search(target.id, question.task, limit)
        return [
            FoundPassage(str(hit.attributes.get("path") or hit.filename), "", hit.text, hit.score)
            for hit in hits
        ]

    def knowledge_of_all(self) -> Iterator[tuple[AssistantSummary, Sequence[KnowledgeFile]]]:
        """Every assistant with its files, for caches that are made anew."""
        stores = self._directory.all()
        filled = [store.id for store in stores if store.files]
        with workers(_JOBS) as pool:
            listed = dict(zip(filled, pool.map(self._stores.files_if_there, filled), strict=True))
        for store in stores:
            files = listed.get(store.id, ())
            yield _summary(store), [knowledge_file(file) for file in files]


def _age(store: VectorStore) -> tuple[datetime, str]:
    """What puts stores in order of their age."""
    return store.created_at, store.id


def _summary(store: VectorStore) -> AssistantSummary:
    pointer = read_pointer(store)
    return AssistantSummary(
        id=store.id,
        name=store.name,
        model=pointer.model or None,
        instruction=pointer.instruction or None,
        files=store.files,
        size=store.usage_bytes,
        updated_at=pointer.updated_at,
    )
