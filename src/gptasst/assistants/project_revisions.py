"""The revisions of an assistant in a project: appended first, then pointed to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import VectorStore
from gptasst.assistants.project_directory import (
    Pointer,
    definitions_of,
    interrupted_deletion,
    item_text,
    item_time,
    now,
    read_pointer,
    without_time,
)
from gptasst.assistants.store import deleted_meanwhile, edit_conflict
from gptasst.assistants.types import (
    Assistant,
    Revision,
)
from gptasst.definitions.toml import parse_definition
from gptasst.definitions.types import Definition
from gptasst.errors import NotFound

# From appending a revision to pointing to it.
_EDIT_TAKES = timedelta(seconds=5)


class Revisions:
    """Reads and appends the definitions of assistants; of two who edit at once, one is told.

    Args:
        gateway: the server.
    """

    def __init__(self, gateway: OpenAIGateway) -> None:
        self._stores = gateway.vector_stores
        self._conversations = gateway.conversations

    def append(self, definition: Definition, pointer: Pointer) -> tuple[str, str]:
        """The text of a new revision and its item, which an interrupted edit may have left."""
        text = item_text(definition, now())
        for item in self._conversations.items(pointer.conversation):  # newest first
            if item.id == pointer.item:
                break
            if without_time(item.text) == without_time(text):
                return item.text, item.id
        return text, self._conversations.append(pointer.conversation, text)

    def unchanged(self, assistant: Assistant) -> tuple[VectorStore, Pointer]:
        """The assistant's store as it is now.

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

    def of(self, store: VectorStore) -> Sequence[Revision]:
        """Every revision of an assistant, oldest first."""
        pointer = read_pointer(store)
        if pointer.deleting:
            raise interrupted_deletion(store)
        revisions = []
        with definitions_of(store):
            items = self._conversations.all_items(pointer.conversation, pointer.revision)
        for number, item in enumerate(items, start=1):
            definition = parse_definition(item.text, source=f"revision {number}")
            moment = item_time(item.text) or store.created_at
            revisions.append(Revision(number, definition, moment, item.id == pointer.item))
        return revisions
