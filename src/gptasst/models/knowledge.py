"""The files that an assistant always has, and what is found in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class KnowledgeFile:
    """One knowledge file of an assistant. `size` is in bytes, `sha256` is of the content.

    `sha256` is empty for a file that gptasst did not put there; `problem` says why the server
    could not index it.
    """

    id: str
    path: str
    size: int
    sha256: str
    added_at: datetime
    status: str = "completed"
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class KnowledgeSource:
    """A file on disk that becomes knowledge, as it was when it was hashed.

    `path` is what it is known by, `/` between parts; `size` is in bytes.
    """

    path: str
    file: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that is not taken as knowledge, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """A path that gets new content."""

    source: KnowledgeSource
    old: KnowledgeFile


@dataclass(frozen=True, slots=True)
class KnowledgePlan:
    """What it takes to bring an assistant's knowledge into line with files on disk."""

    add: tuple[KnowledgeSource, ...] = ()
    replace: tuple[Replacement, ...] = ()
    remove: tuple[KnowledgeFile, ...] = ()
    unchanged: tuple[KnowledgeFile, ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def wanted(self) -> tuple[KnowledgeSource, ...]:
        """The files whose content has to get to the store."""
        return self.add + tuple(replacement.source for replacement in self.replace)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.add or self.replace or self.remove)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage of knowledge that fits a task; `path` names the file."""

    path: str
    place: str
    text: str
