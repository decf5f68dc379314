"""From what is asked to the terms that knowledge is searched for."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gptasst.knowledge.folding import fold
from gptasst.knowledge.languages import COMMON, common_words, language_of, stem
from gptasst.knowledge.words import END, found_words, is_unspaced, joined, names, pairs, runs

_TASK_WEIGHT = 3.0
_TURN_WEIGHT = 1.0
_INPUT_WEIGHT = 1.0
# Of an input that is long, so many different words are looked at: the most frequent ones.
_MOST_EXAMINED = 400
_HIRAGANA = re.compile("[\u3040-\u309f\u30fc]+")
# Pairs of their characters say too little: three in a row are searched.
_TRIPLES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_ELISION = re.compile(r"\b(?:qu|\w)['’](?=\w)|(?<=\w)['’](?:\w|ll|re|ve)\b", re.IGNORECASE)
_PREFIX = 4  # letters of the shortest German word that others may begin with
_EXACT = '"{}"'
_UNSPACED_COMMON = COMMON["chinese"] | COMMON["japanese"] | COMMON["korean"]


@dataclass(frozen=True, slots=True)
class Question:
    """What passages are looked for.

    `task` is what is asked; `turns` was said before, oldest first; `inputs` are worked on.
    """

    task: str
    turns: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """A word and the forms that it is indexed in, as expressions of FTS5. `word` is for people."""

    word: str
    forms: tuple[str, ...]
    weight: float = 1.0

    @property
    def expression(self) -> str:
        return " OR ".join(self.forms)


@dataclass(frozen=True, slots=True)
class Terms:
    """What to look for: `leading` always, the best of `filling` besides.

    With `together` a passage has to have all, as they are too common to tell anything alone.
    """

    leading: tuple[Term, ...]
    filling: tuple[Term, ...] = ()
    together: bool = False


def terms_of(question: Question, languages: Iterable[str]) -> Terms:
    """The terms of a question for an index in which texts are in `languages`."""
    known = frozenset(languages)
    task = _distinct(question.task, known, _TASK_WEIGHT)
    taken = {term.forms for term in task}
    filling: list[Term] = []
    for texts, weight in ((question.turns, _TURN_WEIGHT), (question.inputs, _INPUT_WEIGHT)):
        for term in _distinct("\n".join(texts), known, weight):
            if term.forms not in taken:
                taken.add(term.forms)
                filling.append(term)
    if task or filling:
        return Terms(tuple(task), tuple(filling))
    every = _distinct(question.task, known, _TASK_WEIGHT, common=True)
    return Terms(tuple(every), together=True)


def _distinct(
    text: str, languages: frozenset[str], weight: float, *, common: bool = False
) -> list[Term]:
    """The terms of a text, each once, the most frequent ones first where they are very many."""
    plain = _ELISION.sub(" ", text)
    words = found_words(text if common else plain)
    if common:
        left_out: frozenset[str] = frozenset()
    else:
        left_out = common_words(frozenset({language_of(text), "english"}) | languages)
        left_out |= _UNSPACED_COMMON
    shouted = text.isupper()
    counted: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for word in words:
        meant = not shouted and _is_acronym(word)  # IT, and not: it
        for term in _terms(word, languages):
            if meant or term.word not in left_out:
                counted[term.word, term.forms] += 1
    if not common:
        counted.update(_compounds(words, left_out, languages))
    found = (
        counted.most_common(_MOST_EXAMINED) if len(counted) > _MOST_EXAMINED else counted.items()
    )
    return [Term(word, forms, weight) for (word, forms), _ in found]


def _is_acronym(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def _terms(word: str, languages: frozenset[str]) -> Iterator[Term]:
    for run, sign in runs(word):
        if is_unspaced(run):
            yield from _unspaced_terms(run)
        else:
            for name in names(run, sign):
                yield Term(name, tuple(_forms(name, languages)))
    for whole in joined(word, ""):
        yield Term(word, tuple(_forms(whole, languages)))


def _forms(name: str, languages: frozenset[str]) -> Iterator[str]:
    stems = {language: stem(name, language) for language in languages}
    for form in dict.fromkeys([stem(name, ""), *sorted(stems.values())]):
        yield _EXACT.format(form)
    if "german" in stems and len(name) >= _PREFIX and name.isalpha():
        yield _EXACT.format(END + stems["german"])
        yield _EXACT.format(name) + "*"


def _unspaced_terms(run: str) -> Iterator[Term]:
    folded = fold(run)
    if len(folded) == 1:
        yield Term(folded, (_EXACT.format(folded) + "*",))
    elif _HIRAGANA.fullmatch(folded):  # grammar, unless somebody looks for just that
        yield Term(folded, (_phrase(folded),))
    elif _TRIPLES.match(folded):
        for start in range(max(1, len(folded) - 2)):
            triple = folded[start : start + 3]
            yield Term(triple, (_phrase(triple),))
    else:
        for pair in pairs(run)[:-1]:
            if not _HIRAGANA.fullmatch(pair):
                yield Term(pair, (_EXACT.format(pair),))


def _phrase(run: str) -> str:
    return _EXACT.format(" ".join(map("".join, itertools.pairwise(run))))


def _compounds(
    words: Sequence[str], left_out: frozenset[str], languages: frozenset[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Neighbours that might be written as one word: `data base`, `Rückgabe Frist`."""
    for first, second in itertools.pairwise(map(fold, words)):
        one = first + second
        plain = one.isalpha() and not is_unspaced(first) and not is_unspaced(second)
        if plain and len(first) > 1 and not {first, second} & left_out:
            yield one, tuple(_forms(one, languages))
