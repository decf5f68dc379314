"""`Client.conversations`."""

from __future__ import annotations

from collections.abc import Sequence

from gptasst.context import AppContext
from gptasst.conversations.types import Conversation, Transcript


class Conversations:
    """The conversations that this machine knows, and those that the server finds by id.

    A conversation is kept on the server where assistants are, else on this machine. Runs go on
    with one by their option `conversation`. Wherever one is asked for, it is a `Conversation`,
    its id, its title, or the beginning of one of them; `NotFound` is raised where there is none.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def start(self) -> Conversation:
        """A new conversation in which nothing was said yet.

        Examples:
            >>> talk = client.conversations.start()
            >>> _ = client.run("DocWriter-1", text="Describe it.", conversation=talk)
            >>> again = client.run("DocWriter-1", text="Shorter.", conversation=talk)
            >>> again.conversation == talk.id
            True
        """
        return self._context.conversations.start()

    def list(self) -> Sequence[Conversation]:
        """Every known conversation, the one that was last spoken in first.

        Examples:
            >>> client.conversations.list()
            []
        """
        return self._context.conversations.list()

    def find(self, conversation: Conversation | str) -> Conversation:
        """A conversation by its id, its title, or the beginning of one of them.

        Raises:
            NotFound: nobody knows it; the hint has the nearest title.
            UsageError: several begin so.

        Examples:
            >>> talk = client.conversations.start()
            >>> client.conversations.find(talk.id).messages
            0
        """
        if isinstance(conversation, Conversation):
            return conversation
        return self._context.conversations.find(conversation)

    def get(self, conversation: Conversation | str) -> Transcript:
        """Everything that was said in a conversation, oldest first.

        Examples:
            >>> talk = client.conversations.start()
            >>> _ = client.run("DocWriter-1", text="Describe it.", conversation=talk)
            >>> [(each.role, each.text) for each in client.conversations.get(talk).messages]
            [('user', 'Describe it.'), ('assistant', '# A guide')]
        """
        return self._context.conversations.transcript(self.find(conversation))

    def delete(self, conversation: Conversation | str) -> bool:
        """Delete a conversation for good.

        Returns:
            False: it was not made by gptasst, so it is only forgotten here.

        Examples:
            >>> client.conversations.delete(client.conversations.start())
            True
        """
        return self._context.conversations.delete(self.find(conversation))
