"""Conversations as documents to read and keep."""

from __future__ import annotations

from datetime import datetime

from gptasst.conversations.types import Message, Transcript


def as_markdown(transcript: Transcript) -> str:
    """A conversation in Markdown: a heading a message, its text as it was."""
    conversation = transcript.conversation
    name = conversation.assistant
    head = f"# {conversation.title or conversation.id}\n\nConversation `{conversation.id}`"
    head += f" with {name}\n" if name else "\n"
    return "\n".join([head, *(_section(message, name) for message in transcript.messages)])


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
