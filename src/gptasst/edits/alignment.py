"""Align an answer with its text: match the blocks of both.

Blocks are only matched in order. Identical ones are matched first. Between them, if the same kinds
of blocks come in the same order, they are matched one to one. Else close edits are matched by
similarity, and free ones (translations) by their headings.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field

from gptasst.edits.blocks import Sections
from gptasst.edits.difference import likeness, pairs_of
from gptasst.edits.types import Block, Parsed
from gptasst.values import dataclass

_ALIKE = 0.5
# Beyond this many pairs of blocks, each is only compared with the next few.
_MOST_PAIRS = 4_000
_WINDOW = 12

Pairs = Iterator[tuple[int, int]]
Stretch = tuple[int, int, int, int]  # start and end of blocks in the text, then in the answer


def align(old: Parsed, new: Parsed, *, free: bool) -> dict[int, int]:
    """For each block of a text with a match in the answer, the index of that match."""
    texts = [index for index, block in enumerate(new.blocks) if block.fields]
    if len(old.blocks) == len(texts) == 1:  # a block that was sent by itself
        return {0: texts[0]}
    return dict(_Aligner(old, new, free=free).pairs())


def same(old: Sequence[str], new: Sequence[str], stretch: Stretch) -> list[tuple[int, int]]:
    """Identical texts in both sequences: at the start, at the end, and in between.

    In between, if both have the same number, texts at the same positions are compared. Else unique
    ones are matched, as in patience diff, with their neighbours.
    """
    i1, i2, j1, j2 = stretch
    first = list(_run(old, new, (i1 - 1, j1 - 1), 1, (i2, j2)))
    i1, j1 = i1 + len(first), j1 + len(first)
    last = list(_run(old, new, (i2, j2), -1, (i1 - 1, j1 - 1)))[::-1]
    i2, j2 = i2 - len(last), j2 - len(last)
    between = _in_step(old, new, (i1, i2, j1, j2)) or _unique(old, new, (i1, i2, j1, j2))
    return [*first, *between, *last]


def _in_step(old: Sequence[str], new: Sequence[str], stretch: Stretch) -> list[tuple[int, int]]:
    """Pairs at the same positions, if both have the same number and most are identical."""
    i1, i2, j1, j2 = stretch
    if i2 - i1 != j2 - j1:
        return []
    pairs = zip(range(i1, i2), range(j1, j2), strict=True)
    found = [(i, j) for i, j in pairs if old[i] == new[j]]
    return found if 2 * len(found) > i2 - i1 else []


def _unique(old: Sequence[str], new: Sequence[str], stretch: Stretch) -> list[tuple[int, int]]:
    """The longest ordered series of unique texts, with identical neighbours."""
    i1, i2, j1, j2 = stretch
    once_old = _once(old, i1, i2)
    once_new = _once(new, j1, j2)
    anchors = _rising([(once_old[t], once_new[t]) for t in once_old if t in once_new])
    found: list[tuple[int, int]] = []
    last = (i1 - 1, j1 - 1)
    for at, anchor in enumerate(anchors):
        following = anchors[at + 1] if at + 1 < len(anchors) else (i2, j2)
        found += reversed(list(_run(old, new, anchor, -1, last)))
        found.append(anchor)
        found += _run(old, new, anchor, 1, following)
        last = found[-1]
    return found


def _run(
    old: Sequence[str],
    new: Sequence[str],
    anchor: tuple[int, int],
    step: int,
    stop: tuple[int, int],
) -> Pairs:
    i, j = anchor[0] + step, anchor[1] + step
    while (stop[0] - i) * step > 0 and (stop[1] - j) * step > 0 and old[i] == new[j]:
        yield i, j
        i, j = i + step, j + step


def stretches(pairs: Sequence[tuple[int, int]], whole: Stretch) -> Iterator[Stretch]:
    """The stretches between pairs."""
    i1, i2, j1, j2 = whole
    for i, j in [*pairs, (i2, j2)]:
        yield i1, i, j1, j
        i1, j1 = i + 1, j + 1


class _Aligner:
    def __init__(self, old: Parsed, new: Parsed, *, free: bool) -> None:
        self._old = [old.content(block) for block in old.blocks]
        self._new = [new.content(block) for block in new.blocks]
        self._old_blocks, self._new_blocks = old.blocks, new.blocks
        self._free = free

    def pairs(self) -> Pairs:
        """Identical blocks, and similar ones between them."""
        whole = (0, len(self._old), 0, len(self._new))
        alike = same(self._old, self._new, whole)
        yield from alike
        for stretch in stretches(alike, whole):
            yield from self._between(stretch)

    def _between(self, stretch: Stretch) -> Pairs:
        """Pairs of differing blocks; whether the change is allowed is checked elsewhere."""
        i1, i2, j1, j2 = stretch
        if i1 == i2 or j1 == j2:
            return
        if self._have_same_kinds(stretch):
            yield from zip(range(i1, i2), range(j1, j2), strict=True)
        elif self._free:
            yield from self._by_sections(stretch)
        elif (i2 - i1) * (j2 - j1) <= _MOST_PAIRS:
            yield from self._likest(stretch)
        else:
            yield from self._next_alike(stretch)

    def _have_same_kinds(self, stretch: Stretch) -> bool:
        i1, i2, j1, j2 = stretch
        return self._kinds(self._old_blocks, i1, i2) == self._kinds(self._new_blocks, j1, j2)

    def _by_sections(self, stretch: Stretch) -> Pairs:
        """Match sections with the same kinds of blocks under headings of the same levels."""
        i1, i2, j1, j2 = stretch
        ours = [i for i in range(i1, i2) if self._old_blocks[i].kind.startswith("heading")]
        theirs = [j for j in range(j1, j2) if self._new_blocks[j].kind.startswith("heading")]
        levels = [self._old_blocks[i].kind for i in ours]
        if not ours or levels != [self._new_blocks[j].kind for j in theirs]:
            return
        place = (i1, j1)
        for i, j in [*zip(ours, theirs, strict=True), (i2, j2)]:
            if self._have_same_kinds((place[0], i, place[1], j)):
                yield from zip(range(place[0], i), range(place[1], j), strict=True)
            if i < i2:
                yield i, j
            place = (i + 1, j + 1)

    def _kinds(self, blocks: Sequence[Block], start: int, end: int) -> list[tuple[object, ...]]:
        return [(b.kind, len(b.path), len(b.fields)) for b in blocks[start:end]]

    def _likest(self, stretch: Stretch) -> Pairs:
        """The ordered pairs with the greatest total similarity."""
        i1, i2, j1, j2 = stretch
        old = [pairs_of(text) for text in self._old[i1:i2]]
        new = [pairs_of(text) for text in self._new[j1:j2]]
        best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
        score = [
            [self._score(i1 + i, j1 + j, a, b) for j, b in enumerate(new)]
            for i, a in enumerate(old)
        ]
        for i in range(len(old) - 1, -1, -1):
            for j in range(len(new) - 1, -1, -1):
                taken = best[i + 1][j + 1] + score[i][j] if score[i][j] else 0.0
                best[i][j] = max(best[i + 1][j], best[i][j + 1], taken)
        i = j = 0
        while i < len(old) and j < len(new):
            if score[i][j] and best[i][j] == best[i + 1][j + 1] + score[i][j]:
                yield i1 + i, j1 + j
                i, j = i + 1, j + 1
            elif best[i][j] == best[i + 1][j]:
                i += 1
            else:
                j += 1

    def _score(self, i: int, j: int, old: Counter[str], new: Counter[str]) -> float:
        if bool(self._old_blocks[i].fields) != bool(self._new_blocks[j].fields):
            return 0.0
        alike = likeness(old, new)
        return alike if alike >= _ALIKE else 0.0

    def _next_alike(self, stretch: Stretch) -> Pairs:
        i1, i2, j1, j2 = stretch
        j = j1
        for i in range(i1, i2):
            old = pairs_of(self._old[i])
            near = range(j, min(j + _WINDOW, j2))
            scores = [(self._score(i, k, old, pairs_of(self._new[k])), -k) for k in near]
            score, index = max(scores, default=(0.0, 0))
            if score:
                yield i, -index
                j = 1 - index


def _once(texts: Sequence[str], start: int, end: int) -> dict[str, int]:
    count = Counter(texts[start:end])
    return {texts[i]: i for i in range(start, end) if count[texts[i]] == 1}


def _rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest series of pairs in which both numbers rise; the first ones rise already."""
    ends: list[int] = []
    tails: list[int] = []
    before: list[int | None] = []
    for index, (_, j) in enumerate(pairs):
        at = bisect_left(ends, j)
        before.append(tails[at - 1] if at else None)
        ends[at : at + 1] = [j]
        tails[at : at + 1] = [index]
    chain: list[tuple[int, int]] = []
    index_: int | None = tails[-1] if tails else None
    while index_ is not None:
        chain.append(pairs[index_])
        index_ = before[index_]
    return chain[::-1]


