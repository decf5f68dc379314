"""Conversations on a server, continued from any machine by their ids."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gptasst.api.conversations import ConversationGateway, ConversationTurn
from gptasst.api.types import BROKEN_OFF_MARK, PastMessage
from gptasst.assistants.project_listing import MARKER
from gptasst.config.profile import Profile
from gptasst.conversations.local import remember
from gptasst.conversations.types import Conversation, Message, Turn
from gptasst.errors import GptasstError, NotFound, UsageError
from gptasst.hints import cmd
from gptasst.storage.database import Database

# The metadata key that distinguishes a dialogue from a conversation with definitions.
_CHAT = "chat"
_TITLE = "title"


class OpenAIConversations:
    """The `ConversationKeeper` of a project on a server.

    The server adds each answered turn itself. gptasst adds a turn that broke off; while the server
    can't be reached, that turn waits in the file of conversations.

    Args:
        gateway: the project's conversations.
        database: the file of conversations.
        profile: the project's profile.
        forgets: whether the server forgets deleted turns. Some servers only remove them from the
            list.
    """

    def __init__(
        self,
        gateway: ConversationGateway,
        database: Database,
        profile: Profile,
        *,
        forgets: bool = True,
    ) -> None:
        self._gateway = gateway
        self._database = database
        self._profile = profile
        self._forgets = forgets

    def start(self, assistant: str, title: str) -> Conversation:
        made = self._gateway.create({MARKER: "1", _CHAT: assistant, _TITLE: title})
        return self._conversation(made, assistant, title)

    def _conversation(self, ident: str, assistant: str, title: str) -> Conversation:
        now, profile = datetime.now(UTC), self._profile
        return Conversation(
            ident, assistant, title, "openai", profile.name, profile.scope, now, now
        )

    def look_up(self, ident: str) -> Conversation:
        """A conversation that was started on another machine, or by another program.

        Raises:
            NotFound: there is no such conversation.
            UsageError: it contains the definitions of an assistant.
        """
        about = self._gateway.metadata(ident)
        if MARKER in about and _CHAT not in about:
            raise UsageError(
                f"conversation `{ident}` holds the definitions of an assistant",
                hint=f"{cmd('conversation list')} lists those that you can continue",
            )
        return self._conversation(ident, about.get(_CHAT, ""), about.get(_TITLE, ""))

    def branch(self, conversation: Conversation) -> Conversation:
        """The conversation to repeat the last question in: a new one if the server keeps turns."""
        if self._forgets:
            return conversation
        self._send_unsent(conversation)
        assistant, title = conversation.assistant, conversation.title
        made = self._gateway.copy_before_last(
            conversation.id, {MARKER: "1", _CHAT: assistant, _TITLE: title}
        )
        branch = self._conversation(made, assistant, title)
        return replace(branch, messages=max(conversation.messages - 2, 0))

    def past(self, conversation: Conversation, *, again: bool) -> Sequence[Turn]:
        self._send_unsent(conversation)
        if again and self._forgets:
            last = self._gateway.last_turn(conversation.id)
            if last:
                with (
                    self._database.writing() as connection
                ):  # saved first, so that it can't be lost
                    remember(connection, conversation, further=0)
                    _insert_unsent(connection, conversation, last)
                self._gateway.remove(conversation.id, last.item_ids)
        return ()

    def record(
        self, conversation: Conversation, turn: Turn, sent: Sequence[PastMessage], *, again: bool
    ) -> Conversation:
        with self._database.writing() as connection:
            if again:  # the removed turn is replaced now
                _drop_unsent(connection, conversation)
            conversation = remember(connection, conversation, further=0 if again else 2)
            if turn.broken_off:
                question = self._gateway.as_item(sent[0])
                broken = ConversationTurn(question, turn.answer, BROKEN_OFF_MARK)
                _insert_unsent(connection, conversation, broken)
        if turn.broken_off:
            with contextlib.suppress(GptasstError):  # sent with the next turn
                self._send_unsent(conversation)
        return conversation

    def restore(self, conversation: Conversation) -> None:
        self._send_unsent(conversation)

    def _send_unsent(self, conversation: Conversation) -> None:
        for row_id, turn in self._unsent(conversation):
            self._gateway.add_turn(conversation.id, turn)
            with self._database.writing() as connection:
                connection.execute("DELETE FROM unsent WHERE id = ?", (row_id,))

    def _unsent(self, conversation: Conversation) -> Sequence[tuple[int, ConversationTurn]]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, question, answer, mark FROM unsent WHERE conversation_id = ?"
                " ORDER BY id",
                _key(conversation),
            ).fetchall()
        return [
            (row_id, ConversationTurn(json.loads(question), answer, mark))
            for row_id, question, answer, mark in rows
        ]

    def last_question(self, conversation: Conversation) -> Turn | None:
        self._send_unsent(conversation)
        last = self._gateway.last_turn(conversation.id)
        if last is None:
            return None
        if any(part["type"] != "input_text" for part in last.question["content"]):
            raise UsageError(
                "the last question had documents or images, which are no longer available",
                hint="ask it again with /file PATH",
            )
        text = "\n\n".join(part["text"] for part in last.question["content"])
        now = datetime.now(UTC)
        return Turn(text, (), last.answer, "", now, now)

    def messages(self, conversation: Conversation) -> Iterator[Message]:
        for item in self._gateway.all_items(conversation.id, conversation.messages):
            yield _message(item.role, item.text)
        for _, turn in self._unsent(conversation):
            yield _message("user", _text(turn.question))
            yield _message("assistant", turn.answer + turn.mark)

    def delete(self, conversation: Conversation) -> bool:
        try:
            own = _CHAT in self._gateway.metadata(conversation.id)
        except NotFound:
            own = True
        if own:
            self._gateway.delete(conversation.id)
        with self._database.writing() as connection:
            connection.execute("DELETE FROM conversations WHERE id = ?", _key(conversation))
        return own


def _key(conversation: Conversation) -> tuple[str]:
    return (conversation.id,)


def _drop_unsent(connection: sqlite3.Connection, conversation: Conversation) -> None:
    connection.execute("DELETE FROM unsent WHERE conversation_id = ?", _key(conversation))


def _insert_unsent(
    connection: sqlite3.Connection, conversation: Conversation, turn: ConversationTurn
) -> None:
    connection.execute(
        "INSERT INTO unsent (conversation_id, question, answer, mark) VALUES (?, ?, ?, ?)",
        (conversation.id, json.dumps(turn.question), turn.answer, turn.mark),
    )


def _message(role: str, text: str) -> Message:
    if role == "assistant" and text.endswith(BROKEN_OFF_MARK):
        return Message(role, text.removesuffix(BROKEN_OFF_MARK), broken_off="broken_off")
    return Message(role, text)


def _text(question: Mapping[str, Any]) -> str:
    return "\n\n".join(part["text"] for part in question["content"] if "text" in part)
