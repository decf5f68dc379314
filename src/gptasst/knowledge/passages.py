"""From a document to passages that can be searched and quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gptasst.knowledge.formats import read_document
from gptasst.knowledge.formats.types import Document, Part
from gptasst.knowledge.types import Passage

# In characters: about 400 tokens, a few paragraphs.
PASSAGE_SIZE = 1600
# Neighbours that are smaller are put together, and so is a rest with what is before it.
_SMALL = PASSAGE_SIZE // 4

_BEGINNING = re.compile(r"#{1,6}\s|(def|class|func|fn|function|public|private)\s")


def passages_of(content: bytes, path: str) -> list[Passage]:
    """Split a file into passages of about `PASSAGE_SIZE` characters, and at most a quarter more.

    Raises:
        InvalidInput: see `read_document`.
    """
    return split(read_document(content, path))


def split(document: Document) -> list[Passage]:
    """The passages of a document, in its order."""
    return [passage for part in _put_together(document.parts) for passage in _pieces(part)]


def _put_together(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Lines under small headings that follow each other, so that passages don't get small."""
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
    lines: list[tuple[int, str]] = []
    size = 0
    left = len(part.text)
    room = PASSAGE_SIZE - min(len(part.header), PASSAGE_SIZE // 2)
    for number, line in _numbered_lines(part, room):
        if lines and size + len(line) > room and size + left > room + _SMALL:
            kept = _best_break([text for _, text in lines])
            yield from _passage(part, lines[:kept])
            lines = lines[kept:]
            size = sum(len(text) for _, text in lines)
        lines.append((number, line))
        size += len(line)
        left -= len(line)
    yield from _passage(part, lines)


def _numbered_lines(part: Part, room: int) -> Iterator[tuple[int, str]]:
    """Lines with number and end; one longer than a passage comes in pieces."""
    for number, line in enumerate(part.text.splitlines(keepends=True), start=part.first):
        for start in range(0, len(line), room):
            yield number, line[start : start + room]


def _best_break(lines: list[str]) -> int:
    """How many lines make a passage: up to a heading, else a blank line, else all.

    Only the second half is searched, so that passages don't get small.
    """
    later = range(len(lines) - 1, len(lines) // 2, -1)
    for index in later:
        if _BEGINNING.match(lines[index]):
            return index
    for index in later:
        if not lines[index - 1].strip():
            return index
    return len(lines)


def _passage(part: Part, lines: list[tuple[int, str]]) -> Iterator[Passage]:
    text = "".join(line for _, line in lines).strip("\r\n")
    if text.strip():
        whole = f"{part.header[: PASSAGE_SIZE // 2]}\n{text}" if part.header else text
        yield Passage(whole, _place(part, lines[0][0], lines[-1][0]), part.heading)


def _place(part: Part, first: int, last: int) -> str:
    counted = f"{part.unit} {first}" if first == last else f"{part.unit}s {first}-{last}"
    return ", ".join(filter(None, [part.place, counted if part.unit else ""]))
