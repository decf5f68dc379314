"""Stores of new assistants in an OpenAI project: made whole, or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import VectorStore
from gptasst.assistants.project_directory import (
    AssistantDirectory,
    Pointer,
    item_text,
    now,
    read_pointer,
)
from gptasst.assistants.project_listing import MARKER
from gptasst.assistants.project_names import NameClaims, age, taken
from gptasst.assistants.project_notes import Announcement
from gptasst.assistants.store import name_taken
from gptasst.assistants.types import (
    Assistant,
)
from gptasst.definitions.types import Definition
from gptasst.errors import GptasstError, NotFound


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

    def make(self, definition: Definition, *, creating: bool = True) -> VectorStore:
        conversation = self._conversations.create({MARKER: "1", "assistant": definition.name})
        try:
            text = item_text(definition, now())
            item = self._conversations.append(conversation, text)
            pointer = Pointer("", "", 1, "", conversation, item, "", now(), creating).to(
                definition, text, item, revision=1
            )
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
            UsageError: somebody else has it by now.
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
