"""Limits of reading one document: its text, and the time it takes.

Readers count what they read, so that a hostile file is refused before its text fills the memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gptasst.errors import InvalidInput

# About the limit of OpenAI's search for one file, 5,000,000 tokens.
MAX_CHARACTERS = 20_000_000
# Of the processor's time, so that other programs on the machine don't matter; and for much text
# more: pypdf reads a manual of 1,400 pages in a minute, 50,000 characters a second.
MAX_SECONDS = 60.0
_CHARACTERS_A_SECOND = 10_000


class _Reading(threading.local):
    """What is left for the document that this thread reads; no limit between documents."""

    characters: float = float("inf")
    end: float = float("inf")


_reading = _Reading()


@contextmanager
def limited() -> Iterator[None]:
    """Read one document in this block."""
    _reading.characters = MAX_CHARACTERS
    _reading.end = time.thread_time() + MAX_SECONDS
    try:
        yield
    finally:
        _reading.characters = _reading.end = float("inf")


def count(text: str = "") -> None:
    """Count text that was read; without text, only check the time.

    Raises:
        InvalidInput: the document has too much text, or takes too long.
    """
    _reading.characters -= len(text)
    _reading.end += len(text) / _CHARACTERS_A_SECOND
    if _reading.characters < 0:
        check_length(MAX_CHARACTERS + 1)
    if time.thread_time() > _reading.end:
        raise InvalidInput(f"it takes more than {MAX_SECONDS:g} s to read", hint=_SPLIT)


def check_length(characters: int) -> None:
    """Raise InvalidInput if a document has too many characters."""
    if characters > MAX_CHARACTERS:
        raise InvalidInput(f"it has more than {MAX_CHARACTERS:,} characters", hint=_SPLIT)


_SPLIT = "split it into smaller files"
