"""Conversations and their messages on the server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from gptasst.api.connection import Connection, Missing, api_path, missing, read_json
from gptasst.api.limits import patience
from gptasst.api.requests import message_item
from gptasst.api.types import BROKEN_OFF_MARK, ConversationItem, PastMessage
from gptasst.errors import NotFound
from gptasst.threads import workers
from gptasst.values import dataclass

_Made = TypeVar("_Made")

_AT_ONCE = 20  # items per request, the API's limit
_PAGE = 100
_LONGEST_SILENCE = 10.0
# How many messages to look back for one whose response was lost.
_RECENT = 20


@dataclass(frozen=True, slots=True)
class ConversationTurn:
    """A question and its answer as the items of a conversation.

    `question` is an input item; `mark` follows the answer; `item_ids` are all items of a turn that
    is on the server, including tool calls.
    """

    question: Mapping[str, Any]
    answer: str
    mark: str = ""
    item_ids: tuple[str, ...] = ()


class ConversationGateway:
    """The conversations of the project. The API has no list of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Clean-up after a stopped answer must be quick.
        silence = min(connection.endpoint.silence, _LONGEST_SILENCE)
        timeout = connection.endpoint.timeout
        self._limits = patience(silence, timeout, attempts=connection.attempts)
        self._limits_once = patience(silence, timeout)

    def create(self, metadata: Mapping[str, str]) -> str:
        """Start an empty conversation and return its id.

        If the response is lost, an empty conversation is left behind: the API has no list of
        conversations to find it in.
        """

        def send() -> str:
            conversations = self._connection.once.conversations.with_raw_response
            made = conversations.create(metadata=dict(metadata))
            return _item_id(read_json(made.http_response))

        return self._connection.create_once(send, None)

    def metadata(self, conversation_id: str) -> Mapping[str, str]:
        """The metadata of a conversation.

        Raises:
            NotFound: there is no such conversation.
        """
        with self._connection.errors(_named(conversation_id)):
            found = self._connection.get(
                api_path("conversations", conversation_id), limits=self._limits
            )
            return {str(key): str(value) for key, value in (found.metadata or {}).items()}

    def append(self, conversation_id: str, text: str) -> str:
        """Add a user message exactly once, and return its id.

        Raises:
            NotFound: there is no such conversation.
        """
        message: Any = {"type": "message", "role": "user", "content": _parts(text)}

        def send() -> str:
            return _item_id(self._add(conversation_id, [message])["data"][-1])

        def find() -> str | None:
            return self._find(conversation_id, text)

        return self._connection.create_once(send, find, _named(conversation_id))

    def _add(self, conversation_id: str, items: Any) -> Any:
        """The response to adding items, sent once."""
        conversations = self._connection.client.conversations.items.with_raw_response
        added = conversations.create(
            conversation_id, items=items, timeout=self._limits_once.for_sdk()
        )
        return read_json(added.http_response)

    def _find(self, conversation_id: str, text: str) -> str | None:
        recent = self.items(conversation_id)
        for _, item in zip(range(_RECENT), recent, strict=False):
            if item.role == "user" and item.text == text:
                return item.id
        return None

    def item(self, conversation_id: str, item_id: str) -> ConversationItem:
        """One message.

        Raises:
            NotFound: there is no such message.
        """
        with self._connection.errors(_named(conversation_id).within(f"item `{item_id}` in")):
            path = api_path("conversations", conversation_id, "items", item_id)
            return _item(self._connection.get(path, limits=self._limits))

    def items(
        self, conversation_id: str, order: Literal["asc", "desc"] = "desc"
    ) -> Iterator[ConversationItem]:
        """Every message, newest first by default, without other kinds of items.

        Raises:
            NotFound: there is no such conversation.
        """
        found = self._all(
            conversation_id,
            lambda item: _item(item) if item.type == "message" else None,
            {"limit": _PAGE, "order": order},
        )
        return filter(None, found)

    def _all(
        self, conversation_id: str, make: Callable[[Any], _Made], query: Mapping[str, str | int]
    ) -> Iterator[_Made]:
        """Every item, converted by `make`."""
        path = api_path("conversations", conversation_id, "items")
        named = _named(conversation_id)
        return self._connection.listed(path, make, query, named, self._limits)

    def all_items(self, conversation_id: str, expected: int) -> Iterator[ConversationItem]:
        """Every message, oldest first, as they arrive. A long list is read from both ends at once.

        Args:
            conversation_id: the conversation.
            expected: about how many messages it has.

        Raises:
            NotFound: there is no such conversation.
        """
        if expected <= _PAGE:
            yield from self.items(conversation_id, order="asc")
            return
        seen: set[str] = set()
        lock = threading.Lock()

        def until_they_meet(order: Literal["asc", "desc"]) -> Iterator[ConversationItem]:
            for item in self.items(conversation_id, order):
                with lock:
                    if item.id in seen:
                        return
                    seen.add(item.id)
                yield item

        with workers(1) as pool:
            newer = pool.submit(lambda: list(until_they_meet("desc")))
            yield from until_they_meet("asc")
            yield from reversed(newer.result())

    @staticmethod
    def as_item(message: PastMessage) -> Mapping[str, Any]:
        """A message in the form of `ConversationTurn`."""
        return message_item(message)

    def add_turn(self, conversation_id: str, turn: ConversationTurn) -> None:
        """Add a turn at the end, unless it is there already. Safe to repeat after a failure.

        Raises:
            NotFound: there is no such conversation.
        """
        items: Any = self._missing(conversation_id, turn)
        if items:
            with self._connection.errors(_named(conversation_id)):
                self._add(conversation_id, items)

    def _missing(self, conversation_id: str, turn: ConversationTurn) -> list[Mapping[str, Any]]:
        answer = {"type": "message", "role": "assistant", "content": turn.answer + turn.mark}
        last = self.last_turn(conversation_id)
        if last is None or _question_text(last.question) != _question_text(turn.question):
            return [turn.question, answer]
        if not last.answer:
            return [answer]
        return [] if last.answer.startswith(turn.answer) else [turn.question, answer]

    def last_turn(self, conversation_id: str) -> ConversationTurn | None:
        """The newest user message and everything after it.

        Raises:
            NotFound: there is no such conversation.
        """
        ids: list[str] = []
        answers: list[str] = []
        recent: Mapping[str, str | int] = {"limit": _RECENT, "order": "desc"}
        with self._connection.errors():
            for item in self._all(conversation_id, lambda item: item, recent):
                ids.append(_item_id(item))
                if item.type != "message":
                    continue
                if item.role == "user":
                    return ConversationTurn(
                        _question(item), "".join(reversed(answers)), item_ids=tuple(ids)
                    )
                answers.append(_item(item).text)
        return None

    def copy_before_last(self, conversation_id: str, metadata: Mapping[str, str]) -> str:
        """Start a conversation with the turns before the last question, and return its id.

        Raises:
            NotFound: there is no such conversation.
        """
        last = self.last_turn(conversation_id)
        left_out = set(last.item_ids) if last else set()
        query: Mapping[str, str | int] = {"limit": _PAGE, "order": "asc"}
        with self._connection.errors(_named(conversation_id)):
            items = list(self._all(conversation_id, lambda item: item, query))
        kept = [
            _copied(item)
            for item in items
            if item.type == "message" and _item_id(item) not in left_out
        ]
        made = self.create(metadata)
        with self._connection.errors(_named(made)):
            for start in range(0, len(kept), _AT_ONCE):
                self._add(made, kept[start : start + _AT_ONCE])
        return made

    def is_answered(self, conversation_id: str, message: PastMessage) -> bool:
        """Whether a user message is the last question and has a complete answer."""
        last = self.last_turn(conversation_id)
        asked = _question_text(message_item(message))
        answered = last and last.answer and not last.answer.endswith(BROKEN_OFF_MARK)
        return bool(last and answered and _question_text(last.question) == asked)

    def remove(self, conversation_id: str, item_ids: Sequence[str]) -> None:
        """Remove items from a conversation. Items that are already gone are ignored."""
        for item_id in item_ids:
            with contextlib.suppress(NotFound), self._connection.errors(missing("item", item_id)):
                self._connection.client.conversations.items.delete(
                    item_id, conversation_id=conversation_id, timeout=self._limits.for_sdk()
                )

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation and its messages. One that is already gone is ignored.

        The API keeps the messages of a deleted conversation, so they are deleted first.
        """
        with contextlib.suppress(NotFound):
            ids = self._all(conversation_id, _item_id, {"limit": _PAGE})
            self.remove(conversation_id, list(ids))
            with self._connection.errors(_named(conversation_id)):
                self._connection.client.conversations.delete(
                    conversation_id, timeout=self._limits.for_sdk()
                )


def _named(conversation_id: str) -> Missing:
    return missing("conversation", conversation_id)


def _item_id(item: Any) -> str:
    return str(item["id"])


def _item(item: Any) -> ConversationItem:
    texts = [str(part.get("text") or "") for part in _read_parts(item.content)]
    between = "\n\n" if item.role == "user" else ""  # a task and its files are parts
    return ConversationItem(id=item["id"], role=item.role, text=between.join(texts))


def _question(item: Any) -> Mapping[str, Any]:
    return {"type": "message", "role": "user", "content": _read_parts(item.content)}


def _copied(item: Any) -> Mapping[str, Any]:
    """A message in the form that adds it to a conversation."""
    if item.role == "user":
        return _question(item)
    return {"type": "message", "role": item.role, "content": _item(item).text}


def _parts(text: str) -> list[dict[str, Any]]:
    """Text as the content of a message.

    OGX 1.5 keeps content in the form in which it was sent; OpenAI turns a string into this form.
    """
    return [{"type": "input_text", "text": text}]


def _read_parts(content: Any) -> list[dict[str, Any]]:
    """The content of a message from a server: parts, or a single text."""
    if isinstance(content, str):
        return _parts(content)
    return list(content or ())


def _question_text(question: Mapping[str, Any]) -> str:
    return "".join(part.get("text", "") for part in _read_parts(question["content"]))
