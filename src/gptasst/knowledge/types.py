"""What a knowledge file is made of, for those who read it, search it and quote it."""

from __future__ import annotations

from dataclasses import dataclass


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
