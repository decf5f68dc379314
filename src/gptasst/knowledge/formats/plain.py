"""Text files by their lines, Markdown under its headings, tables by rows under their heads."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gptasst.inputs.encoding import decode_text, is_guessed
from gptasst.knowledge.formats.documents import archive
from gptasst.knowledge.formats.types import Document, Outline, Part

_MARKDOWN = (".md", ".markdown", ".mdown", ".mdx", ".qmd", ".rmd")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")


def read_text(content: bytes, path: str) -> Document:
    """Any text; lines of Markdown get their headings."""
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


def read_ipynb(content: bytes, path: str) -> Document:
    """One part per cell; headings of Markdown cells apply to the following ones."""
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


_MAX_CELL = 32_767  # characters, Excel's limit; one CSV field could be a whole file
_SAMPLE = 8192
_MAX_ROWS = 1_048_576


def read_xlsx(content: bytes) -> Document:
    """Values as they were last computed. Rows keep their numbers in the sheet."""
    import openpyxl

    with archive(content):
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=True, keep_links=False
        )
    parts: list[Part] = []
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # the size that a file declares may be wrong
            rows = (
                (number, ["" if value is None else str(value) for value in row])
                for number, row in enumerate(sheet.iter_rows(values_only=True), start=1)
            )
            parts += _parts(rows, f"sheet {sheet.title}", sheet.title)
    finally:
        book.close()
    return Document(tuple(parts))


def read_delimited(content: bytes, path: str) -> Document:
    """CSV with its own delimiter, or TSV."""
    text, _ = decode_text(content, path)
    csv.field_size_limit(max(len(text) + 1, csv.field_size_limit()))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, path))
    return Document(tuple(_parts(enumerate(reader, start=1), "", "")))


def _delimiter(text: str, path: str) -> str:
    if path.lower().endswith(".tsv"):
        return "\t"
    first = text[:_SAMPLE].partition("\n")[0]
    return max(",;\t|", key=first.count)


def _parts(rows: Iterable[tuple[int, Sequence[str]]], place: str, heading: str) -> Iterator[Part]:
    """Consecutive rows as parts, each under the header, which is the first row."""
    header: str | None = None
    run: list[str] = []
    first = last = 0
    for number, cells in rows:
        if number > _MAX_ROWS:
            break
        line = _line(cells)
        if not line:
            continue
        if header is None:
            header, head_at = line, number
            continue
        if run and number != last + 1:
            yield Part("\n".join(run), place, heading, "row", first, header)
            run = []
        if not run:
            first = number
        run.append(line)
        last = number
    if run and header is not None:
        yield Part("\n".join(run), place, heading, "row", first, header)
    elif header is not None and not last:
        yield Part(header, place, heading, "row", head_at)


def _line(cells: Sequence[str]) -> str:
    texts = [" ".join(cell[:_MAX_CELL].split()) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return " | ".join(texts)
