"""Words without case, accents and endings, to compare them."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence

# Invisible characters: soft hyphen, zero-width and bidirectional marks, variation selectors. The
# tatweel only stretches an Arabic word.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u0640\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)

# Accents, except those that make a different Cyrillic letter (й, ї, ў); then vowel signs, which
# are optional in Hebrew and Arabic.
_MARKS = re.compile(
    "(?<![\u0400-\u052f])[\u0300-\u036f]+|[\u0300\u0301]"
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u0655\u0670]"
)

_DIGIT = re.compile(r"[^\W\D]")
_HAN = re.compile("[\u4e00-\u9fff\U00021ed5]")

# Letters that Unicode does not decompose, with their usual replacement; and Katakana.
_FOLDED = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d",
        "þ": "th", "ё": "е", "ٱ": "ا", "ى": "ي", "ی": "ي", "ک": "ك", "ھ": "ه", "ہ": "ه",
    }
    | {chr(code): chr(code - 0x60) for code in range(0x30A1, 0x30F7)}
)  # fmt: skip


def visible(text: str) -> str:
    """Text without invisible characters, in normal form NFKC."""
    if text.isascii():
        return text
    # Before, as they may separate a letter from its accent; after, as some characters become one.
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)))


def fold(text: str) -> str:
    """Text without case and accents, to compare words.

    `Größe`, `GRÖSSE` and `grosse` are the same, and so are `ﬁnd` and `find`, `５` and `5`,
    `退貨` and `退货`, `リンゴ` and `りんご`.
    """
    if text.isascii():
        return text.lower()
    text = visible(text)
    try:
        return text.translate(_EACH)
    except _Combining:
        return _folded(text)


def _folded(text: str) -> str:
    folded = visible(text.casefold()).translate(_FOLDED)
    folded = _MARKS.sub("", unicodedata.normalize("NFD", folded))
    folded = _DIGIT.sub(_ascii_digit, folded)
    return simplified(unicodedata.normalize("NFC", folded))


class _Combining(Exception):
    """A character depends on its neighbours."""


class _Each(dict[int, str]):
    """Characters, folded one by one: many times as fast as a whole text."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        first = unicodedata.normalize("NFD", character.casefold())[0]
        if unicodedata.category(first).startswith("M") or _JAMO.match(first):
            raise _Combining
        if len(self) >= _KEPT:
            self.clear()
        folded = self[code] = _folded(character)
        return folded


_KEPT = 20_000  # characters
_JAMO = re.compile("[\u1100-\u11ff]")
_EACH = _Each()


def fold_all(words: Sequence[str]) -> Sequence[str]:
    """Each word, folded. Many at once take half the time."""
    return fold("\n".join(words)).split("\n") if words else words


def simplified(text: str) -> str:
    """Text with simplified Chinese characters."""
    if not _HAN.search(text):
        return text
    from gptasst.knowledge.chinese import SIMPLIFIED

    return text.translate(SIMPLIFIED)


def _ascii_digit(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match.group()))


_HEBREW = re.compile("[א-ת]")
# Stemmers for alphabets that mostly belong to one language; others are not harmed.
_SCRIPTS = (
    (re.compile("[α-ω]"), "greek"),
    (re.compile("[ء-ي]"), "arabic"),
    (re.compile("[ऀ-ॿ]"), "hindi"),
    (_HEBREW, "hebrew"),
    (re.compile("[அ-ஹ]"), "tamil"),
    (re.compile("[ա-ֆ]"), "armenian"),
)
_CYRILLIC = re.compile("[а-яёіїєґ]")
_UKRAINIAN_LETTERS = re.compile("[іїєґ]")