# An answer that is longer than this factor of its text is not an edit.
_LONGEST = 4

_SLACK = 10_000

Key = tuple[int, int]  # a section, and a block's index in it

Among = range | Sequence[Key]


@dataclass(slots=True)
class Answered:
    """An interpretation of an answer. `same` are sections that it repeats unchanged."""

    sections: Sections
    same: list[int] = field(default_factory=list)
    pairs: list[tuple[Key, Block]] = field(default_factory=list)
    weight: int = 0

    def lines(self, block: Block) -> list[list[str]]:
        """The lines of each field of a block in the answer."""
        text = self.sections.text
        return [[text[span.start : span.end] for span in spans] for spans in block.fields]

    def ends_early(self, text: Sections, asked: Among) -> bool:
        """Whether the end of the requested text is missing."""
        if isinstance(asked, range):
            if not asked or asked[-1] in self.same:
                return False
            last = (asked[-1], len(text.blocks(asked[-1])) - 1)
        else:
            last = max(asked, default=(0, -1))
        return last[1] >= 0 and all(key != last for key, _ in self.pairs)

    def is_last(self, block: Block) -> bool:
        """Whether a block is the last of the answer."""
        for number in reversed(range(len(self.sections))):
            if blocks := self.sections.blocks(number):
                return block.start == blocks[-1].start
        return False


