"""From a question to the search terms."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from gptasst.knowledge.code_words import shorter_or_longer
from gptasst.knowledge.languages import COMMON, common_words, language_of
from gptasst.knowledge.stems import fold, other_stems, simplified, stem, visible
from gptasst.knowledge.words import COMPOUNDING, END, found_words, is_unspaced, names, runs
from gptasst.values import dataclass

_TASK_WEIGHT = 3.0
_TURN_WEIGHT = 1.0
_INPUT_WEIGHT = 1.0
_COMPOUND_SHARE = 0.3  # share of the weight: joined neighbours are often a different word
_SHORT_SHARE = 0.35
IN_INDEX = "porter"  # the stemmer of the index itself
# Of a long input, this many different words are used, the most frequent ones.
_MOST_EXAMINED = 400
_MOST_WORDS = 1000
_MOST_READ = 2_000_000  # characters, half of them at the end
_ENDS = 100  # words
_MOST_RUNS = 50  # in one word
_LONGEST_RUN = 20_000  # characters
_LONGEST_WORD = 200
_NEAR_SHARE = 0.45  # share of a word's weight, for two that are close together like in the question
_MOST_NEAR = 100
_NEAR = 3  # the most words between them
_HIRAGANA = re.compile("[\u3040-\u309f\u30fc]+")
# Grammar in Hiragana.
_PARTICLES = re.compile(
    "です|でしょう|ます|ました|ません|ましょう|ください|どうすれば|どう|どこ|どれ|どの|いくら|いつ|なに|なん|だれ"
    "|これ|それ|この|その|ここ|から|まで|より|ので|ため|よう|した|して|する|すれば|できる|できない|できま|でき"
    "|いる|ある|いい|よい|ない|たい|こと|もの|という|について|[はがをにでとのもへやかねよ]"
)
# Foreign words. Two of their characters say too little.
_KATAKANA = re.compile("[\u30a1-\u30ff]{3,}")
# The last of several Chinese characters, before what belongs to grammar: `明日の`.
_END_OF_WORD = re.compile("(?<=[\u4e00-\u9fff]{2})(?=[\u3040-\u309f])")
_SHORTEST_SPELLED = 3  # characters
# Pairs of their characters are too common: search for three in a row.
_TRIPLES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
# Signs that no Thai word starts with, and first vowels of another syllable.
_THAI_SEAM = re.compile("^[\u0e30-\u0e3a\u0e45-\u0e4e]|[\u0e40-\u0e44]$")
_ELISION = re.compile(r"\b(?:qu|\w)['’](?=\w)|(?<=\w)['’](?:\w|ll|re|ve)\b", re.IGNORECASE)
_UNIT = 2  # letters: `15 h`, `5 GB`
SHORTEST_PART = 4  # letters of the shortest word that can start a compound
_NUMBER = re.compile("[0-9]{4,15}")  # 1000 may be written 1,000
_THOUSANDS = re.compile("(?<=[0-9])(?=(?:[0-9]{3})+$)")
_GAP = re.compile(r"(?<=[0-9])[ '’\u00a0\u202f](?=[0-9]{3}\b)")  # 1 000
_PARTS = re.compile(r"\w*\d(?:[-.,]\d+)+")  # one digit of 3.9.1 alone says nothing
_MEASURE = re.compile("[0-9]+[A-Za-z]")  # 15h may be written 15 h
EXACT = '"{}"'
_UNSPACED_COMMON = COMMON["chinese"] | COMMON["japanese"] | COMMON["korean"]


@dataclass(frozen=True, slots=True)
class Question:
    """The input of a search.

    `task` is the question; `turns` are earlier ones, oldest first; `inputs` are the inputs of the
    run.
    """

    task: str
    turns: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """A word with its indexed forms, as FTS5 expressions. `word` is for people.

    A `guessed` term is not in the question itself. A `similar` one replaces a word of it.
    """

    word: str
    forms: tuple[str, ...]
    weight: float = 1.0
    guessed: bool = False
    similar: bool = False

    @property
    def expression(self) -> str:
        return " OR ".join(self.forms)


@dataclass(frozen=True, slots=True)
class Terms:
    """The search terms: all of `leading`, and the best of `filling`.

    `near` are neighbours in the question; passages with them close together rank higher. With
    `together` a passage must contain all, because each alone is too common.
    """

    leading: tuple[Term, ...]
    filling: tuple[Term, ...] = ()
    near: tuple[Term, ...] = ()
    together: bool = False


def terms_of(question: Question, languages: Iterable[str]) -> Terms:
    """The terms of a question for an index with texts in `languages`."""
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
        return Terms(tuple(task), tuple(filling), tuple(_neighbours(question.task, known)))
    every = _distinct(question.task, known, _TASK_WEIGHT, common=True)
    return Terms(tuple(every), together=True)


def _distinct(
    text: str, languages: frozenset[str], weight: float, *, common: bool = False
) -> list[Term]:
    """The terms of a text, each once; if there are very many, the most frequent first."""
    words = _question_words(text, common=common)
    left_out = frozenset() if common else _left_out(text, languages)
    shouted = text.isupper()
    counted: Counter[tuple[str, tuple[str, ...]]] = Counter()
    # The first and the last words count as frequent: there a long text says what it is about.
    counts = Counter([*words, *(words[:_ENDS] + words[-_ENDS:]) * (len(words) // _MOST_WORDS)])
    often = dict(counts.most_common(_MOST_WORDS))
    for word in dict.fromkeys(words):
        if word not in often:
            continue
        meant = not shouted and _is_acronym(word)  # IT, not it
        for term in _terms(word, languages):
            if meant or simplified(term.word) not in left_out:
                counted[term.word, term.forms] += often[word]
    kept = list(counted)
    if len(kept) > _MOST_EXAMINED:
        kept = [term for term, _ in counted.most_common(_MOST_EXAMINED)]
    shown = {fold(word): word for word in often}
    found = [Term(shown.get(word, word), forms, weight) for word, forms in kept]
    if not common:
        share = weight * _COMPOUND_SHARE
        joined = dict(itertools.islice(_compounds(words, left_out, languages), _MOST_EXAMINED))
        found += [Term(word, forms, share, guessed=True) for word, forms in joined.items()]
        found += _shortened([word for word, _ in kept], weight * _SHORT_SHARE)
    return found


def _shortened(words: Sequence[str], weight: float) -> Iterator[Term]:
    """Words that code has for those of a question: `dir` for `directory`."""
    others = itertools.chain.from_iterable(map(shorter_or_longer, words))
    for other in dict.fromkeys(others):
        if other not in words:
            yield Term(other, (EXACT.format(other),), weight, guessed=True)


def _question_words(text: str, *, common: bool = False) -> list[str]:
    text = visible(text)  # can be 18 times as long
    if len(text) > _MOST_READ:
        text = f"{text[: _MOST_READ // 2]} {text[-_MOST_READ // 2 :]}"
    return found_words(_GAP.sub(",", text if common else _ELISION.sub(" ", text)))


def _left_out(text: str, languages: frozenset[str]) -> frozenset[str]:
    """The words that are irrelevant for a search."""
    spoken = frozenset({language_of(text, languages), "english"})
    return common_words(spoken | languages) | _UNSPACED_COMMON


def _is_acronym(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def _terms(word: str, languages: frozenset[str]) -> Iterator[Term]:
    plain = []
    in_parts = _PARTS.fullmatch(word)
    for run, sign in itertools.islice(runs(word), _MOST_RUNS):
        if is_unspaced(run):
            yield from _unspaced_terms(run[:_LONGEST_RUN])
        elif len(run) > _LONGEST_WORD:  # such as an encoded file
            yield Term(run[:_LONGEST_WORD], (EXACT.format(fold(run[:_LONGEST_WORD])) + "*",))
        else:
            found = list(names(run, sign))
            plain.append(found[bool(sign)])
            accented = tuple(_accented(run, languages))
            digit = in_parts and len(run) == 1
            for name in () if digit else found[:1] if sign else found:
                more = accented if name == found[0] else ()
                yield Term(name, tuple(dict.fromkeys((*_forms(name, languages), *more))))
            if len(found) > 2 and not sign:  # `rateLimiter` might be `rate_limiter` elsewhere
                yield Term(word, tuple(phrases(found[1:], languages)))
    if len(plain) > 1:
        numbers = _written_numbers(plain) if "".join(plain).isdecimal() else ()
        forms = (*phrases(plain, languages), *_forms("".join(plain), languages), *numbers)
        yield Term(word, tuple(dict.fromkeys(forms)))
    elif _NUMBER.fullmatch(word):
        yield Term(word, tuple(phrases(_THOUSANDS.sub(" ", word).split(), frozenset())))
    elif _MEASURE.fullmatch(word):
        yield Term(word, tuple(phrases([word[:-1], word[-1:].lower()], frozenset())))


def _written_numbers(parts: Sequence[str]) -> Iterator[str]:
    """A number with and without marks of thousands: `1250,50`, `1.250,50`."""
    apart = " ".join(_THOUSANDS.sub(" ", part) for part in parts)
    together = re.sub(" (?=[0-9]{3}(?: |$))", "", " ".join(parts))
    yield from map(EXACT.format, (apart, together))


def _forms(name: str, languages: frozenset[str]) -> Iterator[str]:
    stems = {language: stem(name, language) for language in languages}
    for form in dict.fromkeys([stem(name, ""), *sorted(stems.values())]):
        # The index removes English endings, too: Italian `pers` would find `per`.
        if form == name or stem(form, IN_INDEX) not in common_words(languages):
            yield EXACT.format(form)
    compounding = sorted(COMPOUNDING & languages)
    if compounding and len(name) >= SHORTEST_PART and name.isalpha():
        for head in dict.fromkeys(stems[language] for language in compounding):
            yield EXACT.format(END + head)
        yield EXACT.format(name) + "*"


def _accented(run: str, languages: frozenset[str]) -> Iterator[str]:
    for language in sorted(languages):
        yield from map(EXACT.format, filter(None, other_stems([run], language)))


def phrases(names: Sequence[str], languages: frozenset[str]) -> Iterator[str]:
    """Phrases of consecutive words: `rate-limiter`, `3.9.1`."""
    phrases = (
        " ".join(stem(name, language) for name in names) for language in ("", *sorted(languages))
    )
    yield from dict.fromkeys(map(EXACT.format, phrases))


def _unspaced_terms(run: str) -> Iterator[Term]:
    if len(run) == 1:
        yield Term(run, (EXACT.format(fold(run)) + "*",))
    elif _HIRAGANA.fullmatch(run):  # grammar, unless it is the only word
        yield Term(run, (_phrase(run),))
        yield from _spelled_out(run)
    elif _TRIPLES.match(run):
        triples = [run[start : start + 3] for start in range(max(1, len(run) - 2))]
        for triple in [t for t in triples if not _THAI_SEAM.search(t)] or triples:
            yield Term(triple, (_phrase(triple),))
    else:
        for part in _KATAKANA.split(run):
            for pair in _pairs(part):
                yield Term(pair, (EXACT.format(fold(pair)),))
        for part in _KATAKANA.findall(run):
            for start in range(len(part) - 2):
                yield Term(part, (_phrase(part[start : start + 3]),))
        for part in _HIRAGANA.findall(run):
            yield from _spelled_out(part)


def _pairs(run: str) -> Iterator[str]:
    """The pairs of adjacent characters of a question, except grammar."""
    pairs_of_run = map(
        "".join, itertools.chain.from_iterable(map(itertools.pairwise, _END_OF_WORD.split(run)))
    )
    return (pair for pair in pairs_of_run if not _HIRAGANA.fullmatch(pair))


def _spelled_out(hiragana: str) -> Iterator[Term]:
    """Words in Hiragana between particles and verbs: `りんごはいくらですか`."""
    for word in _PARTICLES.split(hiragana):
        if _SHORTEST_SPELLED <= len(word) < len(hiragana):
            yield Term(word, (_phrase(word),))


def _phrase(run: str) -> str:
    return EXACT.format(" ".join(map("".join, itertools.pairwise(fold(run)))))


def _compounds(
    words: Sequence[str], left_out: frozenset[str], languages: frozenset[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Neighbours that may be written as one word: `data base`, `Rückgabe Frist`."""
    for first, second in itertools.pairwise(map(fold, words)):
        one = first + second
        measure = first.isdecimal() and second.isalpha() and len(second) <= _UNIT
        plain = (one.isalpha() or measure) and not is_unspaced(first) and not is_unspaced(second)
        if plain and (measure or len(first) > 1) and not {first, second} & left_out:
            yield one, tuple(_forms(one, languages))


