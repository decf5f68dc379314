"""Split a text for requests: all of it, groups of blocks, or single blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gptasst.edits.alignment import Among, Key
from gptasst.edits.document import EditedText
from gptasst.edits.types import Block
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text for one request: the text, and its sections or blocks.

    `problem` is what was wrong with an earlier answer.
    """

    text: str
    among: Among
    problem: str | None = None

    @property
    def is_one_block(self) -> bool:
        """Whether it is a single block."""
        return not isinstance(self.among, range) and len(self.among) == 1


def whole(edited: EditedText) -> Piece:
    """The whole text as one piece."""
    return Piece(edited.text, range(len(edited.sections)))


def groups(edited: EditedText, most: int) -> Iterator[Piece]:
    """Groups of neighbouring sections, up to `most` characters; larger sections by blocks.

    Pieces without editable blocks are left out.
    """
    for sections in _grouped_sections(edited, most):
        if not any(True for _ in edited.editable(sections)):
            continue
        span = edited.sections.span(sections)
        text = edited.text[span.start : span.end].strip("\r\n")
        if len(text) > most:
            yield from _grouped_blocks(edited, most, edited.keys(sections))
        else:
            yield Piece(text, sections)


def _grouped_sections(edited: EditedText, most: int) -> Iterator[range]:
    start = 0
    for number in range(len(edited.sections)):
        span = edited.sections.span(range(start, number + 1))
        if number > start and span.end - span.start > most:
            yield range(start, number)
            start = number
    yield range(start, len(edited.sections))


def _grouped_blocks(edited: EditedText, most: int, among: Iterable[Key]) -> Iterator[Piece]:
    found: list[list[Key]] = []
    for key in among:
        if found and _follows(edited, found[-1][-1], key):
            begin = edited.block(found[-1][0]).start
            block = edited.block(key)
            if block.end - begin <= most or _is_row(block):  # don't split a table
                found[-1].append(key)
                continue
        found.append([key])
    for group in found:
        if any(map(edited.is_open, group)):
            yield Piece(_text(edited, group), tuple(group))


def _follows(edited: EditedText, one: Key, other: Key) -> bool:
    if one[0] == other[0]:
        return one[1] + 1 == other[1]
    ends = one[1] + 1 == len(edited.sections.blocks(one[0]))
    return one[0] + 1 == other[0] and ends and other[1] == 0


def missing(edited: EditedText, most: int) -> Iterator[Piece]:
    """The blocks without an answer, in groups of up to `most` characters."""
    keys = [key for key in edited.unsettled() if edited.reason(key) is None]
    tables = {each for key in keys for each in _with_table(edited, key)}
    yield from _grouped_blocks(edited, most, sorted(tables))


def refused(edited: EditedText) -> Iterator[Piece]:
    """The blocks with a refused answer, each by itself with the reason."""
    for key in edited.unsettled():
        problem = edited.reason(key)
        if problem is not None:
            around = _with_table(edited, key)
            yield Piece(_text(edited, around), tuple(around), problem)


def blocks(edited: EditedText) -> Iterator[Piece]:
    """Each editable block by itself; a table is one piece."""
    last: Sequence[Key] = ()
    for key in edited.editable():
        if key not in last:
            last = _with_table(edited, key)
            yield Piece(_text(edited, last), tuple(last))


def _is_row(block: Block) -> bool:
    return block.kind in ("row", "table_line")


def _with_table(edited: EditedText, key: Key) -> list[Key]:
    """A block, or all rows of a row's table."""
    section, index = key
    blocks = edited.sections.blocks(section)
    if not _is_row(blocks[index]):
        return [key]
    first = last = index
    while first > 0 and _continues(blocks[first - 1], blocks[first]):
        first -= 1
    while last + 1 < len(blocks) and _continues(blocks[last], blocks[last + 1]):
        last += 1
    return [(section, at) for at in range(first, last + 1)]


def _continues(above: Block, below: Block) -> bool:
    return _is_row(above) and _is_row(below) and above.last_line + 1 == below.first_line


def _text(edited: EditedText, keys: Sequence[Key]) -> str:
    """The text of neighbouring blocks; a single one without list markers."""
    first, last = edited.block(keys[0]), edited.block(keys[-1])
    if len(keys) > 1 or not first.path or not first.fields or _is_row(first):
        return edited.text[first.start : last.end]
    content = edited.parsed.content(first)
    if first.kind.startswith("heading") and "\n" not in content:
        return f"{'#' * int(first.kind[-1])} {content}"
    return content
