"""From a task to the words that its knowledge is searched for."""

from __future__ import annotations

import re
from collections import Counter

# FTS5 weighs a word by how rare it is, so only the most frequent English ones are left out.
_COMMON = frozenset(
    (
        "a an and are as at be but by can do for from has have how if in into is it its me my no"
        " not of on or our please so that the their them then there these they this to was we"
        " what when where which who will with you your"
    ).split()
)
_MAX_WORDS = 64
_WORD = re.compile(r"\w+")


def match_expression(task: str) -> str:
    """An FTS5 expression: any of the words of a task, the most frequent ones if they are many.

    Empty where the task has no words. FTS5 knows no syntax inside the quotes.
    """
    words = Counter(word for word in _WORD.findall(task.casefold()) if _tells(word))
    return " OR ".join(f'"{word}"' for word, _ in words.most_common(_MAX_WORDS))


def _tells(word: str) -> bool:
    return len(word) > 1 and word not in _COMMON and not word.isdecimal()
