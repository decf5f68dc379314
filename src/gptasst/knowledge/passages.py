"""From a document to passages that can be searched and quoted, in bounded memory."""

from __future__ import annotations

import contextlib
import itertools
import marshal
import re
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from gptasst.knowledge.formats import read_document
from gptasst.knowledge.formats.types import Document, Part
from gptasst.knowledge.types import Passage
from gptasst.storage.atomic_files import private_directory

# Characters, about 400 tokens: a few paragraphs.
PASSAGE_SIZE = 1600
# Smaller neighbours are joined, and so is a short rest with its predecessor.
_SMALL = PASSAGE_SIZE // 4

_BEGINNING = re.compile(r"#{1,6}\s|(def|class|func|fn|function|public|private)\s")


def passages_of(content: bytes, path: str) -> list[Passage]:
    """Split a file into passages of about `PASSAGE_SIZE` characters, and at most a quarter more.

    Raises:
        InvalidInput: see `read_document`.
    """
    return split(read_document(content, path))


def split(document: Document) -> list[Passage]:
    """The passages of a document, in order."""
    return [passage for part in _put_together(document.parts) for passage in _pieces(part)]


def _put_together(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Join the lines of short consecutive sections, so that passages don't get too small."""
    held: Part | None = None
    for part in parts:
        if held is not None and _belongs(held, part):
            text = f"{held.text}{part.text}"
            held = Part(text, heading=held.heading, unit="line", first=held.first)
            continue
        if held is not None:
            yield held
        held = part
    if held is not None:
        yield held


def _belongs(held: Part, part: Part) -> bool:
    lines = held.unit == part.unit == "line" and not held.place and not part.place
    small = len(held.text) < _SMALL and len(held.text) + len(part.text) <= PASSAGE_SIZE
    return lines and small and part.heading.startswith(held.heading)


def _pieces(part: Part) -> Iterator[Passage]:
    room = PASSAGE_SIZE - min(len(part.header), PASSAGE_SIZE // 2)
    whole = part.text.splitlines(keepends=True)
    if len(part.text) <= room + _SMALL:
        yield from _passage(part, part.text, part.first, part.first + len(whole) - 1)
        return
    numbers, lines = _numbered_lines(part, whole, room)
    ends = list(itertools.accumulate(map(len, lines), initial=0))
    start, following = 0, 1
    # The end is a passage, too, if it is just a bit too long.
    while ends[-1] - ends[start] > room + _SMALL:
        # The first line for which there is no room.
        last = max(following, bisect_right(ends, ends[start] + room) - 1)
        if last >= len(lines):
            break
        end = _best_break(lines, start, last)
        text = part.text[ends[start] : ends[end]]
        yield from _passage(part, text, numbers[start], numbers[end - 1])
        start, following = end, last + 1
    yield from _passage(part, part.text[ends[start] :], numbers[start], numbers[-1])


def _numbered_lines(
    part: Part, lines: Sequence[str], room: int
) -> tuple[Sequence[int], Sequence[str]]:
    """The number of each line, and the line with its end; one longer than a passage is split."""
    numbers = range(part.first, part.first + len(lines))
    if max(map(len, lines)) <= room:
        return numbers, lines
    pieces = [
        (number, line[start : start + room])
        for number, line in zip(numbers, lines, strict=True)
        for start in range(0, len(line), room)
    ]
    return [number for number, _ in pieces], [piece for _, piece in pieces]


def _best_break(lines: Sequence[str], start: int, end: int) -> int:
    """Where a passage from `start` ends: before a heading, else after a blank line, else at `end`.

    Only the second half is searched, so that passages don't get too small.
    """
    later = range(end - 1, start + (end - start) // 2, -1)
    for index in later:
        if _BEGINNING.match(lines[index]):
            return index
    for index in later:
        if lines[index - 1].isspace():
            return index
    return end


def _passage(part: Part, lines: str, first: int, last: int) -> Iterator[Passage]:
    text = lines.strip("\r\n")
    if text and not text.isspace():
        whole = f"{part.header[: PASSAGE_SIZE // 2]}\n{text}" if part.header else text
        yield Passage(whole, _place(part, first, last), part.heading)


def _place(part: Part, first: int, last: int) -> str:
    counted = f"{part.unit} {first}" if first == last else f"{part.unit}s {first}-{last}"
    return ", ".join(filter(None, [part.place, counted if part.unit else ""]))


_MOST_HELD = 8_000_000  # characters


class PassageSpool:
    """Holds passages by key until they are stored: the first in memory, the rest in a file.

    Args:
        directory: for that file, which has no name and disappears with the process.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[object, Sequence[Passage]] = {}
        self._size = 0
        self._places: dict[object, int] = {}
        self._file: IO[bytes] | None = None

    def __contains__(self, key: object) -> bool:
        return key in self._held or key in self._places

    def put(self, key: object, passages: Sequence[Passage]) -> None:
        """Raises OSError if the disk is full or not writable."""
        size = sum(len(passage.text) for passage in passages)
        if self._size + size <= _MOST_HELD:
            self._held[key] = passages
            self._size += size
            return
        if self._file is None:
            directory = private_directory(self._directory)
            self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  # see clear
        self._places[key] = self._file.seek(0, 2)
        marshal.dump([(p.text, p.place, p.heading) for p in passages], self._file)

    def get(self, key: object) -> Sequence[Passage]:
        if key in self._held:
            return self._held[key]
        assert self._file is not None
        self._file.seek(self._places[key])
        return [Passage(*fields) for fields in marshal.load(self._file)]  # noqa: S302  # our own

    def clear(self) -> None:
        self._held.clear()
        self._size = 0
        self._places.clear()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
