"""Text files by their lines; Markdown under its headings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from gptasst.inputs.encoding import decode_text, is_guessed
from gptasst.knowledge.formats.types import Document, Outline, Part

_MARKDOWN = (".md", ".markdown", ".mdown", ".mdx", ".qmd", ".rmd")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")


def read_text(content: bytes, path: str) -> Document:
    """Any text; the lines of Markdown know their headings."""
    text, encoding = decode_text(content, path)
    notes = (f"read as {encoding}; `--encoding` names another",) if is_guessed(encoding) else ()
    if path.lower().endswith(_MARKDOWN):
        return Document(tuple(_markdown(text)), notes)
    return Document((Part(text, unit="line"),), notes)


def headings_of(text: str) -> list[tuple[int, str]]:
    """The headings of a Markdown text with their levels."""
    found = (_heading(line, fenced) for line, fenced in _with_fences(text))
    return [heading for heading in found if heading]


def _markdown(text: str) -> Iterator[Part]:
    outline = Outline()
    lines: list[str] = []
    first = 1
    for number, (line, fenced) in enumerate(_with_fences(text), start=1):
        heading = _heading(line, fenced)
        if heading:
            if any(kept.strip() for kept in lines):
                yield Part("".join(lines), heading=outline.path, unit="line", first=first)
                lines = []
            if not lines:
                first = number
            outline.enter(*heading)
        lines.append(line)
    yield Part("".join(lines), heading=outline.path, unit="line", first=first)


def _heading(line: str, fenced: bool) -> tuple[int, str] | None:  # noqa: FBT001  # private
    found = None if fenced else _HEADING.match(line.rstrip("\r\n"))
    return (len(found[1]), found[2]) if found else None


def _with_fences(text: str) -> Iterator[tuple[str, bool]]:
    """The lines, each with whether it is in a block of code."""
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        yield line, bool(fence or mark)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""


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
