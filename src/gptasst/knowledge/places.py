"""Where a passage that a server found is in its file, if that file is here."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gptasst.api.types import ModelAnswer

_MOST_BYTES = 5_000_000


class LocalPlaces:
    """Finds passages in text files of this machine; each file is read once.

    Servers send the text of a passage and not where it is; OGX leaves out blank lines. A place is
    only named if the file has these words, once, whatever white space is between them.
    """

    def __init__(self) -> None:
        self._read: dict[str, tuple[str, Sequence[int]]] = {}

    def of(self, path: str, passage: str) -> str:
        """The lines of a passage: `lines 10-24`; empty if they are not known."""
        words = passage.split()
        if not words:
            return ""
        if path not in self._read:
            self._read[path] = _words(_text(Path(path)))
        text, lines = self._read[path]
        sought = " ".join(words)
        start = text.find(sought)
        if start < 0 or text.find(sought, start + 1) >= 0:
            return ""
        before = text.count(" ", 0, start)
        first, last = lines[before], lines[before + len(words) - 1]
        return f"line {first}" if first == last else f"lines {first}-{last}"


def with_places(answer: ModelAnswer) -> ModelAnswer:
    """An answer whose citations and passages have the lines that are known."""
    places = LocalPlaces()
    citations = tuple(
        replace(c, place=c.place or places.of(c.path, c.quote)) for c in answer.citations
    )
    passages = tuple(
        replace(p, place=p.place or places.of(p.path, p.text)) for p in answer.passages
    )
    return replace(answer, citations=citations, passages=passages)


def _words(text: str) -> tuple[str, Sequence[int]]:
    """The words of a text with one space between them, and the line of each."""
    lines = [n for n, line in enumerate(text.split("\n"), start=1) for _ in line.split()]
    return " ".join(text.split()), lines


def _text(file: Path) -> str:
    """The text of a file; empty if it is not here, too large, or not UTF-8."""
    try:
        there = file.stat()
        if not stat.S_ISREG(there.st_mode) or there.st_size > _MOST_BYTES:
            return ""
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError):
        return ""
