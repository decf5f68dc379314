"""Text of PDF by page."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from gptasst.knowledge.formats.recognition import protected
from gptasst.knowledge.formats.types import Document, Part

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

# `confi-` at a line end continues in the next line; `Haupt- und`, and names, keep the hyphen.
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[^\W\d_])(?!(?:und|oder|and|or|bis|to)\b)")
# With this at the end, a reader looks for the objects of a file whose end is cut off.
_NO_TABLE = b"\nstartxref\n0\n%%EOF\n"
_EDGE = 2_048  # bytes


def read_pdf(content: bytes) -> Document:
    """One part per page, with the values of form fields. Pages without text are counted.

    A file that only its owner may change opens with an empty password, as in viewers.

    Raises:
        InvalidInput: it needs a password.
    """
    import logging

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # errors are raised
    reader = _opened(content)
    texts: list[str] = []
    empty = 0
    damaged: list[int] = []
    for number, page in enumerate(reader.pages, start=1):
        text = None
        with contextlib.suppress(Exception):  # a page that can't be read costs no other
            text = _page_text(page)
        if text is None:
            damaged.append(number)
        else:
            empty += not text.strip()
        texts.append(text or "")
    notes: list[str] = []
    if empty:
        count = f"{empty:,} of {len(texts):,} pages have" if len(texts) > 1 else "its page has"
        notes.append(f"{count} no text: {'are they' if len(texts) > 1 else 'is it'} scanned?")
    if damaged:
        more = f" and {len(damaged) - 5:,} more" if len(damaged) > 5 else ""
        notes.append(f"damaged pages were skipped: {', '.join(map(str, damaged[:5]))}{more}")
    parts = tuple(Part(text, f"page {number}") for number, text in enumerate(texts, start=1))
    return Document(parts, tuple(notes))


def _opened(content: bytes) -> PdfReader:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(content))
    except PyPdfError:
        if b"%PDF-" not in content[:_EDGE] or b"%%EOF" in content[-_EDGE:]:
            raise
        reader = PdfReader(io.BytesIO(content + _NO_TABLE))
        if not reader.pages:
            raise
    if reader.is_encrypted and not reader.decrypt(""):
        raise protected()
    return reader


def _page_text(page: PageObject) -> str:
    with contextlib.suppress(Exception):  # fonts of any shape
        _simplify_encodings(page)
    text = joined_lines(page.extract_text())
    values = list(_values(page))
    return "\n".join([text, *values]) if values else text


def _simplify_encodings(page: PageObject) -> None:
    """Let pypdf read fonts with an encoding of their own, as WeasyPrint makes for justified text.

    pypdf knows encodings by name only. The table to Unicode, which the fonts have too, is enough.
    """
    from pypdf.generic import NameObject, StreamObject

    for resources in _resources(page):
        for font in (resources.get("/Font") or {}).values():
            described = font.get_object()
            encoding = described.get("/Encoding")
            if encoding is None or not isinstance(encoding.get_object(), StreamObject):
                continue
            table = described.get("/ToUnicode")
            codes = table.get_object() if table is not None else None
            if isinstance(codes, StreamObject) and b"<0000>" in codes.get_data():  # two bytes each
                described[NameObject("/Encoding")] = NameObject("/Identity-H")


def _resources(page: PageObject) -> Iterator[Any]:
    resources: Any = page["/Resources"].get_object()
    yield resources
    for thing in (resources.get("/XObject") or {}).values():
        described = thing.get_object()
        if described.get("/Subtype") == "/Form" and "/Resources" in described:
            yield described["/Resources"].get_object()


def _values(page: PageObject) -> Iterator[str]:
    """The text fields and choices of a form, with their names."""
    for annotation in cast("Iterable[Any]", page.get("/Annots") or ()):
        with contextlib.suppress(Exception):  # a damaged field is no damaged page
            field = annotation.get_object()
            if field.get("/Subtype") != "/Widget":
                continue
            owner = field.get("/Parent", field).get_object() if "/T" not in field else field
            value = field.get("/V", owner.get("/V"))
            value = value.get_object() if value is not None else None
            if owner.get("/FT", field.get("/FT")) in ("/Tx", "/Ch") and isinstance(value, str):
                name = owner.get("/TU") or owner.get("/T") or ""
                if value.strip():
                    yield ": ".join(filter(None, (str(name), str(value))))


def joined_lines(text: str) -> str:
    """Text with hyphenated words joined across line ends."""

    def join(found: re.Match[str]) -> str:
        return "" if text[found.end()].islower() else found[0]

    return _HYPHEN.sub(join, text)
