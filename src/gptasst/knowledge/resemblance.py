"""Words of a text that a question may mean: other endings, parts of compounds, typing errors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable

# Letters that two words must have in common, if that is all of one of them, and the share of the
# longer one.
_BEGINNING = 4
_SHARE = 0.6
_SHARE_IN_ENGLISH = 0.75
_ENDING = 4  # the most letters after it
_KNOWN = 2  # first letters that are assumed to be right
# Letters of the shortest words in which one and two errors are likely.
_ONE_ERROR, _TWO_ERRORS = 6, 10
# The same with a replaced letter; shorter ones are rather another word: `contract`, `contrast`.
_REPLACED = 9
_MOST = 5
_AS_CLOSE = 0.9  # of the closest one


def resembling(
    words: Collection[str], vocabulary: Callable[[str], Iterable[str]], *, english: bool
) -> list[str]:
    """The words of an index that resemble a word, the closest ones.

    Args:
        words: the word and its stems.
        vocabulary: the words of the index with a given beginning.
        english: whether all texts are in English.
    """
    beginning = _same_word_in_english if english else _same_beginning
    found: dict[str, float] = {}
    for word in words:
        if len(word) < _BEGINNING:
            continue
        for other in vocabulary(word[:_KNOWN]):
            if other.isalpha():
                close = max(beginning(word, other), _typed_wrong(word, other))
                if close > found.get(other, 0.0):
                    found[other] = close
    if not found:
        return []
    least = max(found.values()) * _AS_CLOSE
    close_ones = sorted((-close, other) for other, close in found.items() if close >= least)
    return [other for _, other in close_ones[:_MOST]]


def _same_beginning(word: str, other: str) -> float:
    """The share of letters in which two words agree, if they are likely forms of one word."""
    pairs = zip(word, other, strict=False)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    shortest, longest = sorted([len(word), len(other)])
    clear = same > _BEGINNING or same == _BEGINNING == shortest
    return (
        same / longest if clear and longest - same <= _ENDING and same >= _SHARE * longest else 0.0
    )


def _same_word_in_english(word: str, other: str) -> float:
    """The same in English: `config`, `configur`. The index itself removes most endings."""
    shortest, longest = sorted([word, other], key=len)
    share = len(shortest) / len(longest)
    same = len(shortest) > _BEGINNING and longest.startswith(shortest)
    return share if same and share >= _SHARE_IN_ENGLISH else 0.0


def _typed_wrong(word: str, other: str) -> float:
    errors = (len(word) >= _ONE_ERROR) + (len(word) >= _TWO_ERRORS)
    if not errors or abs(len(word) - len(other)) > errors or len(other) < _ONE_ERROR - 1:
        return 0.0
    distance = _distance(word, other, 1 if len(word) >= _REPLACED else 2)
    return 1 - distance / len(word) if distance <= errors else 0.0


def _distance(word: str, other: str, replaced: int) -> int:
    """The number of letters added, left out, or exchanged with a neighbour.

    Args:
        word: a word.
        other: another one.
        replaced: what a replaced letter counts.
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(word, start=1):
        line = [row]
        for column, its in enumerate(other, start=1):
            cost = min(
                last[column] + 1, line[-1] + 1, last[column - 1] + replaced * (letter != its)
            )
            if row > 1 and column > 1 and letter == other[column - 2] and word[row - 2] == its:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        before, last = last, line
    return last[-1]
