"""Text files by their lines, Markdown under its headings, notebooks by their cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
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
    """The lines, each with whether it is in a code block."""
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        yield line, bool(fence or mark)
        if mark and not fence:
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
