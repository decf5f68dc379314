"""Markdown as edits read it: CommonMark with tables and strikethrough."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


@functools.cache
def parser() -> MarkdownIt:
    """Parses blocks and what is in their text."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


@functools.cache
def block_parser() -> MarkdownIt:
    """Parses blocks only."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("inline")
