"""The sentences of a block as a small model is asked for them: words, without markup.

A token knows where it stands in the block's text, so that a word can be replaced there and all
around it stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gptasst.edits.inline import ADDRESS, PLACEHOLDER

Kind = Literal["word", "mark", "fixed"]

# In order: what never changes and is shown, markup that is not shown, words, marks.
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
# Longer sentences are beyond a small model.
_MOST_WORDS = 60


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a mark of a text. `start` and `end` are where it stands; `text` is as shown."""

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
        """The sentence as it is shown to a model."""
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
    """The sentences of a text that hold words, in order."""
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
    """The words and marks of a text, with what is fixed in it; markup is left out."""
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