def best_reading(answer: str, text: Sections, asked: Among, *, free: bool) -> Answered:
    """The interpretation of an answer with the most requested blocks."""
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


_TAG = re.compile(r"\s*<file\b[^<>]*>[ \t]*(?:\r\n|\r|\n)?")

_TAGS = re.compile(r"^[ \t]*</?file(?:\s[^<>\n]*)?>[ \t]*$", re.MULTILINE)

_FENCE = re.compile(r"\s*(?P<marks>`{3,}|~{3,})[^`\r\n]*(?:\r\n|\r|\n|$)")


def readings(answer: str, document: str) -> Iterator[str]:
    """All interpretations of an answer, the likeliest first."""
    plain = answer
    if "<file" not in document and "</file" not in document:
        opening = _TAG.match(answer)  # with its line end: front matter is on the first line
        plain = _TAGS.sub("", answer[opening.end() :] if opening else answer)
    yield plain
    bare = _without_fence(plain)
    if bare is not None:
        yield bare


def _without_fence(answer: str) -> str | None:
    """The text inside a fence at the start of an answer, or after a few words."""
    opening = _FENCE.match(answer)
    if opening is None:
        found = re.search(r"(?:^|\n)[^\n]{0,200}\n+(?=```|~~~)", answer[:600])
        opening = _FENCE.match(answer, found.end()) if found else None
    if opening is None:
        return None
    inner = answer[opening.end() :]
    lines = inner.splitlines(keepends=True)
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index].strip()
        if line.startswith(opening["marks"]) and not line.strip(opening["marks"][0]):
            return "".join(lines[:index])
    return inner  # it was cut off
