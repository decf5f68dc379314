"""Conversations and their messages on the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from gptasst.errors import NotFound
from gptasst.models.conversations import ConversationItem
from gptasst.openai_gateway.connection import Connection

_PAGE = 100
# How far back a message is looked for whose answer was lost.
_RECENT = 20


class ConversationGateway:
    """The conversations of the project. The API has no list of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, metadata: Mapping[str, str]) -> str:
        """Start an empty conversation and give its id.

        Should the answer get lost, an empty conversation stays behind: there is no list in
        which it could be found.
        """

        def send() -> str:
            return self._connection.once.conversations.create(metadata=dict(metadata)).id

        return self._connection.create_once(send, lambda: None)

    def append(self, conversation_id: str, text: str, role: str = "user") -> str:
        """Add a message, once, and give its id.

        Raises:
            NotFound: there is no such conversation.
        """
        message: Any = {"type": "message", "role": role, "content": text}

        def send() -> str:
            items = self._connection.once.conversations.items
            return _item_id(items.create(conversation_id, items=[message]).data[-1])

        def find() -> str | None:
            return self._find(conversation_id, role, text)

        return self._connection.create_once(send, find, _named(conversation_id))

    def _find(self, conversation_id: str, role: str, text: str) -> str | None:
        recent = self.items(conversation_id)
        for _, item in zip(range(_RECENT), recent, strict=False):
            if item.role == role and item.text == text:
                return item.id
        return None

    def item(self, conversation_id: str, item_id: str) -> ConversationItem:
        """One message.

        Raises:
            NotFound: it is not there.
        """
        with self._connection.errors(f"item `{item_id}` in {_named(conversation_id)}"):
            items = self._connection.client.conversations.items
            return _item(items.retrieve(item_id, conversation_id=conversation_id))

    def items(
        self, conversation_id: str, order: Literal["asc", "desc"] = "desc"
    ) -> Iterator[ConversationItem]:
        """Every message, newest first unless told otherwise; other kinds of items are left out.

        Raises:
            NotFound: there is no such conversation.
        """
        with self._connection.errors(_named(conversation_id)):
            items = self._connection.client.conversations.items
            for item in items.list(conversation_id, limit=_PAGE, order=order):
                if item.type == "message":
                    yield _item(item)

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation and its messages; one that is gone already is fine.

        The API leaves the messages of a deleted conversation, so they go first.
        """
        try:
            with self._connection.errors(_named(conversation_id)):
                conversations = self._connection.client.conversations
                for item in list(conversations.items.list(conversation_id, limit=_PAGE)):
                    item_id = _item_id(item)
                    conversations.items.delete(item_id, conversation_id=conversation_id)
                conversations.delete(conversation_id)
        except NotFound:
            return


def _named(conversation_id: str) -> str:
    return f"conversation `{conversation_id}`"


def _item_id(item: Any) -> str:
    return str(item.id)


def _item(item: Any) -> ConversationItem:
    texts = [getattr(part, "text", None) or "" for part in item.content or ()]
    return ConversationItem(id=item.id, role=item.role, text="".join(texts))
