"""The values of knowledge: files, passages, plans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from datetime import datetime

from gptasst.inputs.reading import Refusal
from gptasst.uploads.types import KnowledgeSource
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document that can be searched and quoted.

    `place` is its location as text: `lines 10-24`, `page 3`, `sheet Prices, rows 2-40`, `slide 4`.
    `heading` has its headings, outermost first: `Setup > Linux`; empty without any.
    """

    text: str
    place: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage found by a search. `score` is only comparable within one search.

    `words` are the question's words in it; `similarity` is the cosine of the embeddings, from -1 to
    1, if there are any.
    """

    path: str
    place: str
    text: str
    score: float
    heading: str = ""
    words: tuple[str, ...] = ()
    similarity: float | None = None


def shown_score(score: float) -> float:
    """A score without digits that only come from rounding: 0.3 for 0.30000000000000004."""
    return float(f"{score:.6g}")


@dataclass(frozen=True, slots=True)
class KnowledgeFile:
    """A knowledge file of an assistant. `size` is in bytes, `sha256` is that of the content.

    `sha256` is empty for a file that gptasst did not add; `problem` is why the server could not
    index it. `sent_sha256` is that of its text, if the server only has the text.
    """

    id: str
    path: str
    size: int
    sha256: str
    added_at: datetime
    status: str = "completed"
    problem: str | None = None
    sent_sha256: str = ""

    @property
    def is_late(self) -> bool:
        """Whether it is on the server, and not indexed."""
        return self.status not in ("completed", "gone")


@dataclass(frozen=True, slots=True)
class Replacement:
    """A path that gets new content."""

    source: KnowledgeSource
    old: KnowledgeFile


@dataclass(frozen=True, slots=True)
class KnowledgePlan:
    """The changes that update an assistant's knowledge from files on disk.

    `whole`: the plan is the whole knowledge, whatever others add in the meantime. `follows`: the
    plan was made from existing knowledge; it fails if others remove some of that, and their
    additions stay. `kept` are the files on disk of unchanged knowledge. `unread` are unreadable
    directories and files, which are also in `refused`; knowledge from below them stays.
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
        """The files whose content must be added to the store."""
        return self.add + tuple(replacement.source for replacement in self.replace)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.add or self.replace or self.remove)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage of knowledge for a task; `path` is its file."""

    path: str
    place: str
    text: str


def knowledge_sha256(files: Iterable[KnowledgeFile]) -> str:
    """The sha256 over paths and contents in hex, independent of order; empty without files."""
    return sha256_of_knowledge((file.path, file.sha256) for file in files)


def sha256_of_knowledge(contents: Iterable[tuple[str, str]]) -> str:
    """The same over pairs of path and sha256."""
    import hashlib

    lines = sorted(f"{sha256} {path}" for path, sha256 in contents)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""
