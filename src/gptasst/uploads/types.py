"""How far a transfer of many files has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class TransferState:
    """What was done, and what there is to do in all. `bytes` count uploads only.

    `waiting` is for another process that uploads, perhaps the same contents; `fetching` is the
    model that makes vectors.
    """

    phase: Literal["waiting", "uploading", "indexing", "fetching", "embedding"]
    files_done: int
    files: int
    bytes_done: int = 0
    bytes: int = 0


OnTransfer = Callable[[TransferState], None]


@dataclass(frozen=True, slots=True)
class KnowledgeSource:
    """A file on disk that becomes knowledge, as it was when it was hashed.

    `path` is what it is known by, `/` between parts; `size` is in bytes. `encoding` is that of its
    text where it was named.
    """

    path: str
    file: Path
    size: int
    sha256: str
    encoding: str | None = None
