"""Split text into blocks: CommonMark with tables for Markdown, paragraphs for other text."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from gptasst.edits.boundaries import block_parser, section_starts
from gptasst.edits.types import Block, Format, Parsed, Span

if TYPE_CHECKING:
    from markdown_it.token import Token

_MARKDOWN = {".md", ".markdown", ".mdown", ".mkd", ".mkdn", ".mdx", ".qmd", ".rmd", ""}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
_FRONT_MATTER = re.compile(r"(---|\+\+\+)[ \t]*(?=[\r\n]|$)")
# `key: value` in front matter; the value's quotes are not part of the field.
_VALUE = re.compile(r"""\s*(?:-\s+)?[\w-]+:[ \t]+(['"]?)(?P<value>\S.*?)\1[ \t]*$""")
_HEADING = re.compile(r"[^#]*#{1,6}[ \t]+")
_ATTRIBUTES = re.compile(r"[ \t]*\{[#.:][^{}]*\}$")
_CONTAINERS = re.compile(r"(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*")
# The start of an item that is not its text: a task's box, a footnote's label.
_ITEM_MARK = re.compile(r"\[[ xX]\][ \t]+|\[\^[^\]]+\]:[ \t]+")
# Lines with a special meaning in extensions of Markdown: alerts, directives.
_DIRECTIVE = re.compile(r"\[![A-Za-z]+\]|:{3,}|!!!|\?\?\?|\{%")
# Lines that start with a letter are always a paragraph.
_PROSE = re.compile(r"(?:(?!\A\s)[ \t]*[^\W\d_][^\r\n\0]*(?:\r?\n|\Z))+[ \t\r\n]*")
_PIPE = re.compile(r"(?<!\\)\|")


def format_of(path: str) -> Format:
    """The format of a file for blocks; text without a name is Markdown."""
    return "markdown" if PurePath(path).suffix.lower() in _MARKDOWN else "text"


def parse(text: str, form: Format = "markdown") -> Parsed:
    """The blocks of a text. Everything else (blank lines, link definitions) never changes."""
    sections = Sections(text, form)
    blocks = [block for number in range(len(sections)) for block in sections.blocks(number)]
    return Parsed(text, tuple(blocks), sections.references)


class Sections:
    """A text in sections, each parsed when its blocks are first needed."""

    def __init__(self, text: str, form: Format = "markdown") -> None:
        self.text = text
        self.form = form
        self._starts = _starts(text, form)
        self._ends = [*self._starts[1:], len(text)]
        self._blocks: dict[int, tuple[Block, ...]] = {}

    def __len__(self) -> int:
        return len(self._starts)

    def span(self, numbers: range) -> Span:
        """The range of neighbouring sections."""
        return Span(self._starts[numbers.start], self._ends[numbers.stop - 1])

    def content(self, number: int) -> str:
        """The text of a section."""
        return self.text[self._starts[number] : self._ends[number]]

    @functools.cached_property
    def keys(self) -> list[str]:
        """Keys that are equal for sections with the same content."""
        contents = map(self.content, range(len(self)))
        return [re.sub(r"\r\n?", "\n", content).strip("\n") for content in contents]

    @functools.cached_property
    def references(self) -> Mapping[str, Any]:
        """The link definitions of the whole text, by label."""
        found: dict[str, Any] = {}
        for number in range(len(self)):
            content = self.content(number)
            if "]:" in content:
                for label, target in self.parsed(number, content)[1].items():
                    found.setdefault(label, target)  # the first one applies
        return found

    @functools.cached_property
    def _first_lines(self) -> list[int]:
        count = 0
        found = []
        for number in range(len(self)):
            found.append(count)
            content = self.content(number)
            ends = content.count("\r") - content.count("\r\n") if "\r" in content else 0
            count += content.count("\n") + ends
        return found

    def blocks(self, number: int) -> tuple[Block, ...]:
        """The blocks of a section, as blocks of the whole text."""
        if number not in self._blocks:
            place, line = self._starts[number], self._first_lines[number]
            found, _ = self.parsed(number, self.content(number))
            self._blocks[number] = tuple(_moved(block, place, line) for block in found)
        return self._blocks[number]

    def parsed(self, number: int, text: str) -> Blocks:
        """The blocks and link definitions of a section with this text, by itself."""
        if self.form == "text":
            return tuple(_paragraphs(_Lines(text))), {}
        if number == 0 and (front := _front_matter(text)):
            rest = text[front.end :]
            found, labels = _section(rest)
            moved = [_moved(block, front.end, front.last_line - 1) for block in found]
            return (front, *moved), labels
        return _section(text)


Blocks = tuple[tuple[Block, ...], Mapping[str, Any]]


def _starts(text: str, form: Format) -> list[int]:
    if form == "text":
        return section_starts(text, form)
    front = _front_matter(text)
    if front is None:
        # Text that starts like front matter may become some after a later change.
        return [0] if _FRONT_MATTER.match(text) else section_starts(text)
    following = [front.end + start for start in section_starts(text[front.end :])]
    return [0, *following[1:]]


@functools.lru_cache(maxsize=8192)  # most of an answer is identical to its text
def _section(text: str) -> Blocks:
    lines = _Lines(text)
    if _PROSE.fullmatch(text):
        return tuple(_paragraphs(lines)), {}
    environment: dict[str, Any] = {}
    tokens = block_parser().parse(text, environment)
    labels = {
        label: {
            key: each[key] for key in ("title", "href")
        }  # not the position, which would be wrong
        for label, each in environment.get("references", {}).items()
    }
    return tuple(_markdown_blocks(tokens, lines)), labels


def _moved(block: Block, start: int, lines: int) -> Block:
    """A block of a section, with its position in the whole text."""
    if not start:
        return block
    fields = tuple(
        tuple(Span(span.start + start, span.end + start) for span in spans)
        for spans in block.fields
    )
    return Block(
        block.kind,
        block.start + start,
        block.end + start,
        block.first_line + lines,
        block.last_line + lines,
        fields,
        block.path,
    )


def forget_sections() -> None:
    """Free the cache of parsed texts."""
    _section.cache_clear()


class _Lines:
    """The lines of a text by number, from 0, with their positions."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts: list[int] = []
        self._ends: list[int] = []
        for match in _LINE.finditer(text):
            self._starts.append(match.start())
            self._ends.append(match.start() + len(match[0].rstrip("\r\n")))

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: int) -> str:
        return self.text[self._starts[number] : self._ends[number]]

    def start(self, number: int) -> int:
        return self._starts[number] if number < len(self) else len(self.text)

    def span(self, number: int, start: int, end: int) -> Span:
        return Span(self._starts[number] + start, self._starts[number] + end)

    def block(
        self,
        kind: str,
        begin: int,
        end: int,
        fields: Sequence[tuple[Span, ...]] = (),
        path: tuple[str, ...] = (),
    ) -> Block:
        """The block of the lines from `begin` up to, but excluding, `end`."""
        return Block(
            kind, self._starts[begin], self._ends[end - 1], begin + 1, end, tuple(fields), path
        )


def _paragraphs(lines: _Lines) -> Iterator[Block]:
    begin: int | None = None
    for number in range(len(lines) + 1):
        blank = number == len(lines) or not lines[number].strip()
        if not blank and begin is None:
            begin = number
        elif blank and begin is not None:
            spans = [_stripped(lines, each) for each in range(begin, number)]
            yield lines.block("paragraph", begin, number, [tuple(spans)])
            begin = None


def _stripped(lines: _Lines, number: int) -> Span:
    line = lines[number]
    return lines.span(number, len(line) - len(line.lstrip()), len(line.rstrip()))


def _front_matter(text: str) -> Block | None:
    opening = _FRONT_MATTER.match(text)
    if opening is None:
        return None
    lines = _Lines(text)
    for number in range(1, len(lines)):
        if lines[number].rstrip() in (opening[1], "..."):
            fields = [(value,) for each in range(1, number) for value in _values(lines, each)]
            return lines.block("front_matter", 0, number + 1, fields)
    return None


def _values(lines: _Lines, number: int) -> Iterator[Span]:
    match = _VALUE.match(lines[number])
    if match and any(character.isalpha() for character in match["value"]):
        yield lines.span(number, match.start("value"), match.end("value"))


def _markdown_blocks(tokens: Sequence[Token], lines: _Lines) -> Iterator[Block]:
    path: list[str] = []
    for index, token in enumerate(tokens):
        if token.type in _CONTAINER_TOKENS and token.nesting > 0:
            path.append(token.type.removesuffix("_open"))
        elif token.type in _CONTAINER_TOKENS:
            path.pop()
        elif token.map is not None:
            begin, end = token.map[0], min(token.map[1], len(lines))
            while end > begin + 1 and not lines[end - 1].strip(" \t>"):
                end -= 1
            if begin < end:
                following = tokens[index + 1] if index + 1 < len(tokens) else token
                yield from _leaf(token, following.content, lines, (begin, end), tuple(path))


_CONTAINER_TOKENS = frozenset(
    f"{kind}_{side}"
    for kind in ("bullet_list", "ordered_list", "list_item", "blockquote")
    for side in ("open", "close")
)


def _leaf(
    token: Token, content: str, lines: _Lines, place: tuple[int, int], path: tuple[str, ...]
) -> Iterator[Block]:
    if token.type in ("paragraph_open", "heading_open"):
        yield _text_block(token, content, lines, place, path)
    elif token.type == "table_open":
        yield from _rows(lines, *place, path)
    elif token.type in ("fence", "code_block", "html_block", "hr"):
        yield lines.block(token.type, *place, path=path)


def _text_block(
    token: Token, content: str, lines: _Lines, place: tuple[int, int], path: tuple[str, ...]
) -> Block:
    begin, end = place
    heading = token.type == "heading_open"
    kind = f"heading {token.tag[1:]}" if heading else "paragraph"
    if heading and token.markup.startswith("#"):
        spans = _atx_heading(content, lines, begin)
    else:
        spans = _flow(content, lines, begin)
    return lines.block(kind, begin, end, [spans] if spans else (), path)


def _atx_heading(content: str, lines: _Lines, number: int) -> tuple[Span, ...]:
    opening = _HEADING.match(lines[number])
    if not content or opening is None or not lines[number].startswith(content, opening.end()):
        return ()
    attributes = _ATTRIBUTES.search(content)
    length = attributes.start() if attributes else len(content)
    return (lines.span(number, opening.end(), opening.end() + length),) if length else ()


def _flow(content: str, lines: _Lines, begin: int) -> tuple[Span, ...]:
    """The spans of a paragraph's lines; none if its text is not found in them."""
    spans = []
    for number, piece in enumerate(content.split("\n"), start=begin):
        text = piece.strip()
        if number >= len(lines):
            return ()
        line = lines[number].rstrip()
        if not text or not line.endswith(text):
            return ()
        if _DIRECTIVE.match(text):
            continue
        mark = _ITEM_MARK.match(text) if number == begin else None
        start = len(line) - len(text) + (mark.end() if mark else 0)
        spans.append(lines.span(number, start, len(line)))
    return tuple(spans)


def _rows(lines: _Lines, begin: int, end: int, path: tuple[str, ...]) -> Iterator[Block]:
    columns: int | None = None
    for number in range(begin, end):
        if number == begin + 1:  # the line of dashes
            yield lines.block("table_line", number, number + 1, path=path)
            continue
        cells = list(_cells(lines, number, in_container=bool(path)))
        columns = columns or len(cells)
        fields = [(cell,) for cell in cells if cell.end > cell.start]
        known = len(cells) == columns
        yield lines.block("row", number, number + 1, fields if known else (), path)


def _cells(lines: _Lines, number: int, *, in_container: bool) -> Iterator[Span]:
    line = lines[number].rstrip()
    prefix = _CONTAINERS.match(line) if in_container else None
    start = prefix.end() if prefix else len(line) - len(line.lstrip())
    if line.startswith("|", start):
        start += 1
    bounds = [match.start() for match in _PIPE.finditer(line, start)]
    if not bounds or bounds[-1] != len(line) - 1:
        bounds.append(len(line))
    for bound in bounds:
        cell = line[start:bound]
        left = len(cell) - len(cell.lstrip())
        yield lines.span(number, start + left, start + max(left, len(cell.rstrip())))
        start = bound + 1
