"""What a question may mean by a word that is not in the index.

Other letters for umlauts, other endings, parts of compounds, typing errors.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from gptasst.knowledge.languages import common_words
from gptasst.knowledge.question import EXACT, IN_INDEX, SHORTEST_PART, Term, phrases
from gptasst.knowledge.stems import fold, has_endings, stem
from gptasst.knowledge.words import COMPOUNDING, is_unspaced

_RESEMBLING_SHARE = 0.6
_PART_SHARE = 0.5
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_TA_MARBUTA = re.compile("ه$")
_WITHOUT_UMLAUT = re.compile("([aou])e|(?<=a)a")
_SHORTEST_PARTED, _LONGEST_PARTED = 5, 40
_LINKS = ("", "s", "n", "en", "es")  # between the parts of a compound
_USUAL_HAN = "何日月年時分人方中上下出入見行来思言持使合間事者物目手会名前後内外先所"
_HAN_AND_KANA = re.compile("[\u4e00-\u9fff][\u3040-\u30ff]")
# Letters that two words must have in common, if that is all of one of them, and the share of the
# longer one. Arabic and Hebrew are mostly written without vowels.
_BEGINNING, _CONSONANTS = 4, 3
_WITHOUT_VOWELS = re.compile("[א-תء-ي]")
_SHARE = 0.6
_SHARE_IN_ENGLISH = 0.75
_ENDING = 4  # the most letters after it
# Letters. With a longer ending, a word counts as a shorter one: `incidence` is not `inside`.
_SHORT_ENDING = 2
# Letters of the shortest words in which one and two errors are likely.
_ONE_ERROR, _TWO_ERRORS = 4, 10
_KNOWN = 2  # first letters that are assumed to be right in a word with two errors
# The same with a replaced letter; shorter ones are rather another word: `contract`, `contrast`.
# Vowels are confused more often: `seperate`.
_REPLACED, _REPLACED_VOWEL = 9, 6
_VOWELS = frozenset("aeiouy")
_MOST_IN_ERROR = 2  # letters that one error changes
_MOST = 5
_AS_CLOSE = 0.9  # of the closest one


def replacements(
    term: Term, languages: Sequence[str], vocabulary: Callable[[str], Iterable[str]]
) -> Iterator[Term]:
    """What may be meant instead of a word that is not in the index, the likeliest first.

    Args:
        term: the word.
        languages: the languages of the texts.
        vocabulary: the words of the index with a given beginning.
    """
    ways = (
        partial(_respelled, term, languages),
        partial(_first_character, term),
        partial(_parted, term, languages),
        partial(_resembling_term, term, languages, vocabulary),
        partial(_part_of, term, languages),
    )
    return filter(None, (way() for way in ways))


def _parted(term: Term, languages: Iterable[str]) -> Term | None:
    """A word that is not in the index, split in two: `data base`, `Frist für die Rückgabe`."""
    word = fold(term.word)
    parts = _SHORTEST_PARTED <= len(word) <= _LONGEST_PARTED
    if not parts or not word.isalpha() or is_unspaced(word):
        return None
    known = frozenset(languages)
    forms: list[str] = []
    compounding = sorted(COMPOUNDING & known)
    for start in range(1, len(word) - 2):
        forms += phrases([word[:start], word[start:]], known)
        if start >= SHORTEST_PART and len(word) - start >= SHORTEST_PART:
            links = [word[: start - len(link)] for link in _LINKS if word[:start].endswith(link)]
            forms += [
                f"({EXACT.format(stem(first, language))} AND"
                f" {EXACT.format(stem(word[start:], language))})"
                for language in compounding
                for first in links
            ]
    return Term(term.word, tuple(forms), term.weight)


def _resembling_term(
    term: Term, languages: Iterable[str], vocabulary: Callable[[str], Iterable[str]]
) -> Term | None:
    """A word that is not in the index, replaced by similar words of the index."""
    word = fold(term.word)
    if not word.isalpha() or len(word) > _LONGEST_PARTED or is_unspaced(word):
        return None
    stems = dict.fromkeys([word, *(stem(word, language) for language in (IN_INDEX, *languages))])
    english = word.isascii() and not any(map(has_endings, languages))
    # Nearly every passage has them: `form` is not `from`.
    left_out = common_words(frozenset(("english", *languages)))
    found = _resembling(word, stems, vocabulary, left_out, english=english)
    forms = tuple(map(EXACT.format, found))
    weight = term.weight * _RESEMBLING_SHARE
    return Term(term.word, forms, weight, similar=True) if forms else None


def _respelled(term: Term, languages: Iterable[str]) -> Term | None:
    """A word with other letters for umlauts: `Mueller` for `Müller`, and the other way round.

    Arabic words are often written with a final Ha instead of Ta Marbuta.
    """
    word = term.word.lower()
    ascii_only = _WITHOUT_UMLAUT.sub(r"\1", word)
    other = ascii_only if word.isascii() else fold(_TA_MARBUTA.sub("ة", word.translate(_UMLAUTS)))
    if other in (word, fold(word)) or not other.isalpha():
        return None
    forms = dict.fromkeys(EXACT.format(stem(other, language)) for language in ("", *languages))
    return replace(term, forms=tuple(forms))


def _first_character(term: Term) -> Term | None:
    """A Chinese character before Kana, whatever follows it: `猫を`, `猫は`."""
    if not _HAN_AND_KANA.fullmatch(term.word) or term.word[0] in _USUAL_HAN:
        return None
    return replace(term, word=term.word[0], forms=(EXACT.format(fold(term.word[0])) + "*",))


def _part_of(term: Term, languages: Iterable[str]) -> Term | None:
    """The first or the last word of a compound: `Filter` of `Filterbestellung`."""
    word = fold(term.word)
    compounding = sorted(COMPOUNDING.intersection(languages))
    if not compounding or not word.isalpha() or len(word) > _LONGEST_PARTED:
        return None
    ends = range(_SHORTEST_PARTED, len(word) - SHORTEST_PART + 1)
    parts = [word[:end] for end in ends] + [word[-end:] for end in ends]
    left_out = common_words(frozenset(compounding))
    stems = [
        stem(part, language) for part in parts if part not in left_out for language in compounding
    ]
    forms = tuple(map(EXACT.format, dict.fromkeys(stems)))
    return Term(term.word, forms, term.weight * _PART_SHARE) if forms else None


def _resembling(
    word: str,
    stems: Collection[str],
    vocabulary: Callable[[str], Iterable[str]],
    left_out: Collection[str],
    *,
    english: bool,
) -> list[str]:
    """The words of an index that resemble a word, the closest ones.

    Args:
        word: the word.
        stems: the word and its stems.
        vocabulary: the words of the index with a given beginning.
        left_out: words that are not meant.
        english: whether all texts are in English.
    """
    beginning = _same_word_in_english if english else _same_beginning
    found: dict[str, float] = {}
    lengths = [(each, min(len(word), len(each) + _SHORT_ENDING)) for each in stems]
    for other in _likely(stems, vocabulary(word[:1])) if len(word) >= _ONE_ERROR else ():
        if other.isalpha() and other not in left_out:
            close = max(
                max(beginning(each, other), _typed_wrong(each, other, letters))
                for each, letters in lengths
            )
            if close:
                found[other] = close
    if not found:
        return []
    least = max(found.values()) * _AS_CLOSE
    close_ones = sorted((-close, other) for other, close in found.items() if close >= least)
    return [other for _, other in close_ones[:_MOST]]


def _likely(stems: Collection[str], vocabulary: Iterable[str]) -> Sequence[str]:
    """Words with the first letters of some, or with their last ones: the second may be wrong."""
    starts = {word[:_KNOWN] for word in stems}
    ends = tuple(word[_KNOWN + 1 :] for word in stems if len(word) >= _ONE_ERROR)
    shortest, longest = min(map(len, stems)) - 1, max(map(len, stems)) + 1
    return [
        word
        for word in vocabulary
        if word[:_KNOWN] in starts or (shortest <= len(word) <= longest and word.endswith(ends))
    ]


def _same_beginning(word: str, other: str) -> float:
    """The share of letters in which two words agree, if they are likely forms of one word."""
    pairs = zip(word, other, strict=False)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    shortest, longest = sorted([len(word), len(other)])
    least = _CONSONANTS if _WITHOUT_VOWELS.match(word) else _BEGINNING
    clear = same > _BEGINNING or least <= same == shortest
    return (
        same / longest if clear and longest - same <= _ENDING and same >= _SHARE * longest else 0.0
    )


def _same_word_in_english(word: str, other: str) -> float:
    """The same in English: `config`, `configur`. The index itself removes most endings."""
    shortest, longest = sorted([word, other], key=len)
    share = len(shortest) / len(longest)
    same = len(shortest) > _BEGINNING and longest.startswith(shortest)
    return share if same and share >= _SHARE_IN_ENGLISH else 0.0


def _typed_wrong(word: str, other: str, letters: int) -> float:
    """The share of right letters in a word with few errors, else 0.

    Args:
        word: a word, or its stem.
        other: a word of the index.
        letters: those of the whole word, with an ending that is not long.
    """
    errors = 2 if len(word) >= _TWO_ERRORS and word[:_KNOWN] == other[:_KNOWN] else 1
    if abs(len(word) - len(other)) > errors or min(len(word), len(other)) < _ONE_ERROR:
        return 0.0
    start, end = _same_ends(word, other)
    if start == min(len(word), len(other)) and letters < _REPLACED:
        return 0.0  # rather another word: `plan`, `plant`
    wrong, right = word[start : len(word) - end], other[start : len(other) - end]
    if errors == 1 and max(len(wrong), len(right)) > _MOST_IN_ERROR:
        return 0.0
    distance = _distance(wrong, right, letters)
    return 1 - distance / len(word) if distance <= errors else 0.0


def _same_ends(word: str, other: str) -> tuple[int, int]:
    """The number of letters in which two words agree, from the start, then from the end."""
    shortest = min(len(word), len(other))
    start = next((n for n in range(shortest) if word[n] != other[n]), shortest)
    rest = range(1, shortest - start + 1)
    return start, next((n - 1 for n in rest if word[-n] != other[-n]), len(rest))


def _distance(word: str, other: str, letters: int) -> int:
    """The number of letters added, left out, replaced, or exchanged with a neighbour.

    Args:
        word: a word, or a part of it.
        other: another one.
        letters: those of the whole word. In a short one, a replaced letter counts twice.
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(word, start=1):
        line = [row]
        for column, its in enumerate(other, start=1):
            replaced = 1 if letters >= _REPLACED else 2
            if letters >= _REPLACED_VOWEL and letter in _VOWELS and its in _VOWELS:
                replaced = 1
            cost = min(
                last[column] + 1, line[-1] + 1, last[column - 1] + replaced * (letter != its)
            )
            if row > 1 and column > 1 and letter == other[column - 2] and word[row - 2] == its:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        before, last = last, line
    return last[-1]
