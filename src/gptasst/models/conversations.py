"""Conversations on a server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConversationItem:
    """A message of a conversation: `role` is `user`, `assistant`, `developer` or `system`."""

    id: str
    role: str
    text: str
