"""Documents that are zip files of XML: opened within limits, whatever they hold."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gptasst.errors import InvalidInput

if TYPE_CHECKING:
    from lxml.etree import _Element

# A small file can say that it holds terabytes. What is declared is all that zipfile reads.
_MAX_BYTES = 512_000_000
_MAX_XML = 64_000_000  # of one part; a tree of it takes ten times as much memory
_MAX_PARTS = 20_000


@contextmanager
def archive(content: bytes) -> Iterator[zipfile.ZipFile]:
    """Open a zip file that does not unpack to more than a machine can hold.

    Raises:
        InvalidInput: it would.
        zipfile.BadZipFile: it is none.
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
    """Parse XML. Entities stay unresolved, nothing is fetched, and depth has an end (256)."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    return etree.fromstring(content, parser)


def local_name(element: _Element) -> str:
    """An element's name without its namespace; empty for comments and the like."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
