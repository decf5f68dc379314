"""Split a text into sections that can be parsed separately.

In Markdown, an unindented line after a blank line ends every list, quote, table and paragraph.
Only a code fence or HTML may continue, so a section starts at each such line outside of these.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from gptasst.edits.types import Format

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


# In other text, every paragraph is a section.
_PARAGRAPH = re.compile(r"^[^\S\n]*\n(?=[^\n]*\S)", re.MULTILINE)
# A fence, HTML, or a blank line before an unindented line.
_EVENT = re.compile(
    r"^(?P<before>[ \t>*+\-\d.)]*)(?:(?P<marks>`{3,}|~{3,})(?P<info>.*)|(?P<html><[A-Za-z/!?]))"
    r"|^(?P<blank>[ \t]*\r?\n)(?=[^ \t\r\n])",
    re.MULTILINE,
)


def section_starts(text: str, form: Format = "markdown") -> list[int]:
    """The start positions of the sections of a text; the first is 0."""
    if form == "text":
        return [0, *(match.end() for match in _PARAGRAPH.finditer(text))]
    if "\r" in text and "\r" in text.replace("\r\n", ""):  # bare CR line ends, which are rare
        return [0]
    return _markdown_starts(text)


def _markdown_starts(text: str) -> list[int]:
    starts = [0]
    fence: str | None = None
    doubtful = False  # only the parser knows whether something in this section continues
    spared = unasked = 0  # don't parse a long one at every line
    for event in _EVENT.finditer(text):
        if event["blank"] is not None:
            end = event.end()
            if doubtful and unasked < spared:
                unasked += 1
            elif doubtful:
                doubtful = not _is_closed(text[starts[-1] : end])
                spared, unasked = 2 * spared + 1 if doubtful else 0, 0
            if not doubtful and fence is None:
                starts.append(end)
        elif fence is not None:
            if _closes(event, fence):
                fence = None
        elif event["html"] or len(event["before"]) > 1 or event["before"].strip(" "):
            doubtful = True  # it may be in an item, a quote or indented code
        elif not doubtful and (event["marks"][0] == "~" or "`" not in event["info"]):
            fence = event["marks"]
    return starts


def _closes(event: re.Match[str], fence: str) -> bool:
    before = event["before"]
    at_margin = len(before) <= 3 and not before.strip(" ")
    marks = event["marks"] or ""
    return at_margin and marks.startswith(fence) and not event["info"].strip()


def _is_closed(section: str) -> bool:
    """Whether a paragraph after this text would be a top-level one."""
    tokens = block_parser().parse(f"{section}\n\nx\n")
    return tokens[-1].type == "paragraph_close" and tokens[-1].level == 0


@functools.cache
def parser() -> MarkdownIt:
    """A parser for blocks and inline text."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


@functools.cache
def block_parser() -> MarkdownIt:
    """A parser for blocks only."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("inline")
