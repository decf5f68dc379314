"""From text to the words that it is searched by.

`index_words` writes a text down for SQLite's FTS5 with the tokenizer `TOKENIZER`, which knows
nothing but ASCII: it separates at ASCII's punctuation, folds A-Z, and takes English endings off.
All else is done here, the same way for texts and for questions (`question`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from gptasst.knowledge.languages import accented_stem, fold, has_endings, stem, visible

TOKENIZER = "porter ascii"
# Change it with anything here: an index of another version is rebuilt.
VERSION = 2

# Combining marks that words are written with; those that only change a letter fold away.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a"
    "\u0900-\u0963\u0966-\u0df4\u0e00-\u0eff\u0f18-\u0fbc\u1000-\u109f\u1780-\u17ff\u3099\u309a"
)
# What belongs together: `max_retry-count`, `3.9.1`, `C++`, `C#`.
_WORD = re.compile(rf"[\w{_MARKS}]+(?:[-.,][\w{_MARKS}]+)*(?:\+\+|#)?")
# Written without spaces between words, or with endings that no simple rule takes off.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_PIECE = re.compile(rf"[^\W_{_MARKS}][^\W_]*(?:[{_MARKS}]+[^\W_]*)*|[{_MARKS}]+[^\W_]*")
# Where a name changes from one word to the next: `rateLimiter`, `HTTPServer`, `python3`.
_SEAM = re.compile(
    "(?<=[a-zß-öø-ÿ0-9])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z]{2})(?=[0-9])"
    "|(?<=[0-9])(?=[A-Za-z]{2})"
)
# Whether an ASCII text has anything that the tokenizer would not read as it is meant, such as
# `rateLimiter`, `sha256` and `C#`. The set of characters in front is what makes it fast.
_NOT_PLAIN = re.compile(
    r"[A-Z0-9+#](?:(?<=[a-z0-9][A-Z])|(?<=[A-Z][A-Z])(?=[a-z])|(?<=[A-Za-z]{2}[0-9])"
    r"|(?<=[0-9])(?=[A-Za-z]{2})|(?<=\w\+\+)|(?<=\w#))"
)
_LETTER = re.compile(r"[^\W_]")
_PUNCTUATION = ".,;:!?()[]\"'/"
_ASCII_WORD = re.compile("[a-z0-9]+")
# Stands in words that nobody types: in numbers, and (`END`) before the end of a compound.
_MARK = "·"
END = _MARK
_SIGNS = {"++": f"{_MARK}plusplus", "#": f"{_MARK}sharp"}
_COMPOUND = 9  # letters of the shortest that is taken apart
_PART = 4  # letters of the shortest part
_VOWEL = re.compile("[aeiouy]")
_KEPT_WORDS = 100_000


# Texts as they go into the index: the words of each (`None`: the text itself), and more besides.
Written = tuple[Iterable[str | None], Iterable[str]]


class Indexer:
    """Writes texts of one language down for the index; remembers what becomes of a word.

    What the tokenizer reads rightly by itself stays as it is, which is most of English.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._plain = not has_endings(language)
        self._words: dict[str, str] = {}
        self._nothing_more: set[str] = set()
        self._more: dict[str, str] = {}

    def write(self, texts: Sequence[str]) -> Written:
        """What texts that belong together are in the index."""
        together = "\n".join(texts)
        if len(self._words) + len(self._nothing_more) + len(self._more) > _KEPT_WORDS:
            self._words.clear()
            self._nothing_more.clear()
            self._more.clear()
        if not self._plain or not together.isascii():
            return map(self._all_words, texts), itertools.repeat("", len(texts))
        more = [""] * len(texts)
        for number in _not_plain(together, texts):
            more[number] = self._more_of(texts[number])
        return itertools.repeat(None, len(texts)), more

    def _more_of(self, text: str) -> str:
        """What ASCII words are found by besides what the tokenizer makes of them."""
        # In the order of the text, so that it is the same each time.
        pieces = [piece for piece in dict.fromkeys(text.split()) if piece not in self._nothing_more]
        for piece in pieces:
            if piece not in self._more:
                self._learn(piece)
        return " ".join([self._more[piece] for piece in pieces if piece in self._more])

    def _all_words(self, text: str) -> str:
        known = self._words
        found = found_words(text)
        for word in set(found).difference(known):
            known[word] = " ".join(dict.fromkeys(_tokens(word, self._language)))
        return " ".join(map(known.__getitem__, found))

    def _learn(self, piece: str) -> None:
        word = piece.strip(_PUNCTUATION)
        if not word or (word.isalpha() and (word.islower() or word[1:].islower())):
            self._nothing_more.add(piece)
            return
        seen = _ASCII_WORD.findall(piece.lower())
        tokens = (token for word in _WORD.findall(piece) for token in _tokens(word, self._language))
        more = [token for token in dict.fromkeys(tokens) if token not in seen]
        if more:
            self._more[piece] = " ".join(more)
        else:
            self._nothing_more.add(piece)


def index_words(text: str, language: str = "") -> str:
    """The words that a text is found by, as they go into the index."""
    words, more = map(next, map(iter, Indexer(language).write([text])))
    return f"{text if words is None else words} {more}".rstrip()


def _not_plain(together: str, texts: Sequence[str]) -> Iterator[int]:
    """Which of texts, that are joined by line ends, the tokenizer would not read as meant."""
    number, end = -1, -1
    for match in _NOT_PLAIN.finditer(together):
        if match.start() < end:
            continue
        while match.start() >= end:
            number += 1
            end += len(texts[number]) + 1
        yield number


def _tokens(word: str, language: str) -> Iterator[str]:
    for run, sign in runs(word):
        if is_unspaced(run):
            yield from pairs(run)
        else:
            yield from filter(None, [accented_stem(run, language)])
            for name in names(run, sign):
                written = stem(name, language)
                yield written
                if language == "german":
                    yield from _ends(written)


def found_words(text: str) -> list[str]:
    """The words of a text as they stand in it, names of several parts and numbers whole."""
    return [word for word in _WORD.findall(visible(text)) if _LETTER.search(word)]


def runs(word: str) -> Iterator[tuple[str, str]]:
    """The parts of one kind (with spaces between words, or without), with a sign as of `C++`."""
    sign = next((sign for sign in _SIGNS if word.endswith(sign)), "")
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
    """A name, folded, and what it is put together from: `ratelimiter`, `rate`, `limiter`."""
    parts = [fold(part) for part in _SEAM.split(run)]
    whole = "".join(parts)
    if sign:
        yield whole + _SIGNS[sign]
    yield whole
    if len(parts) > 1:
        yield from parts


def _ends(compound: str) -> Iterator[str]:
    """With what a long word might end: `…frist` of `Rückgabefrist`. Found only as such an end."""
    if len(compound) < _COMPOUND or not compound.isalpha():
        return
    for start in range(_PART - 1, len(compound) - _PART + 1):
        if _VOWEL.search(compound, 0, start) and _VOWEL.search(compound, start):
            yield END + compound[start:]


def pairs(run: str) -> list[str]:
    """The pairs of neighbouring characters, then the last character alone."""
    folded = fold(run)
    return [*map("".join, itertools.pairwise(folded)), folded[-1:]]
