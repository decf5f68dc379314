"""The files that an assistant always has, and what is found in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KnowledgeFile:
    """One knowledge file of an assistant. `size` is in bytes, `sha256` is of the content."""

    id: str
    path: str
    size: int
    sha256: str
    added_at: datetime
    status: str = "completed"


@dataclass(frozen=True, slots=True)
class KnowledgeSource:
    """A file on disk that becomes knowledge. `path` is what it is known by, `/` between parts."""

    path: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: `place` says where in it (`lines 10-24`, `page 3`)."""

    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage of knowledge that fits a task; `path` names the file."""

    path: str
    place: str
    text: str
