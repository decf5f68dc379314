"""Text of Jupyter notebooks: their cells, and of outputs only what is text."""

from __future__ import annotations

import json
from typing import Any

from gptasst.inputs.encoding import decode_text
from gptasst.knowledge.formats.plain import headings_of
from gptasst.knowledge.formats.types import Document, Outline, Part

_MAX_OUTPUT = 2_000  # characters of what a cell printed


def read_ipynb(content: bytes, path: str) -> Document:
    """One part a cell; headings of Markdown cells stand over those that follow."""
    text, _ = decode_text(content, path)
    outline = Outline()
    parts = []
    for number, cell in enumerate(json.loads(text)["cells"], start=1):
        source = _joined(cell.get("source"))
        if cell.get("cell_type") == "markdown":
            for level, heading in headings_of(source):
                outline.enter(level, heading)
        printed = "".join(_printed(output) for output in cell.get("outputs") or ())
        whole = "\n".join(filter(None, [source, printed[:_MAX_OUTPUT]]))
        parts.append(Part(whole, f"cell {number}", outline.path))
    return Document(tuple(parts))


def _printed(output: Any) -> str:
    data = output.get("data") or {}
    return _joined(output.get("text") or data.get("text/plain"))


def _joined(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source or "")
