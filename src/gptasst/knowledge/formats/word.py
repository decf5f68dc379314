"""Text of DOCX: paragraphs and tables in their order, under their headings."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from gptasst.knowledge.formats.archives import archive
from gptasst.knowledge.formats.types import Document, Sections

if TYPE_CHECKING:
    from docx.table import Table
    from docx.text.paragraph import Paragraph

_HEADING = re.compile(r"heading (\d)|title", re.IGNORECASE)


def read_docx(content: bytes) -> Document:
    """The body; headers and footers of pages are left out, as they repeat."""
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
            if not texts or texts[-1] != text:  # merged cells come once for each column
                texts.append(text)
        sections.paragraph(" | ".join(texts))
