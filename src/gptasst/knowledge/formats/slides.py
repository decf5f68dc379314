"""Text of PPTX, by slide: shapes, tables, and the speaker's notes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from gptasst.knowledge.formats.archives import archive
from gptasst.knowledge.formats.types import Document, Part

_MAX_DEPTH = 20  # of groups in groups


def read_pptx(content: bytes) -> Document:
    """One part a slide; its title is the heading."""
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
