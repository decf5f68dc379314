"""What of a text goes into one request: all of it, groups of its blocks, or single blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gptasst.edits.document import EditedText
from gptasst.edits.types import Block


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, to be asked for: what is sent, and the blocks it stands for.

    `problem` is what was wrong with an earlier answer for it.
    """

    text: str
    blocks: tuple[int, ...]
    problem: str | None = None


def whole(edited: EditedText) -> Piece:
    """All of a text in one piece."""
    return Piece(edited.text, tuple(range(len(edited.blocks))))


def groups(edited: EditedText, most: int, among: Sequence[int] | None = None) -> list[Piece]:
    """Neighbouring blocks together, up to `most` characters a piece; a larger block is alone.

    Pieces without a block that may change are left out.
    """
    indices = list(range(len(edited.blocks)) if among is None else among)
    open_blocks = set(edited.editable)
    found: list[list[int]] = []
    for index in indices:
        block = edited.blocks[index]
        if found and found[-1][-1] == index - 1:
            begin = edited.blocks[found[-1][0]].start
            if block.end - begin <= most or _is_row(block):  # a table is not taken apart
                found[-1].append(index)
                continue
        found.append([index])
    return [
        Piece(_text(edited, group), tuple(group))
        for group in found
        if not open_blocks.isdisjoint(group)
    ]


def again(edited: EditedText, most: int) -> list[Piece]:
    """What is to be asked for once more: refused blocks alone, missing ones with their like."""
    missing: list[int] = []
    pieces: list[Piece] = []
    for index in edited.unsettled():
        problem = edited.reason(index)
        if problem is None:
            missing.append(index)
        else:
            around = _table(edited.blocks, index) if _is_row(edited.blocks[index]) else [index]
            pieces.append(Piece(_text(edited, around), tuple(around), problem))
    return [*groups(edited, most, _with_tables(edited, missing)), *pieces]


def blocks(edited: EditedText) -> list[Piece]:
    """Each block that may change, alone; a table is one piece."""
    pieces: list[Piece] = []
    for index in edited.editable:
        if pieces and index in pieces[-1].blocks:
            continue
        around = _table(edited.blocks, index) if _is_row(edited.blocks[index]) else [index]
        pieces.append(Piece(_text(edited, around), tuple(around)))
    return pieces


def _is_row(block: Block) -> bool:
    return block.kind in ("row", "table_line")


def _table(blocks: Sequence[Block], index: int) -> list[int]:
    """The rows of the table that a row is of."""
    first = last = index
    while first > 0 and _continues(blocks[first - 1], blocks[first]):
        first -= 1
    while last + 1 < len(blocks) and _continues(blocks[last], blocks[last + 1]):
        last += 1
    return list(range(first, last + 1))


def _continues(above: Block, below: Block) -> bool:
    return _is_row(above) and _is_row(below) and above.last_line + 1 == below.first_line


def _with_tables(edited: EditedText, indices: Sequence[int]) -> list[int]:
    wanted = set(indices)
    for index in indices:
        if _is_row(edited.blocks[index]):
            wanted.update(_table(edited.blocks, index))
    return sorted(wanted)


def _text(edited: EditedText, indices: Sequence[int]) -> str:
    """The text of neighbouring blocks; of a single one, without the marks of lists around it."""
    first, last = edited.blocks[indices[0]], edited.blocks[indices[-1]]
    if len(indices) > 1 or not first.path or not first.fields or _is_row(first):
        return edited.text[first.start : last.end]
    content = edited.parsed.content(first)
    if first.kind.startswith("heading") and "\n" not in content:
        return f"{'#' * int(first.kind[-1])} {content}"
    return content
