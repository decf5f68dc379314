"""Text of PDF by page."""

from __future__ import annotations

import contextlib
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from gptasst.knowledge.formats.limits import count
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
        count(text or "")
        texts.append(text or "")
    notes: list[str] = []
    if empty:
        pages = f"{empty:,} of {len(texts):,} pages have" if len(texts) > 1 else "its page has"
        notes.append(f"{pages} no text: {'are they' if len(texts) > 1 else 'is it'} scanned?")
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
    # With a visitor, pypdf parses drawings, too, which may be large.
    data = _data(page)
    may_have_text = b"Tj" in data or b"TJ" in data or b"Do" in data
    found = page.extract_text(visitor_operand_before=_Spans() if may_have_text else None)
    text = joined_lines(with_letters(found))
    values = list(_values(page))
    return "\n".join([text, *values]) if values else text


def _data(page: PageObject) -> bytes:
    contents = page.get_contents()
    return b"" if contents is None else contents.get_data()


class _Spans:
    """Puts the text that a span stands for in place of its glyphs, which pypdf does not.

    Office programs and browsers write it for ligatures, for letters that their fonts lack, and in
    scripts such as Devanagari. From right to left, pypdf orders glyphs, but no text.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._began = 0
        self._text = ""

    def __call__(self, operator: bytes, operands: list[Any], *_: object) -> None:
        """Change what is about to be shown."""
        if operator in (b"Tj", b"TJ"):
            count()  # a page may take long
            if self._began:
                from pypdf.generic import ArrayObject, TextStringObject

                text = TextStringObject(self._text)
                operands[:] = [text if operator == b"Tj" else ArrayObject([text])]
                self._text = ""
        elif operator in (b"BDC", b"BMC"):
            self._depth += 1
            if not self._began and operands and isinstance(operands[-1], dict):
                self._text = _actual_text(operands[-1])
                self._began = self._depth if self._text else 0
        elif operator == b"EMC":
            if self._began == self._depth:
                self._began = 0
            self._depth -= 1


def _actual_text(properties: Any) -> str:
    from pypdf.generic import ByteStringObject, TextStringObject, create_string_object

    text = properties.get("/ActualText")
    if isinstance(text, ByteStringObject):
        text = create_string_object(bytes(text))
    if not isinstance(text, TextStringObject):
        return ""
    is_left_to_right = not any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text)
    return str(text) if is_left_to_right else ""


# TeX's older fonts have accents without letters, and set them before the letter. They also have the
# tilde of `/~user` as an accent.
_APART = re.compile(
    "([\u00a8\u02c6\u02c7\u02d8\u02da\u02dd]|(?<=[^\\W\\d_])[`\u00b4\u02dc])([A-Za-z\u0131])"
)
_COMBINING = dict(
    zip(
        "\u00a8\u02c6\u02c7\u02d8\u02da\u02dc\u02dd`\u00b4",
        "\u0308\u0302\u030c\u0306\u030a\u0303\u030b\u0300\u0301",
        strict=True,
    )
)


# Bitmap fonts of TeX have the codes of its T1 encoding, and no table to Unicode.
_T1 = {0x1B: "ff", 0x1C: "fi", 0x1D: "fl", 0x1E: "ffi", 0x1F: "ffl", 0xFF: "ß"}
_T1_LIGATURE = re.compile("[\x1b-\x1f]")


def with_letters(text: str) -> str:
    """Text with whole letters, of which fonts of TeX have parts: a dieresis before `u` is `ü`.

    An acute accent that was typed as an apostrophe stays.
    """

    def composed(found: re.Match[str]) -> str:
        letter = "i" if found[2] == "\u0131" else found[2]
        one = unicodedata.normalize("NFC", letter + _COMBINING[found[1]])
        is_apostrophe = found[1] == "\u00b4" and letter in "dlmrstvDLMRSTV"
        return one if len(one) == 1 and not is_apostrophe else found[0]

    if _T1_LIGATURE.search(text):
        text = text.translate(_T1)
    return _APART.sub(composed, text)


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
