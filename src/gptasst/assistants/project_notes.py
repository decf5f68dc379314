"""The notes on knowledge in a vector store's metadata, written before and after a change.

Others read them: a digest that does not match the files shows that some were deleted, and a token
shows that somebody else is replacing the whole knowledge.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import VectorStore
from gptasst.assistants.project_directory import (
    AssistantDirectory,
    Pointer,
    definitions_of,
    interrupted_deletion,
    is_proposed,
    item_text,
    item_time,
    knowledge_file,
    now,
    read_pointer,
    without_time,
)
from gptasst.assistants.store import deleted_meanwhile, edit_conflict
from gptasst.assistants.types import Assistant, AssistantSummary, Revision
from gptasst.assistants.upload_removal import UploadRemover
from gptasst.definitions.toml import parse_definition
from gptasst.definitions.types import Definition
from gptasst.errors import NotFound, StateError
from gptasst.knowledge.types import KnowledgeFile, knowledge_sha256, sha256_of_knowledge

_READINGS = 5  # readings of knowledge that others change at the same time


class KnowledgeNotes:
    """The notes of one project's vector stores.

    Args:
        gateway: the project.
        directory: remembers knowledge on this machine.
        remover: remembers which uploads to delete.
        on_created: called when a new assistant is ready.
    """

    def __init__(
        self,
        gateway: OpenAIGateway,
        directory: AssistantDirectory,
        remover: UploadRemover,
        on_created: Callable[[VectorStore], None],
    ) -> None:
        self._stores = gateway.vector_stores
        self._conversations = gateway.conversations
        self._on_created = on_created
        self._directory = directory
        self._remover = remover
        self._seen: dict[str, str] = {}  # the digests in the metadata, by store

    def saw(self, store_id: str, pointer: Pointer) -> None:
        """Remember the digest that was read, so that the next change need not read it again."""
        if not pointer.creating:
            self._seen[store_id] = pointer.knowledge_sha256

    def forget(self, store_id: str) -> None:
        """Forget the digest, so that it is read again."""
        self._seen.pop(store_id, None)

    def announcement(
        self, store_id: str, *, creating: bool, adopted: bool, keep_files: bool
    ) -> Announcement:
        """The announcements of a change that is starting.

        Args:
            store_id: the vector store.
            creating: the assistant is not ready yet.
            adopted: another process started it.
            keep_files: don't delete uploads.
        """
        return Announcement(
            self,
            store_id,
            creating=creating,
            silent=creating and not adopted,
            remover=None if keep_files else self._remover,
        )

    def announce(self, store_id: str, digest: str, token: str | None) -> None:
        """Write a digest and, if given, a token."""
        store = self._stores.get(store_id)
        pointer = read_pointer(store)
        newest = self._newest_item(pointer)
        change = pointer.change if token is None else token
        pointer = replace(pointer, knowledge_sha256=digest, change=change, updated_at=now())
        self._stores.update(store.id, metadata=pointer.metadata(store.metadata))
        self.restore_edit(store, pointer, newest)
        self.forget(store_id)

    def name_source(self, store: VectorStore, assistant: Assistant, source: str) -> Assistant:
        """Write down which file an assistant comes from; its definition stays.

        Raises:
            UsageError: somebody edits it at the same time.
        """
        pointer = read_pointer(store)
        newest = self._newest_item(pointer)
        pointer = replace(pointer, source=source, updated_at=now())
        self._stores.update(store.id, metadata=pointer.metadata(store.metadata))
        if self.restore_edit(store, pointer, newest):
            raise edit_conflict(assistant.name)
        return replace(assistant, source=source, updated_at=pointer.updated_at)

    def pointer(self, store_id: str) -> Pointer:
        return read_pointer(self._stores.get(store_id))

    def write(
        self,
        assistant: Assistant,
        knowledge: Sequence[KnowledgeFile],
        detached: Collection[str],
        *,
        touched: bool,
    ) -> Assistant:
        """Write the current knowledge's digest, if it changed.

        Args:
            assistant: as it was read.
            knowledge: its knowledge.
            detached: detached files that the server may still list.
            touched: whether it was changed.

        Raises:
            UsageError: somebody else finished creating it, with another definition.
        """
        digest = digest_of(knowledge)
        if not touched and self._seen.get(assistant.id) == digest:
            return replace(assistant, knowledge=ordered(knowledge))
        store = self._stores.get(assistant.id)
        pointer = read_pointer(store)
        if pointer.knowledge_sha256 == digest and not pointer.creating:
            self._directory.remember_knowledge(store.id, knowledge)
            return replace(assistant, knowledge=ordered(knowledge), updated_at=pointer.updated_at)
        newest = self._newest_item(pointer)
        creating = pointer.creating
        for _ in range(_READINGS):
            pointer = replace(pointer, knowledge_sha256=digest, updated_at=now(), creating=False)
            store = self._stores.update(store.id, metadata=pointer.metadata(store.metadata))
            files = self._stores.files(store.id) if store.files else ()
            there = [knowledge_file(file) for file in files if file.id not in detached]
            if digest_of(there) == digest:
                break
            knowledge, digest = there, digest_of(there)  # others changed it at the same time
        if creating:
            self._on_created(store)
        if self.restore_edit(store, pointer, newest) and creating:
            raise edit_conflict(assistant.name)
        self._directory.remember_knowledge(store.id, knowledge)
        return replace(assistant, knowledge=ordered(knowledge), updated_at=pointer.updated_at)

    def _newest_item(self, pointer: Pointer) -> str | None:
        with contextlib.suppress(NotFound):
            items = self._conversations.items(pointer.conversation)
            return next((item.id for item in items if not is_proposed(item.text)), None)
        return None

    def restore_edit(self, store: VectorStore, pointer: Pointer, newest: str | None) -> bool:
        """Point to a definition that was added between reading and writing the metadata.

        Args:
            store: the store, as written.
            pointer: its pointer.
            newest: the newest definition when the metadata was read.

        Returns whether there was one.
        """
        if newest is None or self._newest_item(pointer) in (newest, pointer.item):
            return False
        items = list(self._conversations.items(pointer.conversation, order="asc"))
        number, last = next(
            (number, item)
            for number, item in reversed(list(enumerate(items, start=1)))
            if not is_proposed(item.text)
        )
        definition = parse_definition(last.text, source=f"revision {number}")
        moved = pointer.to(definition, last.text, last.id, number)
        self._stores.update(store.id, metadata=moved.metadata(store.metadata))
        return True


class Announcement:
    """The announcements of one change; see `project_commit.Announcements`.

    Args:
        notes: writes them.
        store_id: the vector store.
        creating: the assistant is not ready yet; nobody else must have finished it.
        silent: announce nothing, because nobody else uses the vector store yet.
        remover: records uploads to delete; `None`: they stay.
    """

    def __init__(
        self,
        notes: KnowledgeNotes,
        store_id: str,
        *,
        creating: bool,
        silent: bool,
        remover: UploadRemover | None,
    ) -> None:
        self._notes = notes
        self._store_id = store_id
        self._creating = creating
        self._silent = silent
        self._remover = remover
        self._token = ""

    def may_go_on(self) -> bool:
        return not self._creating or self.is_ours(self._notes.pointer(self._store_id))

    def announce(self, contents: Iterable[tuple[str, str]], *, whole: bool) -> None:
        import secrets

        if self._silent:
            return
        token = secrets.token_hex(8) if whole else None
        self._notes.announce(self._store_id, sha256_of_knowledge(contents), token)
        self._token = token or ""

    def leaving(self, file_ids: Iterable[str]) -> None:
        if self._remover is not None:
            self._remover.begin(self._store_id, file_ids)

    def latest(self) -> tuple[bool, str]:
        pointer = self._notes.pointer(self._store_id)
        return self.is_ours(pointer), pointer.knowledge_sha256

    def is_ours(self, pointer: Pointer) -> bool:
        """Whether nobody else took over the vector store or announced a replacement."""
        if self._creating and not pointer.creating:
            return False
        adopted_before = self._creating and not self._silent and not self._token
        return adopted_before or pointer.change == self._token


def digest_of(knowledge: Iterable[KnowledgeFile]) -> str:
    """The sha256 over the files that gptasst added."""
    return knowledge_sha256(file for file in knowledge if file.sha256)


def ordered(knowledge: Iterable[KnowledgeFile]) -> tuple[KnowledgeFile, ...]:
    return tuple(sorted(knowledge, key=lambda file: file.path))


# Seconds from appending a revision to pointing to it.
_EDIT_TAKES = timedelta(seconds=5)


class Revisions:
    """Reads and appends the definitions of assistants; if two edit at once, one is refused.

    Args:
        gateway: the server.
    """

    def __init__(self, gateway: OpenAIGateway) -> None:
        self._stores = gateway.vector_stores
        self._conversations = gateway.conversations

    def append(
        self, definition: Definition, pointer: Pointer, *, proposed: bool = False
    ) -> tuple[str, str]:
        """The text of a new revision and its item, which an interrupted edit may have added."""
        text = item_text(definition, now(), proposed=proposed)
        for item in self._conversations.items(pointer.conversation):  # newest first
            if item.id == pointer.item:
                break
            if without_time(item.text) == without_time(text):
                return item.text, item.id
        return text, self._conversations.append(pointer.conversation, text)

    def unchanged(self, assistant: Assistant) -> tuple[VectorStore, Pointer]:
        """The current store of an assistant that nobody else edited.

        Raises:
            UsageError: somebody edited it since it was read.
        """
        try:
            store = self._stores.get(assistant.id)
        except NotFound:
            raise deleted_meanwhile(assistant.name) from None
        pointer = read_pointer(store)
        if pointer.deleting:
            raise interrupted_deletion(store)
        if pointer.revision != assistant.revision:
            raise edit_conflict(assistant.name)
        return store, pointer

    def number_of(self, item: str, pointer: Pointer, name: str) -> int:
        """The number of a revision that was just appended: its position in the conversation.

        Raises:
            UsageError: somebody else just appended one and is about to point to it.
        """
        items = list(self._conversations.items(pointer.conversation, order="asc"))
        ids = [found.id for found in items]
        last = ids.index(pointer.item) if pointer.item in ids else -1
        moment = now()
        for rival in items[last + 1 : ids.index(item)]:
            written = item_time(rival.text)
            # Later than now: by a machine whose clock is wrong, maybe long ago.
            is_recent = written is not None and abs(moment - written) < _EDIT_TAKES
            if is_recent and not is_proposed(rival.text):
                raise edit_conflict(name)
        return ids.index(item) + 1

    def of(self, store: VectorStore) -> Iterator[Revision]:
        """Every revision of an assistant, oldest first, as they arrive."""
        pointer = read_pointer(store)
        if pointer.deleting:
            raise interrupted_deletion(store)
        items = self._conversations.all_items(pointer.conversation, pointer.revision)
        for number in itertools.count(1):
            with definitions_of(store):
                item = next(items, None)
            if item is None:
                return
            definition = parse_definition(item.text, source=f"revision {number}")
            moment = item_time(item.text) or store.created_at
            yield Revision(number, definition, moment, item.id == pointer.item)


def summary_of(store: VectorStore) -> AssistantSummary:
    """The summary of an assistant, from its store's metadata."""
    pointer = read_pointer(store)
    return AssistantSummary(
        id=store.id,
        name=store.name,
        model=pointer.model or None,
        instruction=pointer.instruction or None,
        files=store.files,
        size=store.usage_bytes,
        updated_at=pointer.updated_at,
        state=pointer.state,
        source=pointer.source,
    )


def summary_for_list(store: VectorStore) -> AssistantSummary:
    """The same for a list, which one assistant that can't be read must not hide."""
    try:
        return summary_of(store)
    except StateError:
        return AssistantSummary(
            id=store.id,
            name=store.name,
            model=None,
            instruction=None,
            files=store.files,
            size=store.usage_bytes,
            updated_at=store.created_at,
            state="unreadable",
        )
