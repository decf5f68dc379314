"""Edits by small models, which get one sentence at a time.

The safe parts of an answer are applied word by word: other spellings and forms of the same word,
and small grammatical words. Dropped, added or exchanged content words are not applied, nor are
changes of negations, numbers or names. The lists are English; in other languages only spelling
changes are applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from gptasst.edits.checking import ADDRESS, PLACEHOLDER
from gptasst.edits.difference import opcodes
from gptasst.edits.document import EditedText
from gptasst.values import dataclass


def sentences_of(edited: EditedText) -> list[str]:
    """The sentences to send, in order."""
    return [
        sentence.text
        for key in edited.editable()
        for spans in edited.block(key).fields
        for sentence in sentences("\n".join(edited.parsed.lines(spans)))
    ]


def by_sentences(edited: EditedText, answers: Iterator[str]) -> Iterator[None]:
    """Apply the safe changes of the answers for all sentences of a text; yields after each.

    Args:
        edited: the text under edit.
        answers: a model's answer for each of `sentences_of`.
    """
    for key in edited.editable():
        fields = []
        for spans in edited.block(key).fields:
            text = "\n".join(edited.parsed.lines(spans))
            replacements = []
            for sentence in sentences(text):
                replacements += merged(sentence, next(answers))
                yield
            fields.append(applied(text, replacements).split("\n"))
        edited.offer(key, fields)


# Each word of a group may become another one of it.
_EXCHANGED = tuple(
    frozenset(group.split())
    for group in (
        "is are am be been",
        "was were",
        "has have had",
        "do does",
        "a an",
        "this these",
        "that those",
        "their there they're",
        "its it's it",
        "your you're",
        "then than",
        "to too two",
        "who whom whose who's",
        "he him his",
        "she her hers",
        "they them",
        "we us our",
        "i me my",
        "of off have",
        "were where we're",
        "which who that",
        "by buy bye",
    )
)

# Punctuation that small models add, without affecting a correction.
_ADDED = frozenset("a an the of for to".split())

_NEGATION = re.compile(
    r"(?:not?|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|hardly"
    r"|(?:do|does|did|is|are|was|were|has|have|had|ca|wo|would|should|could|must)n['’]?t)\Z",  # noqa: RUF001
    re.IGNORECASE,
)

_NUMBERS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve hundred thousand million"
    " first second third once twice half".split()
)


# A form such as `taken` for `taked` needs one of these before it.
_AUXILIARY = frozenset(
    "have has had having be is are was were been being get gets got getting".split()
)

_DOUBLED_END = re.compile(r"([b-df-hj-np-tv-xz])\1\Z")


@dataclass(frozen=True, slots=True)
class Replacement:
    """A range of a text, and its replacement."""

    start: int
    end: int
    text: str


def merged(sentence: Sentence, answer: str) -> list[Replacement]:
    """The safe parts of an answer for a sentence."""
    old = sentence.tokens
    new = [token.text for token in tokens_of(answer.strip())]
    found: list[Replacement] = []
    for tag, i1, i2, j1, j2 in opcodes([token.text for token in old], new):
        if tag == "replace":
            found += _region(old[i1:i2], new[j1:j2], old[:i1])
    return found


def _region(old: Sequence[Token], new: Sequence[str], before: Sequence[Token]) -> list[Replacement]:
    """The replacements for a differing region: all of its words, or none."""
    tokens = [token for token in old if token.kind != "mark"]
    words = [word for word in new if word[0].isalnum()]
    if len(words) > len(tokens):  # don't add words
        words = [word for word in words if word.lower() not in _ADDED]
    if len(tokens) != len(words):
        return []
    pairs = [pair for pair in zip(tokens, words, strict=True) if pair[0].text != pair[1]]
    if not all(token.kind == "word" and may_become(token.text, word) for token, word in pairs):
        return []
    words_before = [token.text for token in before if token.kind == "word"]
    if any(_lacks_auxiliary(token.text, word, words_before) for token, word in pairs):
        return []
    return [Replacement(token.start, token.end, word) for token, word in pairs]


def _lacks_auxiliary(old: str, new: str, before: Sequence[str]) -> bool:
    """Whether a past tense became a participle (`we taken`), which is wrong."""
    became = old.lower().endswith("ed") and new.lower().endswith("en")
    near = {re.sub(r"n['’]?t\Z", "", word.lower()) for word in before[-3:]}  # noqa: RUF001
    return became and near.isdisjoint(_AUXILIARY)


def _is_odd(old: str, new: str) -> bool:
    """Whether a word got an impossible ending, as in `reportt`."""
    end = _DOUBLED_END.search(new)
    usual = len(new) <= 4 or new[-1] in "flsz" or old.endswith(new[-2:])
    return end is not None and not usual


def may_become(old: str, new: str) -> bool:
    """Whether a word may be another spelling or form of a word."""
    a, b = old.lower(), new.lower()
    if a == b:
        return a in ("i", "i'm")
    fixed = _is_name(old) or a in _NUMBERS or b in _NUMBERS
    if fixed or bool(_NEGATION.match(a)) != bool(_NEGATION.match(b)):
        return False
    if old[0].isupper() != new[0].isupper():
        return False
    return any(a in group and b in group for group in _EXCHANGED) or (
        _is_same_word(a, b) and not _is_odd(a, b)
    )


def _is_same_word(a: str, b: str) -> bool:
    plain = b.replace("’", "'")  # noqa: RUF001
    if "'" in plain:
        return plain.replace("'", "") == a
    if min(len(a), len(b)) <= 3:  # for short words, only forms and reordered letters
        longer, shorter = sorted((a, b), key=len, reverse=True)
        return len(shorter) == 3 and (longer.startswith(shorter) or sorted(a) == sorted(b))
    return is_close(a, b)


def _is_name(word: str) -> bool:
    return any(character.isupper() for character in word[1:])


def is_close(old: str, new: str) -> bool:
    """Whether two words differ in at most a third of their letters, and not in the first."""
    if old[0] != new[0]:
        return False
    return distance(old, new) <= max(1, (min(len(old), len(new)) + 1) // 3)


def distance(old: str, new: str) -> int:
    """The edit distance of two words: letters added, dropped, replaced or swapped."""
    before: list[int] = []
    row = list(range(len(new) + 1))
    for i, a in enumerate(old, start=1):
        above, row = row, [i]
        for j, b in enumerate(new, start=1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and a == new[j - 2] and old[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before = above
    return row[-1]


def applied(text: str, replacements: Sequence[Replacement]) -> str:
    """A text with replacements applied."""
    return "".join(_pieces(text, replacements))


def _pieces(text: str, replacements: Sequence[Replacement]) -> Iterator[str]:
    place = 0
    for each in sorted(replacements, key=lambda each: each.start):
        yield text[place : each.start]
        yield each.text
        place = each.end
    yield text[place:]


Kind = Literal["word", "mark", "fixed"]

# In order: fixed parts that are shown, markup that is hidden, words, punctuation.
_TOKEN = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`)(?P<inner>.+?)(?<!`)(?P=ticks)(?!`))"
    rf"|(?P<fixed>{PLACEHOLDER.pattern}|<(?:https?|mailto):[^<>\s]+>|{ADDRESS.pattern}"
    r"|\$\$.+?\$\$|&\#?\w+;)"
    r"|(?P<hidden>\]\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+(?:\"[^\"]*\"|'[^']*'))?\)"
    r"|\]\[[^\]]*\]|!?\[\^[^\]]*\]|!\[|</?[A-Za-z][^<>]*>|<!--.*?-->|\\(?=\n|$)|\\(?=[^\w\s])"
    r"|\[|\]|\*+|~~+|(?<!\w)_+|_+(?!\w))"
    r"|(?P<odd>[\w.+-]*[\d_/\\@]+[\w./\\@+-]*\w|\d|--?[\w-]+|(?<![\w.])\.\w+|\w+\.\w[\w.]*)"
    r"|(?P<word>[^\W\d_]+(?:[-'’][^\W\d_]+)*)"  # noqa: RUF001  # both apostrophes are in use
    r"|(?P<mark>\S)",
    re.DOTALL,
)

_ENDS = frozenset(".!?:;…。！？")  # noqa: RUF001

# Longer sentences are too hard for a small model.
_MOST_WORDS = 60


@dataclass(frozen=True, slots=True)
class Token:
    """A word or mark in a text. `start` and `end` are its range; `text` is what is shown."""

    text: str
    start: int
    end: int
    kind: Kind
    glued: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """The sentence in the form sent to a model."""
        pieces = []
        for number, token in enumerate(self.tokens):
            if number and not token.glued:
                pieces.append(" ")
            pieces.append(token.text)
        return "".join(pieces)

    @property
    def words(self) -> int:
        return sum(token.kind == "word" for token in self.tokens)


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text with words, in order."""
    found: list[Sentence] = []
    current: list[Token] = []
    for token in tokens_of(text):
        if current and current[-1].text in _ENDS and not token.glued:
            found.append(Sentence(tuple(current)))
            current = []
        current.append(token)
    found.append(Sentence(tuple(current)))
    return [each for each in found if 0 < each.words <= _MOST_WORDS]


def tokens_of(text: str) -> Iterator[Token]:
    """The words, marks and fixed parts of a text, without markup."""
    place = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "mark"
        if match["code"] is not None:
            kind = "code"
        blank = any(character.isspace() for character in text[place : match.start()])
        if kind == "hidden":
            continue
        shown = match["inner"] if kind == "code" else match[0]
        glued = place > 0 and not blank
        yield Token(shown, match.start(), match.end(), _KINDS.get(kind, "fixed"), glued)
        place = match.end()


_KINDS: dict[str, Kind] = {"word": "word", "mark": "mark"}
