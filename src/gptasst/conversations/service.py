"""Find, read and delete conversations, wherever they are stored."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gptasst.config.profile import Profile
from gptasst.conversations.local import ConversationIndex
from gptasst.conversations.types import Conversation, Message, Transcript
from gptasst.errors import GptasstError, NotFound, UsageError
from gptasst.hints import cmd, did_you_mean

if TYPE_CHECKING:
    from gptasst.conversations.local import LocalConversations
    from gptasst.conversations.server import OpenAIConversations
    from gptasst.conversations.types import ConversationKeeper

_LIST_HINT = f"{cmd('conversation list')} shows those that this machine knows"
_ID_PREFIX = "conv_"


class ConversationService:
    """The conversations known to this machine, and those on the server by id.

    Args:
        profile: decides where new conversations are stored.
        index: the conversations known to this machine.
        local: the local store.
        open_remote: opens the store of the profile's project.
    """

    def __init__(
        self,
        profile: Profile,
        index: ConversationIndex,
        local: LocalConversations,
        open_remote: Callable[[], OpenAIConversations],
    ) -> None:
        self._profile = profile
        self._index = index
        self._local = local
        self._open_remote = open_remote

    def list(self) -> Sequence[Conversation]:
        """Every known conversation, the most recently used first."""
        return self._index.list()

    def start(self) -> Conversation:
        """A new, empty conversation; its first turn sets its title."""
        conversation = self.keeper(None).start("", "")
        self._index.add(conversation)
        return conversation

    def remember(self, conversation: Conversation) -> None:
        """Add a conversation without messages, or without known ones, to the index."""
        self._index.add(conversation)

    def discard(self, conversation: Conversation) -> None:
        """Delete an empty conversation; if that fails, it stays in the list."""
        try:
            self.delete(conversation)
        except GptasstError:
            self.remember(conversation)

    def last(self, assistant: str) -> Conversation | None:
        """The last conversation with an assistant in the profile's store, if there is one."""
        store = self._profile.store
        scope = self._profile.scope if store == "openai" else ""
        for known in self._index.list():
            if (known.assistant, known.kept, known.scope) == (assistant, store, scope):
                return known
        return None

    def find(self, asked: str) -> Conversation:
        """A conversation by its id, its title, or the start of either.

        Raises:
            NotFound: there is none; the hint suggests a similar title.
            UsageError: several match, or it contains an assistant's definitions.
        """
        known = self._index.list()
        for matches in (_is, _begins):
            found = [conversation for conversation in known if matches(conversation, asked)]
            if len(found) > 1:
                ids = ", ".join(conversation.id for conversation in found[:5])
                raise UsageError(
                    f"`{asked}` means {len(found)} conversations", hint=f"use an id: {ids}"
                )
            if found:
                return found[0]
        if asked.startswith(_ID_PREFIX) and self._profile.store == "openai":
            return self._open_remote().look_up(asked)
        titles = [conversation.title for conversation in known]
        raise NotFound(f"no conversation `{asked}`", hint=did_you_mean(asked, titles, _LIST_HINT))

    def transcript(self, conversation: Conversation) -> Transcript:
        """All messages.

        Raises:
            NotFound: it is gone.
        """
        return Transcript(conversation, tuple(self.messages(conversation)))

    def messages(self, conversation: Conversation) -> Iterator[Message]:
        """All messages, oldest first, as they arrive from the store.

        Raises:
            NotFound: it is gone.
        """
        return self.keeper(conversation).messages(conversation)

    def delete(self, conversation: Conversation) -> bool:
        """Delete it permanently; `False` if gptasst did not create it and only removed it here."""
        return self.keeper(conversation).delete(conversation)

    def keeper(self, conversation: Conversation | None) -> ConversationKeeper:
        """The store of a conversation, or (`None`) of a new one.

        Raises:
            UsageError: it belongs to another project.
        """
        if conversation is None:
            return self._open_remote() if self._profile.store == "openai" else self._local
        if conversation.kept == "local":
            return self._local
        if conversation.scope != self._profile.scope or self._profile.store != "openai":
            raise UsageError(
                f"conversation `{conversation.id}` is kept by {conversation.scope}",
                hint=f"--profile {shlex.quote(conversation.profile)} was used to start it",
                code="other_profile",
            )
        return self._open_remote()


def _is(conversation: Conversation, asked: str) -> bool:
    return asked in (conversation.id, conversation.title)


def _begins(conversation: Conversation, asked: str) -> bool:
    beginning = asked.casefold()
    return bool(beginning) and any(
        text.casefold().startswith(beginning) for text in (conversation.id, conversation.title)
    )


def as_markdown(transcript: Transcript) -> str:
    """A conversation in Markdown: a heading for each message, with its text unchanged."""
    return "".join(markdown_pieces(transcript.conversation, transcript.messages))


def markdown_pieces(conversation: Conversation, messages: Iterable[Message]) -> Iterator[str]:
    """The same in pieces, as messages arrive."""
    name = conversation.assistant
    head = f"# {conversation.title or conversation.id}\n\nConversation `{conversation.id}`"
    yield head + (f" with {name}\n" if name else "\n")
    for message in messages:
        yield f"\n{_section(message, name)}"


def _section(message: Message, assistant: str) -> str:
    who = "You" if message.role == "user" else assistant or message.role
    notes = [message.model, message.at and _moment(message.at)]
    said = ", ".join(note for note in notes if note)
    parts = [f"## {who}{f' ({said})' if said else ''}"]
    if message.text:
        parts.append(message.text.rstrip("\n"))
    if message.files:
        parts.append("Files: " + ", ".join(f"`{path}`" for path in message.files))
    if message.broken_off:
        parts.append(f"*The answer broke off here: {message.broken_off.replace('_', ' ')}.*")
    return "\n\n".join(parts) + "\n"


def _moment(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
