"""Conversations: what was asked and answered, turn after turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gptasst.inputs.types import InputFile


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
