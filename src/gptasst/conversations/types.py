"""Conversations: what was asked and answered, turn after turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

from gptasst.api.types import PastMessage
from gptasst.inputs.reading import InputFile
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation that this machine knows of.

    `kept` says where its messages are: in the project on the server that `scope` names, or on
    this machine. `messages` counts those that this machine had part in.
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
    """A question with its files, and what was answered.

    `broken_off` is the code of what ended the answer early (`interrupted`, `timeout`, …).
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
    """One side of a turn as it is shown. `at` and `model` are `None` where nobody noted them."""

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
    """Keeps conversations in one place: on a server, or on this machine."""

    def start(self, assistant: str, title: str) -> Conversation:
        """A new conversation without messages. It is remembered with its first turn."""
        ...

    def branch(self, conversation: Conversation) -> Conversation:
        """The conversation in which the last question can be asked again: mostly the same.

        A new one with the turns before it where the model would still see the last turn.
        """
        ...

    def past(self, conversation: Conversation, *, again: bool) -> Sequence[Turn]:
        """What the model has to be given of what was said; nothing where the server knows it.

        Args:
            conversation: that goes on.
            again: its last question is asked again, so the last turn is left out.

        Raises:
            NotFound: the conversation is gone.
        """
        ...

    def record(
        self, conversation: Conversation, turn: Turn, sent: Sequence[PastMessage], *, again: bool
    ) -> Conversation:
        """Keep a turn, whole or broken off; `again` as in `past`: it replaces the last one.

        Args:
            conversation: in which it was said.
            turn: what was said.
            sent: its two messages as a model is given them.
            again: whether it replaces the last turn.
        """
        ...

    def restore(self, conversation: Conversation) -> None:
        """Nothing was answered: leave the conversation as it was before `past` with `again`."""
        ...

    def last_question(self, conversation: Conversation) -> Turn | None:
        """The last turn; of its answer no more is promised than that it was one."""
        ...

    def messages(self, conversation: Conversation) -> Iterator[Message]:
        """Everything that was said, oldest first, as it comes from where it is kept.

        Raises:
            NotFound: the conversation is gone.
        """
        ...

    def delete(self, conversation: Conversation) -> bool:
        """Delete it for good; false: it is not gptasst's, so it was only forgotten here."""
        ...