def _neighbours(text: str, languages: frozenset[str]) -> Iterator[Term]:
    """Neighbours in a text, each once: adjacent words, three characters."""
    left_out = _left_out(text, languages)
    found: dict[tuple[str, ...], None] = {}
    last = ""
    every_run = itertools.chain.from_iterable(map(runs, _question_words(text)))
    for run, sign in itertools.islice(every_run, _MOST_WORDS):
        if is_unspaced(run):
            found |= dict.fromkeys(_triples(run[:_LONGEST_RUN]))
            last = ""
            continue
        name = [*names(run, sign)][bool(sign)]
        if name in left_out:
            continue
        if last and name != last:
            found[tuple(_close(last, name, languages))] = None
        last = name
    share = _TASK_WEIGHT * _NEAR_SHARE
    yield from (Term("", forms, share, guessed=True) for forms in [*found][:_MOST_NEAR])


def _close(first: str, second: str, languages: frozenset[str]) -> Iterator[str]:
    pairs_of_stems = (
        (stem(first, language), stem(second, language)) for language in ("", *sorted(languages))
    )
    for one, other in dict.fromkeys(pairs_of_stems):
        yield f"NEAR({EXACT.format(one)} {EXACT.format(other)}, {_NEAR})"


def _triples(run: str) -> Iterator[tuple[str, ...]]:
    if not _TRIPLES.match(run):
        for start in range(len(run) - 2):
            triple = run[start : start + 3]
            if not _HIRAGANA.fullmatch(triple[:2]) and not _HIRAGANA.fullmatch(triple[1:]):
                yield (_phrase(triple),)
