"""Text of OpenDocument: texts, spreadsheets, presentations."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gptasst.knowledge.formats.documents import archive, local_name, tree
from gptasst.knowledge.formats.recognition import protected
from gptasst.knowledge.formats.tables import table_parts
from gptasst.knowledge.formats.types import Document, Part, Sections
from gptasst.knowledge.formats.word import (
    Reader,
    attribute,
    descendant,
    number,
    with_repeated,
    without_page_numbers,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_SPACES = 50
_MANIFEST = "META-INF/manifest.xml"


class _OdtReader(Reader):
    left_out = frozenset(
        "annotation tracked-changes forms note-citation sequence-decls script title desc"
        " hidden-text page-number".split()
    )
    paragraphs = frozenset({"p", "h"})
    rows, cells, table = (
        "table-row",
        frozenset({"table-cell", "covered-table-cell"}),
        "table",
    )

    def __init__(self, *roots: _Element) -> None:
        super().__init__()
        self._hidden = {
            attribute(style, "name")
            for root in roots
            for style in root.iter("{*}style")
            if attribute(descendant(style, "text-properties"), "display") == "none"
        }

    def read(self, parent: _Element) -> None:
        if attribute(parent, "display") != "none":
            super().read(parent)

    def pieces(self, element: _Element, beside: list[_Element]) -> Iterator[str]:
        if attribute(element, "style-name") in self._hidden:
            return
        yield element.text or ""
        for inner in element:
            name = local_name(inner)
            if name in ("note", "text-box", "table"):
                beside.append(inner)
            elif name == "s":
                yield " " * min(number(attribute(inner, "c"), 1), _MAX_SPACES)
            elif name in ("tab", "line-break"):
                yield " "
            elif name and name not in self.left_out:
                yield from self.pieces(inner, beside)
            yield inner.tail or ""

    def level(self, paragraph: _Element) -> int:
        if local_name(paragraph) != "h":
            return 0
        return number(attribute(paragraph, "outline-level"), 1)

    def spans(self, cell: _Element) -> tuple[int, bool, bool]:
        covered = local_name(cell) == "covered-table-cell"
        below = number(attribute(cell, "number-rows-spanned"), 1) > 1
        return 1, covered, below


def read_odt(content: bytes) -> Document:
    """Body, text boxes, notes, and headers and footers of pages once, at the end.

    Deleted and hidden text, and comments, are left out.
    """
    with archive(content) as opened:
        root = _content(opened)
        styles = tree(opened.read("styles.xml")) if "styles.xml" in opened.namelist() else None
    reader = _OdtReader(*(part for part in (root, styles) if part is not None))
    reader.read(root)
    texts: dict[str, None] = {}
    for element in () if styles is None else styles.iter():
        if local_name(element) in ("header", "footer"):
            texts.setdefault(reader.cell_text(element))
    return with_repeated(reader, without_page_numbers(texts))


def _content(opened: zipfile.ZipFile) -> _Element:
    if _MANIFEST in opened.namelist() and b"encryption-data" in opened.read(_MANIFEST):
        raise protected()
    return tree(opened.read("content.xml"))


def read_ods(content: bytes) -> Document:
    """Cells as they are shown, but dates as in XLSX. Comments are left out."""
    with archive(content) as opened:
        root = _content(opened)
    reader = _OdtReader(root)
    parts: list[Part] = []
    for sheet in root.iter("{*}table"):
        name = attribute(sheet, "name")
        if _OF_ANOTHER_FILE in name:  # cells that formulas use, as they were there
            continue
        parts += table_parts(_rows(sheet, reader), f"sheet {name}", name)
    return Document(tuple(parts))


_MAX_COLUMNS = 16_384
_OF_ANOTHER_FILE = "'#$"  # 'file:///other.ods'#$Sheet1


def _rows(sheet: _Element, reader: _OdtReader) -> Iterator[tuple[int, list[str]]]:
    """The rows with their numbers. Equal cells and rows are written once, with their number."""
    first = 1
    for row in sheet.iter("{*}table-row"):
        cells: list[str] = []
        for cell in row:
            if local_name(cell) in reader.cells:
                times = number(attribute(cell, "number-columns-repeated"), 1)
                cells += [_value(cell, reader)] * min(times, _MAX_COLUMNS - len(cells))
        times = number(attribute(row, "number-rows-repeated"), 1)
        for further in range(times if any(cells) else 0):
            yield first + further, cells
        first += times


def _value(cell: _Element, reader: _OdtReader) -> str:
    if attribute(cell, "value-type") == "date":
        return attribute(cell, "date-value").removesuffix("T00:00:00").replace("T", " ")
    return reader.cell_text(cell)


def read_odp(content: bytes) -> Document:
    """One part per slide with its notes, under its title."""
    with archive(content) as opened:
        root = _content(opened)
    reader = _OdtReader(root)
    parts = []
    for place, slide in enumerate(root.iter("{*}page"), start=1):
        reader.sections = Sections()
        reader.read(slide)
        titles = (e for e in slide.iter("{*}frame") if attribute(e, "class") == "title")
        heading = next(map(reader.cell_text, titles), "")
        text = "\n".join(part.text for part in reader.sections.finished())
        parts.append(Part(text, f"slide {place}", heading))
    return Document(tuple(parts))
