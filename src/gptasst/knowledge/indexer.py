"""From texts to the index words of a language.

Most English is indexed as it is: SQLite's tokenizer finds its words. This adds the parts of names
(`RateLimiter`, `sha256`), which are found by searching many texts at once. A step in Python for
each word would take longer than SQLite needs to index it.
"""

from __future__ import annotations

import functools
import itertools
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence

from gptasst.knowledge.code_words import declared_names, is_code
from gptasst.knowledge.languages import language_of
from gptasst.knowledge.stems import has_endings, visible
from gptasst.knowledge.words import SEAM, SIGNS, WORD, tokens, tokens_of_all

_KEPT_WORDS = 100_000
_LANGUAGE_SAMPLE = 1500  # characters
_BEGINNING = 400
_TOGETHER = 250  # texts that are searched at once, to stay in the processor's cache

# ASCII texts are searched as bytes, translated so that one byte can be searched for. That is three
# times as fast as a regular expression with sets of characters.
_ONE, _SMALL, _OTHER = 1, ord("a"), ord(" ")
# Capitals as `_ONE`; lower-case letters and digits as `_SMALL`.
_CAPITALS = bytes(
    _ONE if chr(code) in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    else _SMALL if chr(code) in "abcdefghijklmnopqrstuvwxyz0123456789"
    else _OTHER
    for code in range(256)
)  # fmt: skip
# Digits as `_ONE`, letters as `_SMALL`.
_DIGITS = bytes(
    _ONE if chr(code) in "0123456789" else _SMALL if chr(code).isalpha() and code < 128 else _OTHER
    for code in range(256)
)
# The rest of names with a seam, as in `rateLimiter`, `HTTPServer` and `python3`, `3rd`.
_IN_CAPITALS = re.compile(rb"\x01(?:(?<=a\x01)|(?<!\x01\x01)\x01+(?=a))[^ ]*")
_IN_DIGITS = re.compile(rb"\x01(?:(?<=aa\x01)|(?=aa))[^ ]*")
_SIGNED = (("#", re.compile(r"#(?<=\w#)")), ("++", re.compile(r"\+\+(?<=\w\+\+)")))
_BETWEEN = "\x1e"
_ASCII_WORD = re.compile("[a-z0-9]+")

# Punctuation and symbols that separate words like a blank. Without them, most English is ASCII.
_SEPARATORS = re.compile(
    "[\u00a0-\u00a7\u00a9\u00ab\u00ac\u00ae\u00b0\u00b1\u00b6\u00b7\u00bb\u00bf\u00d7\u00f7"
    "\u2010-\u2029\u202f-\u205e\u20ac\u2190-\u23ff\u2500-\u2775\u2794-\u27bf"
    "\U0001f300-\U0001f6ff\U0001f900-\U0001f9ff]\ufe0f?"
)


