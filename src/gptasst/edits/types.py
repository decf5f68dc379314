"""Blocks of a text, what must stay in them, and what came of an edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from gptasst.definitions.types import KEEP_BY_DEFAULT, Keep
from gptasst.values import dataclass

Format = Literal["markdown", "text"]

# From here on words may change freely, as in a translation.
FREE = 1.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What an edit may change: all but `keep`, and of a block's characters this share."""

    keep: tuple[Keep, ...] = KEEP_BY_DEFAULT
    max_change: float = 0.3

    @property
    def free(self) -> bool:
        """Whether a block may become other words altogether."""
        return self.max_change >= FREE


@dataclass(frozen=True, slots=True)
class Span:
    """A range of characters in a text, within one line."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a text: whole lines, without the end of the last one.

    `fields` are what may change in it: of a paragraph its text, of a table's row its cells. A
    field is one span for each line, without indentation, list marks and trailing blanks. A block
    without fields, such as code, never changes. Lines are counted from 1.
    """

    kind: str
    start: int
    end: int
    first_line: int
    last_line: int
    fields: tuple[tuple[Span, ...], ...] = ()
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text and its blocks, in order. `references` are its link definitions, by label."""

    text: str
    blocks: tuple[Block, ...]
    references: Mapping[str, Any] = field(default_factory=dict)

    def lines(self, spans: tuple[Span, ...]) -> list[str]:
        """The lines of one field."""
        return [self.text[span.start : span.end] for span in spans]

    def content(self, block: Block) -> str:
        """What a block says: its fields' text, else all of it."""
        if not block.fields:
            return self.text[block.start : block.end]
        return "\n".join("\n".join(self.lines(spans)) for spans in block.fields)


@dataclass(frozen=True, slots=True)
class Change:
    """A block with a new text in place of the old one."""

    block: Block
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why what was proposed for a block can't be taken over."""

    block: Block
    reason: str
