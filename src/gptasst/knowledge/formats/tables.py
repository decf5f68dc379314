"""Tables by rows, under their headers: XLSX, CSV, TSV."""

from __future__ import annotations

import csv
import datetime
import io
import itertools
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gptasst.errors import InvalidInput
from gptasst.inputs.encoding import decode_text
from gptasst.knowledge.formats.documents import archive
from gptasst.knowledge.formats.limits import count
from gptasst.knowledge.formats.plain import guess_notes
from gptasst.knowledge.formats.types import Document, Part

if TYPE_CHECKING:
    from openpyxl import Workbook

_MAX_CELL = 32_767  # characters, Excel's limit; one CSV field could be a whole file
_MAX_ROWS = 1_048_576
# A row whose last cell is far to the right has all the cells before; a hostile sheet, in each row.
_MAX_CELLS = 50_000_000
_GAP = 8  # empty cells; longer gaps are shortened


def read_xlsx(content: bytes) -> Document:
    """Values as they were last computed, dates and percentages as shown.

    Rows keep their numbers in the sheet. Hidden sheets and rows are included, comments are not.
    """
    with archive(content) as opened:
        uncomputed = _uncomputed_formulas(opened)
    book = _opened(content)
    parts: list[Part] = []
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # the declared size may be wrong
            parts += table_parts(_rows(sheet), f"sheet {sheet.title}", sheet.title)
    finally:
        book.close()
    if not uncomputed:
        return Document(tuple(parts))
    some = f"{uncomputed:,} formulas have" if uncomputed > 1 else "1 formula has"
    note = f"{some} no value yet: open and save it in a spreadsheet program"
    return Document(tuple(parts), (note,))


def _opened(content: bytes) -> Workbook:
    import openpyxl

    class Reader(openpyxl.reader.excel.ExcelReader):  # type: ignore[misc]
        """Without sheets that are a chart, whose drawings openpyxl reads and may fail at."""

        def read_chartsheet(self, *_: object) -> None:
            pass

    reader = Reader(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    reader.read()
    book: Workbook = reader.wb
    return book


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    kinds: dict[int, str] = {}
    seen = 0
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        if number > _MAX_ROWS:
            break
        seen += len(cells)
        if seen > _MAX_CELLS:
            raise InvalidInput(f"the sheet `{sheet.title}` has more than {_MAX_CELLS:,} cells")
        yield number, [_shown(cell, kinds) for cell in cells]


def _shown(cell: Any, kinds: dict[int, str]) -> str:
    """A value as text. `kinds` has what is known of each style."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str | bool):
        return str(value)
    style = cell._style_id  # noqa: SLF001  # a number format for each cell takes twice the time
    kind = kinds.get(style)
    if kind is None:
        form = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", str(cell.number_format)).lower()
        kind = kinds[style] = "%" if "%" in form else "time" if "h" in form else "date"
    if isinstance(value, datetime.datetime):
        is_day = kind == "date" and value.time() == datetime.time()
        return value.date().isoformat() if is_day else value.isoformat(" ", "seconds")
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if kind == "%" and isinstance(value, int | float):
        return f"{value * 100:.10g}%"
    return str(value)


_FORMULA = re.compile(rb"<c\b([^>]*)><f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>")


def _uncomputed_formulas(opened: zipfile.ZipFile) -> int:
    """How many formulas were never computed, as other programs than Excel may write them."""
    return sum(
        b't="str"' not in found[1]  # a computed value may be an empty text
        for name in opened.namelist()
        if name.startswith("xl/worksheets/") and name.endswith(".xml")
        for found in _FORMULA.finditer(opened.read(name))
    )


def read_delimited(content: bytes, path: str) -> Document:
    """CSV with its own delimiter, or TSV."""
    text, encoding = decode_text(content, path)
    csv.field_size_limit(max(len(text) + 1, csv.field_size_limit()))
    first = 1
    delimiter = "\t" if path.lower().endswith(".tsv") else _delimiter(text)
    named = _NAMED.match(text)
    if named:  # a line for Excel
        delimiter, first = named[1], 2
        text = text[named.end() :]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return Document(
        tuple(table_parts(enumerate(reader, start=first), "", "")),
        guess_notes(encoding),
    )


_NAMED = re.compile(r'"?sep=([^\r\n])"?\r?\n', re.IGNORECASE)
_SAMPLE = 16_384  # characters
_DELIMITERS = ",;\t|"


def _delimiter(text: str) -> str:
    """The delimiter that gives the most rows of the same, the largest number of cells."""
    sample = text[:_SAMPLE]
    if len(sample) < len(text):
        sample = sample.rpartition("\n")[0] or sample

    def fits(delimiter: str) -> tuple[float, int]:
        rows = list(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter))
        counts = Counter(len(row) for row in rows if row)
        (cells, most), *_ = counts.most_common(1) or [(1, 0)]
        return (most / counts.total(), cells) if cells > 1 else (0, 0)

    return max(_DELIMITERS, key=fits)


_MAX_TITLES = 4  # rows above the header
_MAX_BLANK = 1  # rows between them


def table_parts(
    rows: Iterable[tuple[int, Sequence[str]]], place: str, heading: str
) -> Iterator[Part]:
    """Consecutive rows as parts, each under the header.

    The header is the first row, or titles and the first row of several cells.
    """
    filled = ((number, _line(cells)) for number, cells in rows)
    lines = ((number, line) for number, line in filled if line)
    header, head_at, rest = _header(lines)
    run: list[str] = []
    first = last = 0
    for number, line in rest:
        if run and number != last + 1:
            yield Part("\n".join(run), place, heading, "row", first, header)
            run = []
        if not run:
            first = number
        run.append(line)
        last = number
    if run:
        yield Part("\n".join(run), place, heading, "row", first, header)
    elif header and not last:
        yield Part(header, place, heading, "row", head_at)


def _header(
    lines: Iterator[tuple[int, str]],
) -> tuple[str, int, Iterator[tuple[int, str]]]:
    """The header, the number of its first row, and the rows below."""
    lead: list[tuple[int, str]] = []
    for number, line in lines:
        is_near = not lead or number <= lead[-1][0] + _MAX_BLANK + 1
        lead.append((number, line))
        if not is_near:
            break
        if sum(map(bool, map(str.strip, line.split(_CELL_END)))) > 1:
            header = "\n".join(text for _, text in lead)
            return header, lead[0][0], lines
        if len(lead) > _MAX_TITLES:
            break
    if not lead:
        return "", 0, lines
    return lead[0][1], lead[0][0], itertools.chain(lead[1:], lines)


_CELL_END = " | "


def _line(cells: Sequence[str]) -> str:
    texts = [" ".join(cell[:_MAX_CELL].split()) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    if len(texts) > _GAP:
        texts = list(_without_gaps(texts))
    line = _CELL_END.join(texts)
    count(line)
    return line


def _without_gaps(texts: list[str]) -> Iterator[str]:
    gap = 0
    for text in texts:
        if not text:
            gap += 1
            continue
        yield from [""] * gap if gap <= _GAP else ["…"]
        yield text
        gap = 0
