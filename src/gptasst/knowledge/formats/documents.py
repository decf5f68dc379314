"""Text of PPTX and EPUB; what the formats share that are zip files of XML."""

from __future__ import annotations

import io
import posixpath
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from gptasst.errors import InvalidInput
from gptasst.knowledge.formats.limits import count
from gptasst.knowledge.formats.types import Document, Part
from gptasst.knowledge.formats.web_pages import decoded, html_sections

if TYPE_CHECKING:
    from lxml.etree import _Element


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
        lines += _diagrams(slide)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            lines += _filled(["Notes: " + slide.notes_slide.notes_text_frame.text])
        text = "\n".join(lines)
        count(text)
        parts.append(Part(text, f"slide {number}", heading))
    return Document(tuple(parts))


def _lines(shapes: Iterable[Any], depth: int = 0) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < _MAX_DEPTH:
            yield from _lines(shape.shapes, depth + 1)
        elif getattr(shape, "has_table", False):
            rows = ([cell.text for cell in row.cells] for row in shape.table.rows)
            yield from _filled(" | ".join(row) for row in rows)
        elif getattr(shape, "has_chart", False):
            with suppress(Exception):  # a damaged chart is no damaged slide
                yield from _chart(shape.chart)
        elif getattr(shape, "has_text_frame", False):
            yield from _filled(p.text for p in shape.text_frame.paragraphs)


def _filled(texts: Iterable[str]) -> list[str]:
    lines = (" ".join(text.split()).removesuffix(" |") for text in texts)
    return [line for line in lines if line.strip(" |") and line != "Notes:"]


_MAX_POINTS = 200  # of a series


def _chart(chart: Any) -> list[str]:
    """Title, and a table of the values."""
    lines = [chart.chart_title.text_frame.text] if chart.has_title else []
    for plot in chart.plots:
        labels = [str(label) for label in plot.categories][:_MAX_POINTS]
        lines += [" | ".join(["", *labels])] if labels else []
        for series in plot.series:
            values = ["" if value is None else f"{value:g}" for value in series.values]
            lines.append(" | ".join([series.name or "", *values[:_MAX_POINTS]]))
    return _filled(lines)


_DRAWN_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"


def _diagrams(slide: Any) -> list[str]:
    """The texts of SmartArt."""
    lines: list[str] = []
    for relation in slide.part.rels.values():
        if not relation.is_external and relation.reltype.endswith("/diagramData"):
            with suppress(Exception):  # as for charts
                points = tree(relation.target_part.blob).iter(_DRAWN_TEXT)
                lines += ["".join(map(str, point.itertext())) for point in points]
    return _filled(lines)


def read_epub(content: bytes) -> Document:
    """The chapters in reading order."""
    parts: list[Part] = []
    number = 1
    with archive(content) as opened:
        for chapter in _chapters(opened):
            count()
            text = decoded(opened.read(chapter), chapter)
            found = html_sections(text, f"chapter {number}").finished()
            parts += found
            number += bool(found)  # covers and title pages are no chapters
    return Document(tuple(parts))


def _chapters(opened: zipfile.ZipFile) -> list[str]:
    """The paths of the chapters, without the table of contents.

    Raises:
        InvalidInput: they are encrypted.
    """
    container = tree(opened.read("META-INF/container.xml"))
    package = next(e.get("full-path") for e in container.iter() if local_name(e) == "rootfile")
    root = tree(opened.read(str(package)))
    folder = posixpath.dirname(str(package))

    def path(href: str) -> str:
        return posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(href)))

    elements = list(root.iter())
    items = {e.get("id"): e for e in elements if local_name(e) == "item"}
    order = [items.get(e.get("idref")) for e in elements if local_name(e) == "itemref"]
    chapters = [e for e in order if e is not None and "nav" not in (e.get("properties") or "")]
    there = set(opened.namelist())
    paths = [path(e.get("href") or "") for e in chapters if e.get("href")]
    encrypted = set()
    if "META-INF/encryption.xml" in there:
        marks = tree(opened.read("META-INF/encryption.xml"))
        encrypted = {e.get("URI") for e in marks.iter() if local_name(e) == "CipherReference"}
    if encrypted & set(paths):
        raise InvalidInput("it is encrypted (DRM)")
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
