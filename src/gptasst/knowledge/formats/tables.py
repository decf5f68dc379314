"""Text of XLSX, CSV and TSV by rows; the head of a table stands over each passage."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from gptasst.inputs.encoding import decode_text
from gptasst.knowledge.formats.documents import archive
from gptasst.knowledge.formats.types import Document, Part

_MAX_CELL = 32_767  # characters, as Excel has it; one CSV field can be a whole file
_SAMPLE = 8192
_MAX_ROWS = 1_048_576


def read_xlsx(content: bytes) -> Document:
    """Values, as they were last computed. Rows keep the numbers that they have in the sheet."""
    import openpyxl

    with archive(content):
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=True, keep_links=False
        )
    parts: list[Part] = []
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a file says of its own size may be anything
            rows = (
                (number, ["" if value is None else str(value) for value in row])
                for number, row in enumerate(sheet.iter_rows(values_only=True), start=1)
            )
            parts += _parts(rows, f"sheet {sheet.title}", sheet.title)
    finally:
        book.close()
    return Document(tuple(parts))


def read_delimited(content: bytes, path: str) -> Document:
    """CSV with the delimiter that it uses, or TSV."""
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
    """The rows in runs without a gap, each under the head, which is the first row."""
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
