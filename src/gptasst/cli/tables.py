"""Lists and records for people, as wide as their terminal."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

_Item = TypeVar("_Item")

_GAP = 2
# What is left at least of a column that may be folded, and of a text beside its label.
_SHORTEST_COLUMN = 12
_SHORTEST_TEXT = 24


@dataclass(frozen=True, slots=True)
class Column(Generic[_Item]):
    """A column of a table: its head, and the text of an item in it.

    One that `wraps` is folded where the terminal is narrow; ids and sizes stay whole.
    """

    head: str
    text: Callable[[_Item], str]
    right: bool = False
    wraps: bool = False


def draw_table(
    stream: IO[str], columns: Sequence[Column[_Item]], rows: Sequence[Sequence[str]]
) -> None:
    """Draw rows of texts; where not even folded columns fit, each row as a record.

    A column in which nothing stands is left out.
    """
    width = terminal_width()
    filled = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    columns = [columns[number] for number in filled]
    rows = [[row[number] for number in filled] for row in rows]
    if _least_width(columns, rows) <= width:
        _draw_rows(stream, columns, rows, width)
        return
    for number, row in enumerate(rows):
        fields = [(c.head, text) for c, text in zip(columns, row, strict=True) if text]
        stream.write("\n" if number else "")
        stream.writelines(line + "\n" for line in record_lines(fields, width))


def _least_width(columns: Sequence[Column[_Item]], rows: Sequence[Sequence[str]]) -> int:
    from rich.cells import cell_len

    least = _GAP * (len(columns) - 1)
    for number, column in enumerate(columns):
        natural = max(cell_len(text) for text in (column.head, *(row[number] for row in rows)))
        least += min(natural, _SHORTEST_COLUMN) if column.wraps else natural
    return least


def _draw_rows(
    stream: IO[str], columns: Sequence[Column[_Item]], rows: Sequence[Sequence[str]], width: int
) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.head, justify=justify, overflow="fold", no_wrap=not column.wraps)
    for row in rows:
        table.add_row(*map(Text, row))
    console(stream, width).print(table)


def record_lines(fields: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """Labels, and texts beside them; below them where the terminal is narrow.

    A word that is longer than the line stays in one piece, as paths and ids want to be copied.
    """
    label_width = max(len(label) for label, _ in fields) + _GAP
    beside = width - label_width >= _SHORTEST_TEXT
    indent = " " * (label_width if beside else _GAP)
    for label, text in fields:
        lines = [line for part in text.split("\n") for line in _wrapped(part, width - len(indent))]
        if beside:
            yield label.ljust(label_width) + lines[0]
            yield from (f"{indent}{line}".rstrip() for line in lines[1:])
        else:
            yield label
            yield from (f"{indent}{line}".rstrip() for line in lines)


def _wrapped(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    return textwrap.wrap(line, max(width, 1), break_long_words=False, break_on_hyphens=False) or [
        ""
    ]


def terminal_width() -> int:
    return shutil.get_terminal_size().columns


# Weight and lines in place of Rich's yellow, cyan and blue, which one screen or the other swallows.
_STYLES = {
    "progress.download": "none",
    "progress.elapsed": "none",
    "progress.remaining": "none",
    "progress.filesize": "none",
    "progress.filesize.total": "none",
    "progress.percentage": "none",
    "progress.data.speed": "none",
    "markdown.block_quote": "italic",
    "markdown.h2": "bold",
    "markdown.h3": "bold",
    "markdown.h4": "italic",
    "markdown.item.number": "bold",
    "markdown.kbd": "bold",
    "markdown.link": "bold",
    "markdown.link_url": "underline",
    "markdown.list": "none",
    "markdown.table.border": "dim",
    "markdown.table.header": "bold",
}


def console(stream: IO[str], width: int | None = None) -> Console:
    """A console on a stream, as wide as the terminal if no width is given."""
    from rich.console import Console
    from rich.theme import Theme

    # Without a height Rich would take every dumb terminal for one of 80 columns.
    height = None if width is None else 25
    theme = Theme(_STYLES)
    return Console(file=stream, highlight=False, theme=theme, width=width, height=height)
