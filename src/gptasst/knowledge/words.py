"""From text to the words of the index.

SQLite's FTS5 with the tokenizer `TOKENIZER` only handles ASCII: it splits at ASCII punctuation,
folds A-Z, and removes English endings. Everything else is done here, in the same way for texts
(`indexer`) and questions (`question`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from gptasst.knowledge.stems import fold, fold_all, other_stems, stem, visible

TOKENIZER = "porter ascii"
# Change it with any change here: an index of another version is rebuilt.
VERSION = 6

# Combining marks that are part of words; others are removed by folding.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a"
    "\u0900-\u0963\u0966-\u0df4\u0e00-\u0eff\u0f18-\u0fbc\u1000-\u109f\u1780-\u17ff\u3099\u309a"
)
# Terms with punctuation: `max_retry-count`, `3.9.1`, `C++`, `C#`.
WORD = re.compile(rf"[\w{_MARKS}]+(?:[-.,][\w{_MARKS}]+)*(?:\+\+|#)?")
# Scripts without spaces between words, or with endings that simple rules can't remove.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_PIECE = re.compile(rf"[^\W_{_MARKS}][^\W_]*(?:[{_MARKS}]+[^\W_]*)*|[{_MARKS}]+[^\W_]*")
# Word boundaries in a name: `rateLimiter`, `HTTPServer`, `python3`.
SEAM = re.compile(
    "(?<=[a-zß-öø-ÿ0-9])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z]{2})(?=[0-9])"
    "|(?<=[0-9])(?=[A-Za-z]{2})"
)
_LETTER = re.compile(r"[^\W_]")
# Marks artificial words: in numbers, and (`END`) before the end of a compound.
_MARK = "·"
END = _MARK
SIGNS = {"++": f"{_MARK}plusplus", "#": f"{_MARK}sharp"}
# Languages that write several nouns as one word.
COMPOUNDING = frozenset(("danish", "dutch", "german", "norwegian", "swedish"))
_MOST_LOST = 0.6  # share of a word that a good stem has
_COMPOUND, _LONGEST_COMPOUND = 9, 80  # letters; longer ones are rather data
_PART = 4  # letters of its shortest part
_VOWELS = frozenset("aeiouy")


def tokens(word: str, language: str) -> Iterator[str]:
    """The index words of a word. Some occur more than once."""
    for run, sign in runs(word):
        if is_unspaced(run):
            yield from pairs(fold(run))
        else:
            yield from filter(None, other_stems([run], language))
            for name in names(run, sign):
                yield from _written(name, language)


def tokens_of_all(words: Iterable[str], language: str) -> Iterator[tuple[str, Iterable[str]]]:
    """Each word with its index words, as by `tokens`, only faster."""
    pieces: dict[str, Sequence[str]] = {}
    for word in words:
        if word.isalpha():
            pieces[word] = [word]
        elif not _LETTER.search(word):
            pieces[word] = []
        elif word.endswith(tuple(SIGNS)):
            yield word, tokens(word, language)
        else:
            pieces[word] = _PIECE.findall(word)
    distinct = frozenset(itertools.chain.from_iterable(pieces.values()))
    known = dict(_tokens_of_pieces(distinct, language))
    for word, some in pieces.items():
        yield word, itertools.chain.from_iterable(map(known.__getitem__, some))


def _tokens_of_pieces(pieces: Iterable[str], language: str) -> Iterator[tuple[str, Sequence[str]]]:
    plain, unspaced = [], []
    for piece in pieces:
        if not _UNSPACED.search(piece):
            if piece.isalpha() and piece[1:] == piece[1:].lower():
                plain.append(piece)
                continue
        elif _UNSPACED.fullmatch(piece):
            unspaced.append(piece)
            continue
        yield piece, list(tokens(piece, language))
    for piece, name, other in zip(
        plain, fold_all(plain), other_stems(plain, language), strict=True
    ):
        yield piece, [*filter(None, [other]), *_written(name, language)]
    yield from zip(unspaced, map(pairs, fold_all(unspaced)), strict=True)


def _written(name: str, language: str) -> Iterator[str]:
    written = stem(name, language)
    yield written
    if len(written) < _MOST_LOST * len(name):  # Italian `chiavi` becomes `chi`
        yield name
    if language in COMPOUNDING:
        yield from _ends(written)


def found_words(text: str) -> list[str]:
    """The words of a text, with compound names and numbers unsplit."""
    return [word for word in WORD.findall(visible(text)) if _LETTER.search(word)]


def runs(word: str) -> Iterator[tuple[str, str]]:
    """Runs of one kind of script (with or without spaces), with signs as in `C++`."""
    sign = next((sign for sign in SIGNS if word.endswith(sign)), "")
    for piece in _PIECE.findall(word):
        start = 0
        for match in _UNSPACED.finditer(piece):
            if match.start() > start:
                yield piece[start : match.start()], ""
            yield match.group(), ""
            start = match.end()
        if start < len(piece):
            yield piece[start:], sign


def is_unspaced(run: str) -> bool:
    return _UNSPACED.match(run) is not None


def names(run: str, sign: str = "") -> Iterator[str]:
    """A name, folded, and its parts: `ratelimiter`, `rate`, `limiter`."""
    parts = [fold(part) for part in SEAM.split(run)]
    whole = "".join(parts)
    if sign:
        yield whole + SIGNS[sign]
    yield whole
    if len(parts) > 1:
        yield from parts


def _ends(compound: str) -> Iterator[str]:
    """Possible ends of a long word: `…frist` of `Rückgabefrist`, only found as such an end."""
    if not _COMPOUND <= len(compound) <= _LONGEST_COMPOUND or not compound.isalpha():
        return
    vowels = [place for place, letter in enumerate(compound) if letter in _VOWELS]
    if vowels:  # one on each side
        first, last = max(_PART - 1, vowels[0] + 1), min(len(compound) - _PART, vowels[-1])
        for start in range(first, last + 1):
            yield END + compound[start:]


def pairs(folded: str) -> list[str]:
    """The pairs of adjacent characters of a folded run, then its last character."""
    return [*map("".join, itertools.pairwise(folded)), folded[-1:]]