class Indexer:
    """Prepares texts in one language for the index, and remembers the forms of words."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._plain = not has_endings(language)
        self._words: dict[str, str] = {}
        self._parts: dict[str, str] = {}

    def write(self, texts: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """The index words of each text, empty if they are the text itself, and further ones."""
        if len(self._words) + len(self._parts) > _KEPT_WORDS:
            self._words.clear()
            self._parts.clear()
        if not self._plain:
            return self._all_words(texts), [""] * len(texts)
        words: list[str] = []
        more: list[str] = []
        for start in range(0, len(texts), _TOGETHER):
            some_words, plain = self._ascii(texts[start : start + _TOGETHER])
            words += some_words
            more += self._more(plain)
        return words, more

    def _ascii(self, texts: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """The index words of texts that are not ASCII, and those texts that are."""
        if all(map(str.isascii, texts)):
            return [""] * len(texts), texts
        plain = [text if text.isascii() else _SEPARATORS.sub(" ", text) for text in texts]
        words = ["" if one is text else one for one, text in zip(plain, texts, strict=True)]
        others = [number for number, one in enumerate(plain) if not one.isascii()]
        for number, written in zip(
            others, self._all_words([texts[number] for number in others]), strict=True
        ):
            words[number], plain[number] = written, ""
        return words, plain

    def _all_words(self, texts: Sequence[str]) -> Sequence[str]:
        known = self._words
        found = list(map(WORD.findall, _visible_all(texts)))
        new = set(itertools.chain.from_iterable(found)).difference(known)
        for word, written in tokens_of_all(new, self._language):
            known[word] = " ".join(dict.fromkeys(written))
        return [" ".join(filter(None, map(known.__getitem__, words))) or " " for words in found]

    def _more(self, texts: Sequence[str]) -> Sequence[str]:
        """The words to add to those of ASCII texts: parts of names, and names with signs."""
        together = "\n".join(texts)
        more = [""] * len(texts)
        ends, names = _names(together)
        if names:
            self._learn(set(names).difference(self._parts))
            parts = self._parts.__getitem__
            first = text_end = 0
            for number, length in enumerate(map(len, texts)):
                text_end += length + 1
                last = bisect_left(ends, text_end, first)
                if last > first:
                    more[number] = " ".join(map(parts, dict.fromkeys(names[first:last])))
                    first = last
        return more

    def _learn(self, names: Collection[str]) -> None:
        signed = {name for name in names if name.endswith(tuple(SIGNS))}
        for name in signed:
            seen = _ASCII_WORD.findall(name.lower())
            different = dict.fromkeys(tokens(name, self._language))
            self._parts[name] = " ".join([token for token in different if token not in seen])
        others = [name for name in names if name not in signed]
        parts = SEAM.sub(" ", "\n".join(others)).lower().split("\n")
        self._parts.update(zip(others, parts, strict=False))


def indexed_columns(
    path: str, texts: Sequence[str], headings: Sequence[str]
) -> tuple[str, str, tuple[Iterable[str], Iterable[str], Iterable[str]]]:
    """The language of a file, the index words of its path, and columns of its passages.

    These are the index words of each passage, further ones, and those of path, heading and names
    that code declares. They are empty if they are just the text, none, and just the path.
    """
    language = _language(texts)
    if is_code(path):
        headings = [
            f"{heading} {declared_names(path, text)}".strip()
            for heading, text in zip(headings, texts, strict=True)
        ]
    different = list(dict.fromkeys(headings))
    # All at once, as most files are short.
    words, more = _indexer(language).write([*texts, *different, path])
    *titled, named = [
        f"{written or text} {further}" if text else ""
        for text, written, further in zip(
            [*different, path], words[len(texts) :], more[len(texts) :], strict=True
        )
    ]
    title_of = {
        heading: f"{named} {title}" if heading else ""
        for heading, title in zip(different, titled, strict=True)
    }
    return language, named, (words, more, map(title_of.__getitem__, headings))


def _visible_all(texts: Sequence[str]) -> Sequence[str]:
    """The visible text of each; all at once, which is faster."""
    visible_ones = visible(_BETWEEN.join(texts)).split(_BETWEEN)
    return visible_ones if len(visible_ones) == len(texts) else list(map(visible, texts))


@functools.lru_cache(maxsize=32)
def _indexer(language: str) -> Indexer:
    return Indexer(language)


def _language(texts: Iterable[str]) -> str:
    sample: list[str] = []
    length = 0
    for text in texts:
        sample.append(text)
        length += len(text)
        if length >= _LANGUAGE_SAMPLE:
            break
    together = "\n".join(sample)
    beginning = together[:_BEGINNING]
    # Mostly, it is enough to look at less.
    if beginning.isascii() and language_of(beginning) == "english":
        return "english"
    return language_of(together)


def _names(text: str) -> tuple[Sequence[int], Sequence[str]]:
    """Names with several words or a sign in an ASCII text, and the end of each."""
    data = text.encode()
    digits = data.translate(_DIGITS)
    found = {match.end() for match in _IN_CAPITALS.finditer(data.translate(_CAPITALS))}
    found.update([match.end() for match in _IN_DIGITS.finditer(digits)])
    ends = sorted(found)
    before = digits.rfind
    names = [text[before(b" ", 0, end) + 1 : end] for end in ends]
    signed: list[tuple[int, str]] = []
    for sign, pattern in _SIGNED:
        if sign in text:
            last = 0  # the end of the sign before, at which a word ends, too
            for match in pattern.finditer(text):
                end = match.end()
                start = max(text.rfind(" ", last, end) + 1, text.rfind("\n", last, end) + 1, last)
                signed.append((end, WORD.findall(text, start, end)[-1]))
                last = end
    if signed:
        both = sorted([*zip(ends, names, strict=True), *signed])
        return [end for end, _ in both], [name for _, name in both]
    return ends, names
