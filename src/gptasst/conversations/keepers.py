"""What keeps the messages of conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gptasst.api.types import PastMessage
from gptasst.conversations.types import Conversation, Message, Turn


class ConversationKeeper(Protocol):
    """Keeps conversations in one place: on a server, or on this machine."""

    def start(self, assistant: str, title: str) -> Conversation:
        """A new conversation without messages. It is remembered with its first turn."""
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

    def messages(self, conversation: Conversation) -> Sequence[Message]:
        """Everything that was said, oldest first.

        Raises:
            NotFound: the conversation is gone.
        """
        ...

    def delete(self, conversation: Conversation) -> bool:
        """Delete it for good; false: it is not gptasst's, so it was only forgotten here."""
        ...
