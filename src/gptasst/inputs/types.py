"""Files as they were read or refused."""

from __future__ import annotations

from typing import Literal

from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of one run, read and checked.

    Exactly one of `text` (kind `text`) and `data` (the others) is set. `encoding` is what
    the text was decoded from; `size` is the file's, in bytes.
    """

    path: str
    kind: Literal["text", "document", "image"]
    media_type: str
    size: int
    text: str | None = None
    encoding: str | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that is not taken as knowledge, and why."""

    path: str
    reason: str