_UKRAINIAN_ENDS = re.compile(
    "(?:ування|юванн[яю]|(?:[ую]ва|[аяиії])?(?:тися|ти)|[уюая]?[єе]?ть?ся|[аяуюи]ть|[аяую]ють"
    "|[аяиії]?(?:ла|ло|ли)|[аяи]в|[аяую]є|(?:[аяуюї]є|[еи])(?:мо|те)"
    "|(?:[еаії]нн|янн)(?:я|ю|ям|ях|і)|ень"
    "|ими|ого|ому|ий|ій|им|их|ої|ою|ею|єю|ами|ями|ові|еві|єві|ів|їв|ей|ах|ях|ам|ям|ом|ем|єм"
    "|[аяоеєуюиіїь])$"
)
_HEBREW_STARTS = re.compile("^(?:ו?(?:כש|מה|שה|של|שב|וה|[השבלמכ])|ו)(?=[א-ת]{3})")
_HEBREW_ENDS = re.compile("(?<=[א-ת]{3})(?:יהם|יהן|ותי|ים|ות|יו|יה|נו|כם|הם|[התיןךםו])$")


# Vowels that come and go: `wniosek`, `wnioski`; `квиток`, `квитки`.
_FLEETING = re.compile("(?<=[^aeiouyаеиоуыэюяіїєе])[eеєо](?=[kcкц]$)")
_SLAVIC = frozenset(("czech", "polish", "russian", "ukrainian"))


def _ukrainian_stem(word: str) -> str:
    return _UKRAINIAN_ENDS.sub("", word)


def _hebrew_stem(word: str) -> str:
    """A word without its ending; `חנייה` and `חניה` are the same."""
    return _HEBREW_ENDS.sub("", word).replace("יי", "י").replace("וו", "ו")


_SHORTEST_STEM = 3  # letters; a shorter one says too little
# Languages that add many endings to short words: `ev`, `evde`.
_SHORT_STEMS = frozenset(("finnish", "hungarian", "turkish"))
_HINDI_END = re.compile("(?<=..)[\u093e-\u094c\u0901-\u0903]+$")

_OUR_STEMMERS = {"ukrainian": _ukrainian_stem, "hebrew": _hebrew_stem}
# Languages with the stemmer of a relative.
_RELATIVES = {"slovak": "czech", "croatian": "serbian"}


@functools.cache
def _stemmer(language: str) -> Callable[[str], str] | None:
    import Stemmer

    algorithm = _RELATIVES.get(language, language)
    stem: Callable[[str], str]
    if language in _OUR_STEMMERS:
        stem = _OUR_STEMMERS[language]
    elif algorithm in Stemmer.algorithms():
        stem = Stemmer.Stemmer(algorithm, 0).stemWord
    else:
        return None
    return (lambda word: _FLEETING.sub("", stem(word))) if algorithm in _SLAVIC else stem


def has_endings(language: str) -> bool:
    """Whether words of a language are stemmed here.

    English stemming happens in the index itself, for all languages.
    """
    return language not in ("", "english") and _stemmer(language) is not None


def stem(word: str, language: str) -> str:
    """A folded word, stemmed. Its alphabet has precedence over the language."""
    if word.isascii():
        chosen = language if language != "english" else ""
    else:
        chosen = _language_of_letters(word, language) or language
    found = _stemmer(chosen) if chosen else None
    if not found:
        return word
    stemmed = found(word)
    if len(stemmed) >= _SHORTEST_STEM - (chosen in _SHORT_STEMS):
        return stemmed
    return _HINDI_END.sub("", word) if chosen == "hindi" else word


def _language_of_letters(word: str, language: str) -> str:
    if _CYRILLIC.match(word):
        if language == "ukrainian" or _UKRAINIAN_LETTERS.search(word):
            return "ukrainian"
        return "russian"
    return next((name for letters, name in _SCRIPTS if letters.match(word)), "")


def other_stems(words: Sequence[str], language: str) -> Sequence[str]:
    """Another form under which each word is found; empty if there is none.

    Endings have accents in many languages: `devolução`, `devoluções`; so words are also stemmed
    before folding. Hebrew words start with articles and prepositions, or just look as if they did.
    """
    return fold_all([_other_stem(word, language) for word in words])


def _other_stem(word: str, language: str) -> str:
    if word.isascii():
        return ""
    if _HEBREW.match(word):
        return stem(_HEBREW_STARTS.sub("", fold(word)), language)
    return stem(word.lower(), language) if language else ""
