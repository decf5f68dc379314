"""From a knowledge file to passages that can be searched and quoted."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from gptasst.errors import InvalidInput
from gptasst.inputs.encoding import decode_text
from gptasst.knowledge.types import Passage

# In characters: about 400 tokens, a few paragraphs.
PASSAGE_SIZE = 1600

_HEADING = re.compile(r"#{1,6}\s|(def|class|func|fn|function|public|private)\s")


def passages_of(content: bytes, path: str) -> list[Passage]:
    """Split a document into passages of at most about `PASSAGE_SIZE` characters.

    Args:
        content: the file, text of any encoding or PDF.
        path: its name; the ending tells a PDF.

    Raises:
        InvalidInput: there is no text in it.
    """
    if path.lower().endswith(".pdf") or content.startswith(b"%PDF-"):
        passages = list(_pdf_passages(content, path))
    else:
        text, _ = decode_text(content, path)
        passages = list(_text_passages(text))
    if not passages:
        raise InvalidInput(f"there is no text in `{path}`", code="no_text")
    return passages


def _text_passages(text: str) -> Iterator[Passage]:
    lines: list[tuple[int, str]] = []
    size = 0
    for number, line in _numbered_lines(text):
        if lines and size + len(line) > PASSAGE_SIZE:
            kept = _best_break([text for _, text in lines])
            yield from _passage(lines[:kept])
            lines = lines[kept:]
            size = sum(len(text) for _, text in lines)
        lines.append((number, line))
        size += len(line)
    yield from _passage(lines)


def _numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with number and end; one longer than a passage comes in pieces."""
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        for start in range(0, len(line), PASSAGE_SIZE):
            yield number, line[start : start + PASSAGE_SIZE]


def _best_break(lines: list[str]) -> int:
    """How many lines make a passage: up to a heading, else a blank line, else all.

    Only the second half is searched, so that passages don't get small.
    """
    later = range(len(lines) - 1, len(lines) // 2, -1)
    for index in later:
        if _HEADING.match(lines[index]):
            return index
    for index in later:
        if not lines[index - 1].strip():
            return index
    return len(lines)


def _passage(lines: list[tuple[int, str]]) -> Iterator[Passage]:
    text = "".join(line for _, line in lines).strip("\r\n")
    if text.strip():
        first, last = lines[0][0], lines[-1][0]
        yield Passage(text, f"line {first}" if first == last else f"lines {first}-{last}")


def _pdf_passages(content: bytes, path: str) -> Iterator[Passage]:
    for number, text in enumerate(_pdf_pages(content, path), start=1):
        for passage in _text_passages(text):
            yield Passage(passage.text, f"page {number}")


def _pdf_pages(content: bytes, path: str) -> Iterator[str]:
    import logging

    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what matters is raised
    try:
        reader = PdfReader(io.BytesIO(content))
        for page in reader.pages:
            yield page.extract_text()
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise InvalidInput(
            f"`{path}` can't be read as PDF: {error}",
            hint="is it whole, and without a password?",
            code="bad_pdf",
        ) from error
