"""Measure differences between texts by words, and restore line breaks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")  # noqa: RUF001  # both apostrophes are in use
# Beyond this many pairs of words, comparing takes seconds.
_MOST_PAIRS = 1_000_000

Opcode = tuple[str, int, int, int, int]


def words_of(text: str) -> list[str]:
    """Words and punctuation marks."""
    return _WORD.findall(text)


def opcodes(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    """The operations that turn one sequence of words into another, as in `difflib`."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    a, b = old[start : len(old) - end], new[start : len(new) - end]
    found: list[Opcode] = [("equal", 0, start, 0, start)] if start else []
    if len(a) * len(b) > _MOST_PAIRS:
        found.append(("replace", start, start + len(a), start, start + len(b)))
    elif a or b:
        matcher = SequenceMatcher(None, a, b, autojunk=False)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes():
            found.append((tag, i1 + start, i2 + start, j1 + start, j2 + start))
    if end:
        found.append(("equal", len(old) - end, len(old), len(new) - end, len(new)))
    return found


def changed_characters(old: str, new: str) -> int:
    """The number of characters that were replaced, dropped or added in `new`."""
    a, b = words_of(old), words_of(new)
    least = abs(len(new) - len(old))  # blanks are not words
    pairs = [(x, y) for x, y in zip(a, b, strict=False) if x != y]
    if len(a) == len(b) and len(pairs) <= len(a) // 2:  # like most corrections
        return max(_by_words(pairs), least)
    changed = sum(
        _distance(" ".join(a[i1:i2]), " ".join(b[j1:j2]))
        for tag, i1, i2, j1, j2 in opcodes(a, b)
        if tag != "equal"
    )
    if len(a) == len(b):
        changed = min(changed, _by_words(pairs))
    return max(changed, least)


def _by_words(pairs: Sequence[tuple[str, str]]) -> int:
    return sum(_distance(old, new) for old, new in pairs)


def _distance(old: str, new: str) -> int:
    if not old or not new or len(old) * len(new) > _MOST_PAIRS // 4:
        return max(len(old), len(new))
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in codes if tag != "equal")


def likeness(old: Counter[str], new: Counter[str]) -> float:
    """The similarity of two texts, 0 to 1, by their pairs of characters; see `pairs_of`."""
    total = old.total() + new.total()
    return 2 * (old & new).total() / total if total else 1.0


def pairs_of(text: str) -> Counter[str]:
    """The pairs of adjacent characters, most of which survive spelling mistakes."""
    folded = " ".join(text.lower().split())
    return Counter(map("".join, pairwise(folded))) or Counter([folded])


def on_lines(old: Sequence[str], new: str) -> list[str] | None:
    """A text with the same line breaks as an old one, or `None` if that is impossible."""
    words = new.split()
    old_words: list[str] = []
    breaks: list[int] = []
    for line in old:
        old_words += line.split()
        breaks.append(len(old_words))
    places = [0, *_moved(opcodes(old_words, words), breaks[:-1]), len(words)]
    lines = [" ".join(words[start:end]) for start, end in pairwise(places)]
    return lines if all(lines) else None


def _moved(codes: list[Opcode], places: Sequence[int]) -> Iterator[int]:
    """The positions between new words that match positions between old ones."""
    for place in places:
        for tag, i1, i2, j1, j2 in codes:
            if place <= i2:
                along = (
                    place - i1 if tag == "equal" else (place - i1) * (j2 - j1) // max(i2 - i1, 1)
                )
                yield j1 + along
                break
