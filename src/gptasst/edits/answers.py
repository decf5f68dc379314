"""An answer beside the text that it is of: which of its blocks stands for which of the text's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gptasst.edits.alignment import align, same, stretches
from gptasst.edits.blocks import Sections
from gptasst.edits.types import Block, Parsed
from gptasst.edits.wrapping import readings

# What an answer has beyond this, against the text that it is of, is no edit of it.
_LONGEST = 4
_SLACK = 10_000

Key = tuple[int, int]  # a section, and a block's number there
Among = range | Sequence[Key]


@dataclass(slots=True)
class Answered:
    """One reading of an answer. `same` are sections of the text that are in it as they are."""

    sections: Sections
    same: list[int] = field(default_factory=list)
    pairs: list[tuple[Key, Block]] = field(default_factory=list)
    weight: int = 0

    def lines(self, block: Block) -> list[list[str]]:
        """What a block of the answer says: for each field its lines."""
        text = self.sections.text
        return [[text[span.start : span.end] for span in spans] for spans in block.fields]

    def ends_early(self, text: Sections, asked: Among) -> bool:
        """Whether the end of what was asked for is not in it."""
        if isinstance(asked, range):
            if not asked or asked[-1] in self.same:
                return False
            last = (asked[-1], len(text.blocks(asked[-1])) - 1)
        else:
            last = max(asked, default=(0, -1))
        return last[1] >= 0 and all(key != last for key, _ in self.pairs)

    def is_last(self, block: Block) -> bool:
        """Whether a block is the last one of the answer."""
        for number in reversed(range(len(self.sections))):
            if blocks := self.sections.blocks(number):
                return block.start == blocks[-1].start
        return False


def best_reading(answer: str, text: Sections, asked: Among, *, free: bool) -> Answered:
    """The reading of an answer that has most of what was asked for."""
    length = _length(text, asked)
    best: Answered | None = None
    for reading in readings(answer[: _LONGEST * length + _SLACK], text.text):
        found = Answered(Sections(reading, text.form))
        if isinstance(asked, range):
            _align_sections(text, asked, found, free=free)
        else:
            _align_blocks(text, asked, found, range(len(found.sections)), free=free)
        if best is None or found.weight > best.weight:
            best = found
    assert best is not None
    return best


def _length(text: Sections, asked: Among) -> int:
    if not asked:
        return 0
    if isinstance(asked, range):
        span = text.span(asked)
        return span.end - span.start
    blocks = [text.blocks(section)[number] for section, number in asked]
    return sum(block.end - block.start for block in blocks)


def _align_sections(text: Sections, asked: range, found: Answered, *, free: bool) -> None:
    whole = (asked.start, asked.stop, 0, len(found.sections))
    alike = same(text.keys, found.sections.keys, whole)
    for number, _ in alike:
        found.same.append(number)
        found.weight += text.keys[number].count("\n") + 1  # at least as many as it has blocks
    for i1, i2, j1, j2 in stretches(alike, whole):
        if i1 < i2 and j1 < j2:
            keys = [(n, at) for n in range(i1, i2) for at in range(len(text.blocks(n)))]
            _align_blocks(text, keys, found, range(j1, j2), free=free)


def _align_blocks(
    text: Sections, asked: Sequence[Key], found: Answered, within: range, *, free: bool
) -> None:
    ours = [text.blocks(section)[number] for section, number in asked]
    theirs = [block for number in within for block in found.sections.blocks(number)]
    old = Parsed(text.text, tuple(ours))
    pairs = align(old, Parsed(found.sections.text, tuple(theirs)), free=free)
    found.pairs += [(asked[i], theirs[j]) for i, j in pairs.items()]
    found.weight += len(pairs)
