"""Text of PDF, by page."""

from __future__ import annotations

import io
import re

from gptasst.knowledge.formats.types import Document, Part

# `confi-` at the end of a line goes on in the next; `Haupt- und`, and names, keep their hyphen.
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[^\W\d_])(?!(?:und|oder|and|or|bis|to)\b)")


def read_pdf(content: bytes) -> Document:
    """One part a page. Pages without text, as a scanner makes them, are counted.

    A file that only its owner may change opens with an empty password, as in any viewer.
    """
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what matters is raised
    reader = PdfReader(io.BytesIO(content))
    texts = [joined_lines(page.extract_text()) for page in reader.pages]
    empty = sum(not text.strip() for text in texts)
    parts = tuple(Part(text, f"page {number}") for number, text in enumerate(texts, start=1))
    if not empty:
        return Document(parts)
    return Document(parts, (f"{empty} of {len(texts)} pages have no text: are they scanned?",))


def joined_lines(text: str) -> str:
    """A text with the words whole that a line end cut in two."""

    def join(found: re.Match[str]) -> str:
        return "" if text[found.end()].islower() else found[0]

    return _HYPHEN.sub(join, text)
