"""The values of edits: rules, blocks, changes and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from gptasst.definitions.types import KEEP_BY_DEFAULT, Keep
from gptasst.values import dataclass

Format = Literal["markdown", "text"]

# From this share on, words may change freely, as in a translation.
FREE = 1.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The allowed changes: everything except `keep`, up to a share of a block's characters."""

    keep: tuple[Keep, ...] = KEEP_BY_DEFAULT
    max_change: float = 0.3

    @property
    def free(self) -> bool:
        """Whether all words of a block may change."""
        return self.max_change >= FREE


@dataclass(frozen=True, slots=True)
class Span:
    """A range of characters in a text, within one line."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a text: whole lines, without the last line end.

    `fields` are its editable parts: the text of a paragraph, the cells of a table row. A field has
    a span for each line, without indentation, list markers and trailing blanks. A block without
    fields, such as code, never changes. Lines count from 1.
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
        """The content of a block: the text of its fields, or else all of it."""
        if not block.fields:
            return self.text[block.start : block.end]
        return "\n".join("\n".join(self.lines(spans)) for spans in block.fields)


@dataclass(frozen=True, slots=True)
class Change:
    """A block with its new text."""

    block: Block
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a proposed change of a block was refused."""

    block: Block
    reason: str
