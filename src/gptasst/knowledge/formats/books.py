"""Text of ODT and EPUB."""

from __future__ import annotations

import posixpath
import urllib.parse
import zipfile
from typing import TYPE_CHECKING

from gptasst.knowledge.formats.archives import archive, local_name, tree
from gptasst.knowledge.formats.types import Document, Part, Sections
from gptasst.knowledge.formats.web_pages import html_sections

if TYPE_CHECKING:
    from lxml.etree import _Element

_HIDDEN = ("annotation", "tracked-changes", "forms")


def read_odt(content: bytes) -> Document:
    """Headings, paragraphs and tables of an OpenDocument text."""
    with archive(content) as opened:
        root = tree(opened.read("content.xml"))
    sections = Sections()
    inside: _Element | None = None  # of which the text is taken already
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
    """The chapters in the order of reading."""
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
