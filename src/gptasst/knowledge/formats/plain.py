"""Text files by their lines, Markdown under its headings, notebooks by their cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from gptasst.errors import InvalidInput
from gptasst.inputs.encoding import decode_text, is_guessed
from gptasst.knowledge.formats.types import Document, Outline, Part

_MARKDOWN = (".md", ".markdown", ".mdown", ".mdx", ".qmd", ".rmd")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")


def read_text(content: bytes, path: str) -> Document:
    """Any text; lines of Markdown get their headings."""
    text, encoding = decode_text(content, path)
    notes = guess_notes(encoding)
    if path.lower().endswith(_MARKDOWN):
        return Document(tuple(_markdown(text)), notes)
    return Document((Part(text, unit="line"),), notes)


def guess_notes(encoding: str) -> tuple[str, ...]:
    """A note if the encoding of a text was guessed."""
    return (f"read as {encoding}; `--encoding` names another",) if is_guessed(encoding) else ()


def headings_of(text: str) -> list[tuple[int, str]]:
    """The headings of a Markdown text with their levels."""
    return [(level, title) for _, level, title in _headings(text.splitlines(keepends=True))]


def _markdown(text: str) -> Iterator[Part]:
    outline = Outline()
    lines = text.splitlines(keepends=True)
    start = 0
    for index, level, title in _headings(lines):
        section = "".join(lines[start:index])
        if section.strip():
            yield Part(section, heading=outline.path, unit="line", first=start + 1)
            start = index
        outline.enter(level, title)
    yield Part("".join(lines[start:]), heading=outline.path, unit="line", first=start + 1)


def _headings(lines: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """The headings outside of code blocks: index of the line, level, title."""
    fence = ""
    # Most lines have none of these signs.
    marked = [n for n, line in enumerate(lines) if "#" in line or "```" in line or "~~~" in line]
    for index in marked:
        line = lines[index]
        mark = _FENCE.match(line)
        if not (fence or mark):
            found = _HEADING.match(line.rstrip("\r\n"))
            if found:
                yield index, len(found[1]), found[2]
        elif mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""


_MAX_OUTPUT = 2_000  # characters of a cell's output


# Images in the text of a cell, and what a terminal makes colours of.
_DATA = re.compile(r"(data:[\w/+.-]+;base64,)[\w+/=]{64,}")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def read_ipynb(content: bytes, path: str) -> Document:
    """One part per cell; headings of Markdown cells apply to the following ones.

    Raises:
        InvalidInput: it is no notebook.
    """
    text, _ = decode_text(content, path)
    outline = Outline()
    parts = []
    for number, cell in enumerate(_cells(text), start=1):
        source = _joined(cell.get("source", cell.get("input")))
        level = cell.get("level")
        if cell.get("cell_type") == "markdown":
            for found in headings_of(source):
                outline.enter(*found)
        elif isinstance(level, int):  # a heading of format 3
            outline.enter(level, source)
        outputs = cell.get("outputs") or ()
        printed = "".join(_printed(each) for each in outputs if isinstance(each, dict))
        whole = "\n".join(filter(None, [source, printed[:_MAX_OUTPUT].rstrip("\n")]))
        parts.append(Part(_DATA.sub(r"\1…", whole), f"cell {number}", outline.path))
    return Document(tuple(parts))


def _cells(text: str) -> list[dict[str, Any]]:
    try:
        notebook = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"it is not JSON: {error}") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict):  # format 3, before 2015
        sheets = notebook.get("worksheets") or ()
        cells = [cell for sheet in sheets for cell in sheet.get("cells") or ()] or None
    if not isinstance(cells, list):
        raise InvalidInput("it is JSON, but not a notebook: it has no `cells`")
    return [cell for cell in cells if isinstance(cell, dict)]


def _printed(output: dict[str, Any]) -> str:
    data = output.get("data") or {}
    if output.get("output_type") in ("error", "pyerr"):
        return f"{output.get('ename')}: {output.get('evalue')}\n"
    text = _COLOURS.sub("", _joined(output.get("text") or data.get("text/plain")))
    return text if not text or text.endswith("\n") else f"{text}\n"


def _joined(source: Any) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")
