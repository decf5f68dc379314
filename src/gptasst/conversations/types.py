"""Conversations: questions and answers, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

from gptasst.api.types import PastMessage
from gptasst.inputs.reading import InputFile
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation that this machine knows.

    `kept` is where its messages are stored: in the server's project (`scope`), or on this machine.
    `messages` counts those that this machine sent or received.
    """

    id: str
    assistant: str
    title: str
    kept: Literal["openai", "local"]
    profile: str
    scope: str
    created_at: datetime
    updated_at: datetime
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its files, and the answer.

    `broken_off` is the code of the error that ended the answer early (`interrupted`, `timeout`, …).
    """

    question: str | None
    files: tuple[InputFile, ...]
    answer: str
    model: str
    asked_at: datetime
    answered_at: datetime
    broken_off: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One side of a turn, for display. `at` and `model` are `None` if unknown."""

    role: str
    text: str
    files: tuple[str, ...] = ()
    model: str | None = None
    at: datetime | None = None
    broken_off: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation with its messages, oldest first."""

    conversation: Conversation
    messages: tuple[Message, ...]


class ConversationKeeper(Protocol):
    """Stores conversations on a server, or on this machine."""

    def start(self, assistant: str, title: str) -> Conversation:
        """A new conversation without messages. Its first turn adds it to the index."""
        ...

    def branch(self, conversation: Conversation) -> Conversation:
        """The conversation in which to repeat the last question: usually the same.

        It is a new one with the earlier turns if the model would still see the last turn.
        """
        ...

    def past(self, conversation: Conversation, *, again: bool) -> Sequence[Turn]:
        """The earlier messages to send to the model; none if the server adds them itself.

        Args:
            conversation: the conversation.
            again: whether the last question is repeated, so that the last turn is left out.

        Raises:
            NotFound: the conversation is gone.
        """
        ...

    def record(
        self, conversation: Conversation, turn: Turn, sent: Sequence[PastMessage], *, again: bool
    ) -> Conversation:
        """Save a turn, complete or broken off; with `again` it replaces the last one.

        Args:
            conversation: the conversation.
            turn: the turn.
            sent: its two messages in the form for a model.
            again: whether it replaces the last turn.
        """
        ...

    def restore(self, conversation: Conversation) -> None:
        """Restore the conversation as it was before `past` with `again`: there was no answer."""
        ...

    def last_question(self, conversation: Conversation) -> Turn | None:
        """The last turn. Its answer may be incomplete."""
        ...

    def messages(self, conversation: Conversation) -> Iterator[Message]:
        """All messages, oldest first, as they arrive from the store.

        Raises:
            NotFound: the conversation is gone.
        """
        ...

    def delete(self, conversation: Conversation) -> bool:
        """Delete it permanently; `False` if it is not gptasst's and was only removed here."""
        ...
