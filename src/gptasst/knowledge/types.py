"""What a knowledge file is made of, for those who read it, search it and quote it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import field
from datetime import datetime

from gptasst.inputs.reading import Refusal
from gptasst.uploads.types import KnowledgeSource
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that is searched and quoted.

    `place` says where it is in words that people use: `lines 10-24`, `page 3`,
    `sheet Prices, rows 2-40`, `slide 4`. `heading` has the headings it stands under, outermost
    first: `Setup > Linux`; empty where there is none.
    """

    text: str
    place: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that a search found, best first by `score`, which compares within one search.

    `words` are those of the question that it holds; `similarity` is that of its meaning, from -1
    to 1, where meanings were compared.
    """

    path: str
    place: str
    text: str
    score: float
    heading: str = ""
    words: tuple[str, ...] = ()
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class KnowledgeFile:
    """One knowledge file of an assistant. `size` is in bytes, `sha256` is of the content.

    `sha256` is empty for a file that gptasst did not put there; `problem` says why the server
    could not index it. `sent_sha256` is that of its text, where the server has only that.
    """

    id: str
    path: str
    size: int
    sha256: str
    added_at: datetime
    status: str = "completed"
    problem: str | None = None
    sent_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A path that gets new content."""

    source: KnowledgeSource
    old: KnowledgeFile


@dataclass(frozen=True, slots=True)
class KnowledgePlan:
    """What it takes to bring an assistant's knowledge into line with files on disk.

    `whole`: nothing else is to be there, whatever others add meanwhile. `follows`: it was made
    from what was there, so it is void if others take some of that away, and what they add stays.
    `kept` are the files on disk of what is unchanged. `unread` are directories and files that
    could not be read; they are in `refused`, too, and what is known from below them stays.
    """

    add: tuple[KnowledgeSource, ...] = ()
    replace: tuple[Replacement, ...] = ()
    remove: tuple[KnowledgeFile, ...] = ()
    unchanged: tuple[KnowledgeFile, ...] = ()
    refused: tuple[Refusal, ...] = ()
    whole: bool = False
    follows: bool = field(default=False, repr=False)
    kept: tuple[KnowledgeSource, ...] = field(default=(), repr=False)
    unread: tuple[Refusal, ...] = field(default=(), repr=False)

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


def knowledge_sha256(files: Iterable[KnowledgeFile]) -> str:
    """The sha256 over paths and contents in hex, whatever their order; empty without files."""
    return sha256_of_knowledge((file.path, file.sha256) for file in files)


def sha256_of_knowledge(contents: Iterable[tuple[str, str]]) -> str:
    """The same over pairs of path and sha256."""
    lines = sorted(f"{sha256} {path}" for path, sha256 in contents)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""
