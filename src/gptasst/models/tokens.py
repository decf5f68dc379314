"""Count tokens: exactly with a tokenizer, else estimated by script.

The estimate is of `o200k_base`, the encoding of OpenAI's models since GPT-4o. A text is split like
in that encoding (words, up to three digits, punctuation, blanks), and each piece counts the average
number of tokens of such pieces in documentation, code in several languages, and user interfaces in
twenty languages.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import tempfile
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
    "cyrillic": ("\u0400-\u052f", 0.28),
    "greek": ("\u0370-\u03ff\u1f00-\u1fff", 0.4),
    "arabic": ("\u0600-\u06ff\u0750-\u077f", 0.36),
    "hebrew": ("\u0590-\u05ff", 0.45),
    "indic": ("\u0900-\u0dff", 0.42),
    "thai": ("\u0e00-\u0e7f", 0.39),
}
_OTHER = 0.9
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
    tokens = sum(map(_tokens, _PIECES.finditer(text)))
    if not text.isascii() and len(_RARE.findall(text)) > _MANY * len(text):
        tokens *= _RARER
    return round(tokens)


def _tokens(piece: re.Match[str]) -> float:
    kind, found = piece.lastgroup or "other", piece[0]
    if kind == "word":
        return _word(found)
    if kind in ("digits", "blank"):
        return 1.0
    if kind == "signs":
        return _by_length(_SIGNS, len(found.strip()), _PER_SIGN)
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
