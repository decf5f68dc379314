"""Stores of new assistants in an OpenAI project: made whole, or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

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
from gptasst.assistants.project_notes import Announcement
from gptasst.assistants.store import name_taken
from gptasst.assistants.types import Assistant
from gptasst.definitions.types import Definition
from gptasst.errors import GptasstError, NotFound

# From taking a new name to knowing that nobody else has it.
_RENAME_TAKES = timedelta(minutes=1)

# Seconds from making an assistant to withdrawing it, where its name is another's.
_WITHDRAWAL_TAKES = 2.0


class NameClaims:
    """The names of a project's assistants.

    Args:
        stores: the project.
        directory: finds assistants there.
        machine: gives this machine's mark.
        pause: waits so many seconds.
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
        """Raise if some assistant has a name, even one whose creation is under way."""
        for store in self._directory.all():
            if store.name == name:
                raise taken(store)

    def claimed(self, pointer: Pointer, name: str) -> Pointer:
        """What the metadata says while this machine gives an assistant of that name another."""
        return replace(pointer, renaming=True, rename=rename_claim(self._machine(), name))

    def finish_rename(self, name: str | None, new: str) -> VectorStore | None:
        """Settle the new name that this machine wrote down, without coming to the end.

        Args:
            name: the name that the assistant had; `None`: any, also where another machine began
                and did not come to the end.
            new: the one that it has now.

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
        """Whether this machine may settle a new name: it gave that, or whoever did was killed."""
        if name is not None:
            return pointer.renaming and pointer.rename == rename_claim(self._machine(), name)
        own = pointer.rename.startswith(rename_claim(self._machine(), ""))
        return pointer.renaming and (own or _is_stale(pointer))

    def settle(self, before: VectorStore, store: VectorStore) -> VectorStore:
        """Keep a new name, unless somebody else took it at the same time.

        Args:
            before: the assistant with the name and the metadata that it gets back then.
            store: the assistant with its new name.

        Raises:
            UsageError: somebody did; the assistant has its old name again.
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
        """Whether another assistant of the name goes before one that takes it just now."""
        return _goes_before(store, self._directory.all())

    def has_new_rival(self, made: VectorStore) -> bool:
        """As `has_rival`, among new assistants only: one that is renamed is left to the last look.

        For an assistant that is being made. A renamed one goes before it whenever it is seen.
        """
        return _goes_before(made, self._directory.newest(made))

    def is_withdrawn(self, made: VectorStore) -> bool:
        """Whether an assistant that was made settled has to go, as another has its name.

        One that was made later withdraws when it sees this one. If it stays, the server's clock
        had them in another order, or both in one second.
        """
        others = _others(made, self._directory.all(made=made))
        if any(_was_earlier(other, made) for other in others):
            return True
        if not any(map(_has_settled, others)):
            return False
        self._pause(_WITHDRAWAL_TAKES)
        return any(map(_has_settled, _others(made, self._directory.all())))

    def was_overtaken(self, store: VectorStore) -> bool:
        """Whether another assistant took the name in the last moment, and goes before this one."""
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
    """The error for a name that an assistant has, if only as its deletion was interrupted."""
    if read_pointer(store).deleting:
        return interrupted_deletion(store)
    return name_taken(store.name)


def age(store: VectorStore) -> tuple[datetime, str]:
    """What puts stores in order of their age."""
    return store.created_at, store.id


def _has_settled(store: VectorStore) -> bool:
    """Whether an assistant has its name for good."""
    pointer = read_pointer(store)
    return _is_stale(pointer) or not (pointer.creating or pointer.renaming)


def _is_stale(pointer: Pointer) -> bool:
    """Whether it was killed that gave a new name."""
    return pointer.renaming and pointer.updated_at < now() - _RENAME_TAKES


def _was_earlier(other: VectorStore, made: VectorStore) -> bool:
    return read_pointer(other).renaming or age(other) < age(made)


def _precedence(store: VectorStore) -> tuple[bool, datetime, str]:
    """The least has the name: a renamed assistant before one that is being created, then by age."""
    return (read_pointer(store).creating, *age(store))


class StoreMaker:
    """Makes the vector store of an assistant, and takes it back.

    Args:
        gateway: the server.
        directory: finds assistants there.
        names: who has which name.

    `listed` are the stores that were there when the creation began.
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
        """The store of that name whose creation was interrupted, to be finished."""
        self.listed = self._directory.all()
        found = [store for store in self.listed if store.name == name]
        for store in found:
            if not read_pointer(store).creating:
                raise taken(store)
        return min(found, key=age, default=None)

    def is_whole(self, store: VectorStore) -> bool:
        """Whether its definition is on the server: the attempt to take it back may have failed."""
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
        """Of several who take a name at once, the first to be ready has it, or the earliest.

        Raises:
            UsageError: another one has it; this store is deleted again.
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
        """Delete a store, and before it the conversation to which nothing else leads."""
        self._conversations.delete(read_pointer(store).conversation)
        self._stores.delete(store.id)

    def settle(self, assistant: Assistant, told: Announcement) -> None:
        """The last look before an assistant has its name.

        Raises:
            UsageError: somebody else has taken it.
        """
        store = self._stores.get(assistant.id)
        if not told.is_ours(read_pointer(store)):  # finished by somebody else, as if left over
            raise name_taken(assistant.name)
        self.yield_to_earlier(store)

    def look_for_an_overtaker(self, store: VectorStore) -> None:
        """The look after an assistant has its name.

        Raises:
            UsageError: somebody else has it as well, and before this one.
        """
        if self._names.was_overtaken(store):
            self.unmake(store)
            raise name_taken(store.name)
