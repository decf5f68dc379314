"""Create the stores of new assistants in a project, completely or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gptasst.api.conversations import ConversationGateway
from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import VectorStore
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_directory import (
    AssistantDirectory,
    Pointer,
    interrupted_deletion,
    item_text,
    now,
    read_pointer,
    rename_claim,
)
from gptasst.assistants.project_listing import MARKER
from gptasst.assistants.project_notes import Announcement, KnowledgeNotes
from gptasst.assistants.store import edit_conflict, name_taken
from gptasst.assistants.types import Assistant
from gptasst.assistants.upload_removal import UploadRemover
from gptasst.definitions.types import Definition
from gptasst.errors import GptasstError, NotFound

# Seconds from claiming a new name to being sure that nobody else has it.
_RENAME_TAKES = timedelta(minutes=1)

# Seconds within which a new assistant may be withdrawn because of its name.
_WITHDRAWAL_TAKES = 2.0


class NameClaims:
    """The names of a project's assistants.

    Args:
        stores: the project.
        directory: finds assistants there.
        machine: returns this machine's mark.
        pause: waits for a number of seconds.
    """

    def __init__(
        self,
        stores: VectorStoreGateway,
        directory: AssistantDirectory,
        machine: Callable[[], str],
        pause: Callable[[float], None],
    ) -> None:
        self._stores = stores
        self._directory = directory
        self._machine = machine
        self._pause = pause

    def refuse_taken(self, name: str) -> None:
        """Raise if any assistant has a name, even one that is being created."""
        for store in self._directory.all():
            if store.name == name:
                raise taken(store)

    def claimed(self, pointer: Pointer, name: str) -> Pointer:
        """The metadata value while this machine renames the assistant with this name."""
        return replace(pointer, renaming=True, rename=rename_claim(self._machine(), name))

    def finish_rename(self, name: str | None, new: str) -> VectorStore | None:
        """Finish a rename that this machine started; `None` if there is none.

        Args:
            name: the old name; `None`: any, and that of another machine that never finished, too.
            new: the new name.

        Raises:
            UsageError: another has it; the assistant has its old name again.
        """
        for store in self._directory.all():
            if store.name != new or not self._is_ours(read_pointer(store), name):
                continue
            pointer = replace(read_pointer(store), renaming=False)
            old = name or read_pointer(store).rename.partition(" ")[2] or new
            before = replace(store, name=old, metadata=pointer.metadata(store.metadata))
            self.settle(before, store)
            return store
        return None

    def _is_ours(self, pointer: Pointer, name: str | None) -> bool:
        """Whether this machine may confirm a new name: it gave it, or whoever did was killed."""
        if name is not None:
            return pointer.renaming and pointer.rename == rename_claim(self._machine(), name)
        own = pointer.rename.startswith(rename_claim(self._machine(), ""))
        return pointer.renaming and (own or _is_stale(pointer))

    def settle(self, before: VectorStore, store: VectorStore) -> VectorStore:
        """Confirm a new name, unless somebody else took it at the same time.

        Args:
            before: the assistant with its old name and metadata, to restore.
            store: the assistant with its new name.

        Raises:
            UsageError: the name was taken; the assistant has its old name again.
        """
        overtaken = self.has_rival(store)
        if not overtaken:
            settled = replace(read_pointer(store), renaming=False).metadata(store.metadata)
            store = self._stores.update(store.id, metadata=settled)
            overtaken = self.was_overtaken(store)
        if overtaken:
            self._stores.update(store.id, name=before.name, metadata=before.metadata)
            raise name_taken(store.name)
        return store

    def has_rival(self, store: VectorStore) -> bool:
        """Whether another assistant has precedence over one that is taking the name."""
        return _goes_before(store, self._directory.all())

    def has_new_rival(self, made: VectorStore) -> bool:
        """Like `has_rival`, among new assistants only; renamed ones are left to the last check.

        For an assistant that is being created: a renamed one always has precedence over it.
        """
        return _goes_before(made, self._directory.newest(made))

    def is_withdrawn(self, made: VectorStore) -> bool:
        """Whether a new assistant must be withdrawn because another has its name.

        A later one withdraws when it sees this one. If it does not, the server's clock has them in
        another order, or in the same second.
        """
        others = _others(made, self._directory.all(made=made))
        if any(_was_earlier(other, made) for other in others):
            return True
        if not any(map(_has_settled, others)):
            return False
        self._pause(_WITHDRAWAL_TAKES)
        return any(map(_has_settled, _others(made, self._directory.all())))

    def was_overtaken(self, store: VectorStore) -> bool:
        """Whether another assistant took the name at the last moment and has precedence."""
        return any(
            _has_settled(other) and _precedence(other) < _precedence(store)
            for other in _others(store, self._directory.all())
        )


def _goes_before(store: VectorStore, found: Sequence[VectorStore]) -> bool:
    return any(
        _has_settled(other) or _precedence(other) < _precedence(store)
        for other in _others(store, found)
    )


def _others(store: VectorStore, found: Sequence[VectorStore]) -> Sequence[VectorStore]:
    return [other for other in found if other.name == store.name and other.id != store.id]


def taken(store: VectorStore) -> GptasstError:
    """The error for a taken name, even by an assistant whose deletion was interrupted."""
    if read_pointer(store).deleting:
        return interrupted_deletion(store)
    return name_taken(store.name)


def age(store: VectorStore) -> tuple[datetime, str]:
    """The sort key for the age of stores."""
    return store.created_at, store.id


def _has_settled(store: VectorStore) -> bool:
    """Whether an assistant's name is final."""
    pointer = read_pointer(store)
    return _is_stale(pointer) or not (pointer.creating or pointer.renaming)


