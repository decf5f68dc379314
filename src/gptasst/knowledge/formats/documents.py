"""Text of PDF by page, and of DOCX, PPTX, ODT and EPUB, which are zip files of XML."""

from __future__ import annotations

import io
import posixpath
import re
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gptasst.errors import InvalidInput
from gptasst.knowledge.formats.types import Document, Part, Sections
from gptasst.knowledge.formats.web_pages import html_sections

if TYPE_CHECKING:
    from docx.table import Table
    from docx.text.paragraph import Paragraph
    from lxml.etree import _Element


# `confi-` at a line end continues in the next line; `Haupt- und`, and names, keep the hyphen.
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[^\W\d_])(?!(?:und|oder|and|or|bis|to)\b)")


def read_pdf(content: bytes) -> Document:
    """One part per page. Pages without text, such as scans, are counted.

    A file that only its owner may change opens with an empty password, as in viewers.
    """
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # errors are raised
    reader = PdfReader(io.BytesIO(content))
    texts = [joined_lines(page.extract_text()) for page in reader.pages]
    empty = sum(not text.strip() for text in texts)
    parts = tuple(Part(text, f"page {number}") for number, text in enumerate(texts, start=1))
    if not empty:
        return Document(parts)
    return Document(parts, (f"{empty} of {len(texts)} pages have no text: are they scanned?",))


def joined_lines(text: str) -> str:
    """Text with hyphenated words joined across line ends."""

    def join(found: re.Match[str]) -> str:
        return "" if text[found.end()].islower() else found[0]

    return _HYPHEN.sub(join, text)


_HEADING = re.compile(r"heading (\d)|title", re.IGNORECASE)


def read_docx(content: bytes) -> Document:
    """The body, without the headers and footers of pages, which repeat."""
    import docx
    from docx.table import Table

    with archive(content):
        document = docx.Document(io.BytesIO(content))
    sections = Sections()
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            _read_table(block, sections)
        else:
            _read_paragraph(block, sections)
    return Document(sections.finished())


def _read_paragraph(paragraph: Paragraph, sections: Sections) -> None:
    style = paragraph.style.name if paragraph.style is not None else ""
    heading = _HEADING.match(style or "")
    if heading and paragraph.text.strip():
        sections.heading(int(heading[1] or 1), paragraph.text)
    else:
        sections.paragraph(paragraph.text)


def _read_table(table: Table, sections: Sections) -> None:
    for row in table.rows:
        texts: list[str] = []
        for cell in row.cells:
            text = " ".join(cell.text.split())
            if not texts or texts[-1] != text:  # merged cells appear once per column
                texts.append(text)
        sections.paragraph(" | ".join(texts))


_MAX_DEPTH = 20  # of groups in groups


def read_pptx(content: bytes) -> Document:
    """One part per slide, with its title as the heading."""
    import pptx

    with archive(content):
        presentation = pptx.Presentation(io.BytesIO(content))
    parts = []
    for number, slide in enumerate(presentation.slides, start=1):
        title = slide.shapes.title
        heading = " ".join(title.text_frame.text.split()) if title is not None else ""
        lines = list(_lines(slide.shapes))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            lines += _filled(["Notes: " + slide.notes_slide.notes_text_frame.text])
        parts.append(Part("\n".join(lines), f"slide {number}", heading))
    return Document(tuple(parts))


def _lines(shapes: Iterable[Any], depth: int = 0) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < _MAX_DEPTH:
            yield from _lines(shape.shapes, depth + 1)
        elif getattr(shape, "has_table", False):
            rows = ([cell.text for cell in row.cells] for row in shape.table.rows)
            yield from _filled(" | ".join(row) for row in rows)
        elif getattr(shape, "has_text_frame", False):
            yield from _filled(p.text for p in shape.text_frame.paragraphs)


def _filled(texts: Iterable[str]) -> list[str]:
    lines = (" ".join(text.split()) for text in texts)
    return [line for line in lines if line.strip(" |") and line != "Notes:"]


_HIDDEN = ("annotation", "tracked-changes", "forms")


def read_odt(content: bytes) -> Document:
    """Headings, paragraphs and tables of an OpenDocument text."""
    with archive(content) as opened:
        root = tree(opened.read("content.xml"))
    sections = Sections()
    inside: _Element | None = None  # its text is read already
    for element in root.iter():
        name = local_name(element)
        if inside is not None and _is_within(element, inside):
            continue
        if name in _HIDDEN or name == "table-row":
            inside = element
        if name == "table-row":
            sections.paragraph(" | ".join(_text(cell) for cell in element))
        elif name == "h":
            level = next((v for k, v in element.items() if k.endswith("outline-level")), "1")
            sections.heading(int(level), _text(element))
        elif name == "p":
            sections.paragraph(_text(element))
    return Document(sections.finished())


def _is_within(element: _Element, outer: _Element) -> bool:
    parent = element.getparent()
    while parent is not None:
        if parent is outer:
            return True
        parent = parent.getparent()
    return False


def _text(element: _Element) -> str:
    pieces: list[str] = []
    for piece in element.iter():
        name = local_name(piece)
        pieces.append(" " if name in ("tab", "s", "line-break", "p") else "")
        pieces.append((piece.text or "") if name and name not in _HIDDEN else "")
        pieces.append(piece.tail or "" if piece is not element else "")
    return " ".join("".join(pieces).split())


def read_epub(content: bytes) -> Document:
    """The chapters in reading order."""
    parts: list[Part] = []
    with archive(content) as opened:
        for number, chapter in enumerate(_chapters(opened), start=1):
            text = opened.read(chapter).decode("utf-8", "replace")
            parts += html_sections(text, f"chapter {number}").finished()
    return Document(tuple(parts))


def _chapters(opened: zipfile.ZipFile) -> list[str]:
    container = tree(opened.read("META-INF/container.xml"))
    package = next(e.get("full-path") for e in container.iter() if local_name(e) == "rootfile")
    root = tree(opened.read(str(package)))
    folder = posixpath.dirname(str(package))
    elements = list(root.iter())
    files = {e.get("id"): e.get("href") for e in elements if local_name(e) == "item"}
    order = [files.get(e.get("idref")) for e in elements if local_name(e) == "itemref"]
    there = set(opened.namelist())
    paths = [
        posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(f))) for f in order if f
    ]
    return [path for path in paths if path in there]


# A small file can declare terabytes. zipfile reads no more than declared.
_MAX_BYTES = 512_000_000

_MAX_XML = 64_000_000  # bytes of one part; its tree takes ten times as much memory

_MAX_PARTS = 20_000


@contextmanager
def archive(content: bytes) -> Iterator[zipfile.ZipFile]:
    """Open a zip file, unless its unpacked size is too large.

    Raises:
        InvalidInput: it is too large.
        zipfile.BadZipFile: it is not a zip file.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        parts = opened.infolist()
        whole = sum(part.file_size for part in parts)
        largest = max((part.file_size for part in parts if _is_xml(part.filename)), default=0)
        if len(parts) > _MAX_PARTS or whole > _MAX_BYTES or largest > _MAX_XML:
            raise InvalidInput(f"it unpacks to {whole:,} bytes in {len(parts):,} parts")
        yield opened


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx"))


def tree(content: bytes) -> _Element:
    """Parse XML without resolving entities, without fetching anything, to a depth of 256."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    return etree.fromstring(content, parser)


def local_name(element: _Element) -> str:
    """An element's name without namespace; empty for comments and similar nodes."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
