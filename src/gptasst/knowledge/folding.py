"""What counts as the same letter, in a question and in what it is asked of."""

from __future__ import annotations

import re
import unicodedata

# Soft hyphen, zero-width and bidirectional marks, variation selectors: they show nothing. The
# tatweel only stretches an Arabic word.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u0640\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)
# Accents, but not those that make another letter of a Cyrillic one (й, ї, ў); then vowel signs
# that Hebrew and Arabic are written with and without.
_MARKS = re.compile(
    "(?<![\u0400-\u052f])[\u0300-\u036f]+|[\u0300\u0301]"
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u0655\u0670]"
)
_DIGIT = re.compile(r"[^\W\D]")
# Letters that are no letter with an accent to Unicode, and to those who type them.
_LETTERS = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d",
        "þ": "th", "ё": "е", "ٱ": "ا", "ى": "ي",
    }
)  # fmt: skip


def visible(text: str) -> str:
    """A text without what does not show, in one form of those that look the same (NFKC)."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))


def fold(text: str) -> str:
    """A text without case and accents, as words are compared.

    `Größe`, `GRÖSSE` and `grosse` are the same, and so are `ﬁnd` and `find`, `５` and `5`.
    """
    if text.isascii():
        return text.lower()
    folded = visible(visible(text).casefold()).translate(_LETTERS)
    folded = _MARKS.sub("", unicodedata.normalize("NFD", folded))
    folded = _DIGIT.sub(_ascii_digit, folded)
    return unicodedata.normalize("NFC", folded)


def _ascii_digit(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match.group()))