def _is_stale(pointer: Pointer) -> bool:
    """Whether the process that started a rename was killed."""
    return pointer.renaming and pointer.updated_at < now() - _RENAME_TAKES


def _was_earlier(other: VectorStore, made: VectorStore) -> bool:
    return read_pointer(other).renaming or age(other) < age(made)


def _precedence(store: VectorStore) -> tuple[bool, datetime, str]:
    """The sort key for precedence: renamed assistants before new ones, then by age."""
    return (read_pointer(store).creating, *age(store))


class StoreMaker:
    """Creates the vector store of an assistant, and undoes that.

    Args:
        gateway: the server.
        directory: finds assistants there.
        names: the project's names.

    `listed` are the stores that existed when the creation started.
    """

    def __init__(
        self, gateway: OpenAIGateway, directory: AssistantDirectory, names: NameClaims
    ) -> None:
        self._stores = gateway.vector_stores
        self._conversations = gateway.conversations
        self._directory = directory
        self._names = names
        self.listed: Sequence[VectorStore] | None = None

    def unfinished(self, name: str) -> VectorStore | None:
        """The store with that name whose creation was interrupted, to be finished."""
        self.listed = self._directory.all()
        found = [store for store in self.listed if store.name == name]
        for store in found:
            if not read_pointer(store).creating:
                raise taken(store)
        return min(found, key=age, default=None)

    def is_whole(self, store: VectorStore) -> bool:
        """Whether its definition is still on the server: undoing it may have failed."""
        pointer = read_pointer(store)
        try:
            self._conversations.item(pointer.conversation, pointer.item)
        except NotFound:
            return False
        return True

    def make(
        self, definition: Definition, *, creating: bool = True, source: str = ""
    ) -> VectorStore:
        conversation = self._conversations.create({MARKER: "1", "assistant": definition.name})
        try:
            text = item_text(definition, now())
            item = self._conversations.append(conversation, text)
            pointer = Pointer(
                "", "", 1, "", conversation, item, "", now(), creating, source=source
            ).to(definition, text, item, revision=1)
            store = self._stores.create(definition.name, pointer.metadata({}))
        except GptasstError:
            with contextlib.suppress(GptasstError):
                self._conversations.delete(conversation)
            raise
        self._directory.keep_definition(text)
        return store

    def yield_to_earlier(self, store: VectorStore) -> None:
        """Give way if another took the name at the same time: the first to be ready keeps it.

        Raises:
            UsageError: another has it; this store was deleted again.
        """
        if self._names.has_new_rival(store):
            self.unmake(store)
            raise name_taken(store.name)

    def unmake_unfinished(self, store: VectorStore) -> None:
        """Delete a store whose creation failed, unless somebody else has finished it."""
        now_there = self._stores.get(store.id)
        if read_pointer(now_there).creating:
            self.unmake(now_there)

    def unmake(self, store: VectorStore) -> None:
        """Delete a store and, before it, the conversation that only the store refers to."""
        self._conversations.delete(read_pointer(store).conversation)
        self._stores.delete(store.id)

    def settle(self, assistant: Assistant, told: Announcement) -> None:
        """The last check before a name is final.

        Raises:
            UsageError: somebody else has taken it.
        """
        store = self._stores.get(assistant.id)
        if not told.is_ours(
            read_pointer(store)
        ):  # another command took it for a leftover and finished it
            raise name_taken(assistant.name)
        self.yield_to_earlier(store)

    def look_for_an_overtaker(self, store: VectorStore) -> None:
        """The check after a name is final.

        Raises:
            UsageError: another has it as well, with precedence.
        """
        if self._names.was_overtaken(store):
            self.unmake(store)
            raise name_taken(store.name)


def delete_store(
    stores: VectorStoreGateway,
    conversations: ConversationGateway,
    notes: KnowledgeNotes,
    remover: UploadRemover,
    store: VectorStore,
    name: str,
    *,
    keep_files: bool,
) -> Sequence[str]:
    """Delete an assistant's store, its conversation, and the uploads that nothing else uses.

    Args:
        stores: the project.
        conversations: the project.
        notes: restores an edit that came in between.
        remover: deletes uploads.
        store: as it is now.
        name: what the command calls it.
        keep_files: the uploads stay.

    Returns the ids of unused files that stay, as they may be somebody else's.

    Raises:
        UsageError: it has another name by now.
    """
    # Delete the store last: after an interruption, it leads to what is left.
    pointer = read_pointer(store)
    deleting = replace(pointer, deleting=True).metadata(store.metadata)
    marked = stores.update(store.id, metadata=deleting)
    if marked.name != name:  # the command named it by its old name
        stores.update(store.id, metadata=store.metadata)
        notes.restore_edit(store, pointer, pointer.item)
        raise edit_conflict(name)
    try:
        conversations.delete(pointer.conversation)
    except GptasstError:  # it may still be complete
        with contextlib.suppress(GptasstError):
            stores.update(store.id, metadata=store.metadata)
        raise
    left: set[str] = set()
    done: set[str] = set()
    while not keep_files:  # others may add files in the meantime
        own = {file.id for file in stores.files_if_there(store.id) if "sha256" in file.attributes}
        former = {*remover.kept(store.id), *remover.begun(store.id)}
        new = (own | former) - done
        if not new:
            break
        left.update(remover.remove(sorted(new), besides=[store.id]))
        done |= new
    stores.delete(store.id)
    return sorted(left)
