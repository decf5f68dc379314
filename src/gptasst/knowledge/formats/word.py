"""Text of DOCX, in reading order, under its headings; what it shares with OpenDocument."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from gptasst.knowledge.formats.documents import archive, local_name, tree
from gptasst.knowledge.formats.types import Document, Part, Sections

if TYPE_CHECKING:
    from docx.document import Document as WordDocument
    from docx.styles.style import BaseStyle
    from lxml.etree import _Element

_HEADING = re.compile(r"heading (\d)|title", re.IGNORECASE)
_REPEATED = "headers and footers"  # a place

# A table is often used for the layout of a page; its cells are then read one after the other.
_LONG_ROW = 1_000  # characters


class Reader:
    """What DOCX and ODT have in common: blocks, tables, and texts beside the text.

    Text boxes and notes follow the paragraph that they belong to.
    """

    # Elements by local name. What is in none of these sets is searched for paragraphs.
    left_out: frozenset[str] = frozenset()
    paragraphs: frozenset[str] = frozenset()
    rows = ""
    cells: frozenset[str] = frozenset()
    table = ""

    def __init__(self) -> None:
        self.sections = Sections()

    def read(self, parent: _Element) -> None:
        for element in parent:
            name = local_name(element)
            if name in self.paragraphs:
                self._read_paragraph(element)
            elif name == self.table:
                self._read_table(element)
            elif name and name not in self.left_out:
                self.read(element)

    def _read_paragraph(self, element: _Element) -> None:
        beside: list[_Element] = []
        text = "".join(self.pieces(element, beside))
        level = self.level(element)
        if level and text.strip():
            self.sections.heading(level, text)
        else:
            self.sections.paragraph(text)
        for other in beside:
            self.read(other)

    def _read_table(self, table: _Element) -> None:
        kept = (row for row in self._of(table, {self.rows}) if not self.is_deleted(row))
        rows = [list(self._of(row, self.cells)) for row in kept]
        if len(rows) == 1 and len(rows[0]) == 1:
            self.read(rows[0][0])
            return
        above: dict[int, str] = {}
        for row in rows:
            texts: list[str] = []
            column = 0
            for cell in row:
                span, is_covered, goes_on = self.spans(cell)
                if not is_covered:
                    text = self.cell_text(cell)
                    above.pop(column, None)
                    if goes_on:
                        above[column] = text
                    texts.append(text)
                elif column in above:  # else the cell before covers it
                    texts.append(above[column])
                column += span
            if sum(map(len, texts)) > _LONG_ROW:
                for cell in row:
                    self.read(cell)
            elif any(texts):
                self.sections.paragraph(" | ".join(texts))

    def _of(self, parent: _Element, names: Iterable[str]) -> Iterator[_Element]:
        """The elements of these names that are not in one another, such as in a nested table."""
        for element in parent:
            name = local_name(element)
            if name in names:
                yield element
            elif name and name not in self.left_out:
                yield from self._of(element, names)

    def cell_text(self, parent: _Element) -> str:
        texts: list[str] = []
        for paragraph in self._of(parent, self.paragraphs):
            beside: list[_Element] = []
            texts.append("".join(self.pieces(paragraph, beside)))
            texts += map(self.cell_text, beside)
        return " ".join(" ".join(texts).split())

    def is_deleted(self, row: _Element) -> bool:
        """Whether the row of a table is a change that was not accepted yet."""
        return descendant(row, "trPr", "del") is not None

    def pieces(self, element: _Element, beside: list[_Element]) -> Iterator[str]:
        """The text of a paragraph; what is not in its line is added to `beside`."""
        raise NotImplementedError

    def level(self, paragraph: _Element) -> int:
        """The level of a heading, 0 for other paragraphs."""
        raise NotImplementedError

    def spans(self, cell: _Element) -> tuple[int, bool, bool]:
        """The columns of a cell; if a cell above covers it; if it may cover cells below."""
        raise NotImplementedError


def attribute(element: _Element | None, name: str) -> str:
    """An attribute by its local name; empty without it."""
    if element is None:
        return ""
    return next((v for k, v in element.items() if k.rpartition("}")[2] == name), "")


def descendant(element: _Element, *path: str) -> _Element | None:
    """The first descendant along a path of local names."""
    found: Any = element
    for name in path:
        found = next((c for c in found if local_name(c) == name), None)
        if found is None:
            return None
    return found


def number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() else default


class _WordReader(Reader):
    # Deleted and moved text is not the document's; a fallback repeats its choice.
    left_out = frozenset(
        "del moveFrom Fallback rPr pPr tblPr trPr tcPr sectPr sdtPr instrText delText rt".split()
    )
    paragraphs = frozenset({"p"})
    rows, cells, table = "tr", frozenset({"tc"}), "tbl"
    _spaces = frozenset("tab br cr ptab".split())

    def __init__(self, document: WordDocument) -> None:
        super().__init__()
        self._document = document
        self._notes = {
            (kind, attribute(note, "id")): note
            for kind in ("footnote", "endnote")
            for note in self._related(f"{kind}s")
        }
        default = document.styles.element
        self._levels = {
            style.style_id: _style_level(style)
            for style in document.styles
            if local_name(style.element) == "style" and style.element.getparent() is default
        }

    def _related(self, kind: str) -> Iterator[_Element]:
        for relation in self._document.part.rels.values():
            if not relation.is_external and relation.reltype.endswith(f"/{kind}"):
                with contextlib.suppress(Exception):  # damaged notes don't cost the document
                    yield from tree(relation.target_part.blob)

    def pieces(self, element: _Element, beside: list[_Element]) -> Iterator[str]:
        for child in element:
            name = local_name(child)
            if name == "t":
                yield child.text or ""
            elif name in self._spaces:
                yield " "
            elif name == "noBreakHyphen":
                yield "-"
            elif name in ("footnoteReference", "endnoteReference"):
                note = self._notes.get((name.removesuffix("Reference"), attribute(child, "id")))
                beside += [] if note is None else [note]
            elif name == "txbxContent":
                beside.append(child)
            elif name == "p":  # of a drawing: DrawingML has its own paragraphs
                yield from (" ", *self.pieces(child, beside))
            elif name == "r" and _is_on(descendant(child, "rPr", "vanish")):
                continue
            elif name and name not in self.left_out:
                yield from self.pieces(child, beside)

    def level(self, paragraph: _Element) -> int:
        properties = descendant(paragraph, "pPr")
        if properties is None:
            return 0
        own = attribute(descendant(properties, "outlineLvl"), "val")
        style = attribute(descendant(properties, "pStyle"), "val")
        return _outline_level(own) or self._levels.get(style, 0)

    def spans(self, cell: _Element) -> tuple[int, bool, bool]:
        merged = descendant(cell, "tcPr", "vMerge")
        covered = merged is not None and attribute(merged, "val") != "restart"
        columns = attribute(descendant(cell, "tcPr", "gridSpan"), "val")
        return number(columns, 1), covered, merged is not None

    def repeated(self) -> list[str]:
        """The texts of headers and footers, each once."""
        texts: dict[str, None] = {}
        for kind in ("header", "footer"):
            for relation in self._document.part.rels.values():
                if not relation.is_external and relation.reltype.endswith(f"/{kind}"):
                    with contextlib.suppress(Exception):
                        texts.setdefault(self.cell_text(tree(relation.target_part.blob)))
        return without_page_numbers(texts)


def _is_on(switch: _Element | None) -> bool:
    return switch is not None and attribute(switch, "val") not in ("0", "false", "off")


def _outline_level(text: str) -> int:
    level = number(text, 9)  # 9 is body text
    return level + 1 if level < 9 else 0


def _style_level(style: BaseStyle) -> int:
    """The heading level of a style, by its name or outline level, or those of its base."""
    seen: set[str] = set()
    current: BaseStyle | None = style
    while current is not None and current.style_id not in seen:
        seen.add(current.style_id)
        heading = _HEADING.match(current.name or "")
        if heading:
            return int(heading[1] or 1)
        outline = descendant(current.element, "pPr", "outlineLvl")
        if outline is not None:
            return _outline_level(attribute(outline, "val"))
        current = getattr(current, "base_style", None)
    return 0


def without_page_numbers(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if any(map(str.isalpha, text))]


def with_repeated(reader: Reader, texts: list[str]) -> Document:
    parts = reader.sections.finished()
    if texts:
        parts += (Part("\n".join(texts), _REPEATED),)
    return Document(parts)


def read_docx(content: bytes) -> Document:
    """Body, text boxes, notes, and headers and footers of pages once, at the end.

    Inserted text counts, deleted and hidden text does not. Comments are left out.
    """
    import docx

    with archive(content):
        document = docx.Document(io.BytesIO(content))
    reader = _WordReader(document)
    reader.read(document.element.body)
    return with_repeated(reader, reader.repeated())
