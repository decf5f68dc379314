"""Tables as wide as the terminal; longer ones go through a pager, as in git."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Generic, TypeVar

from gptasst.processes.programs import find_program
from gptasst.values import dataclass

if TYPE_CHECKING:
    from rich.console import Console


_DEFAULT = "less"
_NONE = ("", "cat")
# less: exit if the text fits, keep colours, don't clear the screen.
_LESS = "FRX"


def write_paged(stream: IO[str], text: str) -> None:
    """Write text to a terminal; through a pager if it is longer than the screen.

    The pager is `GPTASST_PAGER`, `PAGER` or `less`. An empty value or `cat` turns it off.
    """
    pager = _pager() if text.count("\n") >= shutil.get_terminal_size().lines else None
    if pager is None or not _paged(pager, text):
        stream.write(text)
        stream.flush()


def write_pieces(stream: IO[str], pieces: Iterable[str]) -> None:
    """Write text that arrives in pieces like `write_paged`: each piece as soon as it is there.

    If the user leaves the pager, no more pieces are asked for.
    """
    lines, held = 0, ""
    pieces = iter(pieces)
    for piece in pieces:
        held, lines = held + piece, lines + piece.count("\n")
        if lines >= shutil.get_terminal_size().lines:
            break
    else:
        stream.write(held)
        stream.flush()
        return
    pager = _pager()
    process = None if pager is None else _opened(pager)
    if process is None:
        for piece in itertools.chain([held], pieces):
            stream.write(piece)
            stream.flush()
        return
    assert process.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):  # as in `_paged`
            for piece in itertools.chain([held], pieces):
                process.stdin.write(piece)
                process.stdin.flush()
    finally:  # also after an error, which is printed below what came
        with contextlib.suppress(OSError):
            process.stdin.close()
        _wait_for(process)


def _pager() -> list[str] | None:
    named = os.environ.get("GPTASST_PAGER", os.environ.get("PAGER", _DEFAULT)).strip()
    if named in _NONE or os.environ.get("TERM") == "dumb":
        return None
    try:
        name, *options = shlex.split(named)
    except ValueError:  # an unclosed quote
        return None
    program = find_program(name)
    return [program, *options] if program else None


def _paged(command: list[str], text: str) -> bool:
    """Run the pager; `False` if it can't. It handles Ctrl-C itself."""
    process = _opened(command)
    if process is None:
        return False
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):  # the user left it before the end
        process.communicate(text)
    _wait_for(process)
    return True


def _opened(command: list[str]) -> subprocess.Popen[str] | None:
    # Without -R, options of the user's own would show colours as `ESC[1m`.
    less = f"-R {os.environ['LESS']}" if "LESS" in os.environ else _LESS
    environ = {"LESSCHARSET": "utf-8", **os.environ, "LESS": less}
    with contextlib.suppress(OSError):
        return subprocess.Popen(  # noqa: S603  # it is the user's own choice
            command, stdin=subprocess.PIPE, env=environ, text=True, encoding="utf-8"
        )
    return None


def _wait_for(process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()


_Item = TypeVar("_Item")

_GAP = 2
# The least width of a column that is cut or folded, and of text beside its label.
_SHORTEST_COLUMN = 12
_SHORTEST_TEXT = 24
# Prefer weight to colour: legible on dark and light backgrounds.
_BOLD, _DIM = "1", "2"


@dataclass(frozen=True, slots=True)
class Column(Generic[_Item]):
    """A column of a table: its heading, and the text for an item.

    On a narrow terminal, a column that `cuts` loses the end of its texts, or the middle of its
    paths; one that `wraps` is folded; those that `gives_way` are left out, highest number first.
    `dim` columns are the least important.
    """

    head: str
    text: Callable[[_Item], str]
    right: bool = False
    wraps: bool = False
    cuts: bool = False
    gives_way: int = 0
    dim: bool = False

    @property
    def shrinks(self) -> bool:
        return self.wraps or self.cuts


def draw_table(
    columns: Sequence[Column[_Item]], rows: Sequence[Sequence[str]], *, colours: bool = False
) -> str:
    """Rows of texts as a table; if even the remaining columns don't fit, each row as a record.

    Empty columns are left out.
    """
    filled = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    return _Layout(columns, rows, filled).drawn(rows, colours=colours)


def table_pieces(
    columns: Sequence[Column[_Item]],
    batches: Iterable[Sequence[Sequence[str]]],
    *,
    colours: bool = False,
) -> Iterator[str]:
    """A table in pieces, while its rows arrive. The first ones determine how it is laid out."""
    layout: _Layout[_Item] | None = None
    for rows in batches:
        head = layout is None
        layout = layout or _Layout(columns, rows, list(range(len(columns))))
        yield layout.drawn(rows, head=head, colours=colours)


class _Layout(Generic[_Item]):
    """Which columns are shown, and how wide."""

    def __init__(
        self, columns: Sequence[Column[_Item]], rows: Sequence[Sequence[str]], filled: list[int]
    ) -> None:
        self._width = terminal_width()
        self._shown = _columns_that_fit(columns, rows, filled, self._width)
        self._columns = [columns[number] for number in self._shown]
        self._widths = _widths(self._columns, self._parts(rows), self._width)

    def _parts(self, rows: Sequence[Sequence[str]]) -> list[list[str]]:
        return [[row[number] for number in self._shown] for row in rows]

    def drawn(
        self, rows: Sequence[Sequence[str]], *, head: bool = True, colours: bool = False
    ) -> str:
        rows, columns, widths = self._parts(rows), self._columns, self._widths
        if sum(widths) + _GAP * (len(widths) - 1) <= self._width:
            return _drawn_rows(columns, rows, widths, head=head, colours=colours)
        heads = [column.head for column in columns]
        fields = ([pair for pair in zip(heads, row, strict=True) if pair[1]] for row in rows)
        records = (record_lines(record, self._width) for record in fields)
        text = "\n".join("".join(line + "\n" for line in record) for record in records)
        return text if head else f"\n{text}"


def _columns_that_fit(
    columns: Sequence[Column[_Item]], rows: Sequence[Sequence[str]], shown: list[int], width: int
) -> list[int]:
    """The indexes of the columns that fit."""
    natural = [_natural_width(column, number, rows) for number, column in enumerate(columns)]

    def least() -> int:
        wide = (_least(columns[number], natural[number]) for number in shown)
        return sum(wide) + _GAP * (len(shown) - 1)

    while least() > width:
        last = max(shown, key=lambda number: columns[number].gives_way)
        if not columns[last].gives_way:
            break
        shown = [number for number in shown if number != last]
    return shown


def _widths(
    columns: Sequence[Column[_Item]], rows: Sequence[Sequence[str]], width: int
) -> list[int]:
    """The width of each column: the widest of those that can shrink do so first."""
    widths = [_natural_width(column, number, rows) for number, column in enumerate(columns)]
    least = [_least(column, wide) for column, wide in zip(columns, widths, strict=True)]
    too_wide = sum(widths) + _GAP * (len(widths) - 1) - width
    for _ in range(too_wide):
        spare = [number for number in range(len(widths)) if widths[number] > least[number]]
        if not spare:
            break
        widths[max(spare, key=lambda number: widths[number])] -= 1
    return widths


def _natural_width(column: Column[_Item], number: int, rows: Sequence[Sequence[str]]) -> int:
    from rich.cells import cell_len

    return max(cell_len(text) for text in (column.head, *(row[number] for row in rows)))


def _least(column: Column[_Item], natural: int) -> int:
    return min(natural, _SHORTEST_COLUMN) if column.shrinks else natural


def _drawn_rows(
    columns: Sequence[Column[_Item]],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    *,
    head: bool,
    colours: bool,
) -> str:
    """Rows with their texts below each other. Rich's table takes seconds for thousands of rows."""
    lines: list[str] = []
    if head:
        heads = [column.head for column in columns]
        lines.append(_line(columns, heads, widths, [_BOLD if colours else ""] * len(columns)))
    styles = [_DIM if column.dim and colours else "" for column in columns]
    for row in rows:
        cells = [
            folded(text, width) if column.wraps and len(text) * 2 > width else [text]
            for column, text, width in zip(columns, row, widths, strict=True)
        ]
        together = itertools.zip_longest(*cells, fillvalue="")
        lines += [_line(columns, texts, widths, styles) for texts in together]
    return "".join(line + "\n" for line in lines)


def _line(
    columns: Sequence[Column[_Item]],
    texts: Sequence[str],
    widths: Sequence[int],
    styles: Sequence[str],
) -> str:
    from rich.cells import cell_len

    line, blanks = "", ""
    for column, text, width, style in zip(columns, texts, widths, styles, strict=True):
        shown = shortened(text, width)
        padding = " " * (width - cell_len(shown))
        if shown:
            line += blanks + (padding if column.right else "")
            line += f"\x1b[{style}m{shown}\x1b[0m" if style else shown
            blanks = ""
        blanks += (padding if not (column.right and shown) else "") + " " * _GAP
    return line


def shortened(text: str, width: int) -> str:
    """Text cut to a width: a path in its middle, other text at its end."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    room = width - 1
    tail = ""
    if "/" in text:
        while cell_len(text[-len(tail) - 1 :]) <= room * 2 // 3:
            tail = text[-len(tail) - 1 :]
    head = set_cell_size(text, room - cell_len(tail)).rstrip()
    return f"{head}…{tail}"


def record_lines(fields: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """Labels with texts beside them, or below them on a narrow terminal.

    A word that is longer than the line is not broken, so that paths and ids can be copied.
    """
    label_width = max(len(label) for label, _ in fields) + _GAP
    beside = width - label_width >= _SHORTEST_TEXT
    indent = " " * (label_width if beside else _GAP)
    for label, text in fields:
        lines = [
            line for part in text.split("\n") for line in in_whole_words(part, width - len(indent))
        ]
        if beside:
            yield label.ljust(label_width) + lines[0]
            yield from (f"{indent}{line}".rstrip() for line in lines[1:])
        else:
            yield label
            yield from (f"{indent}{line}".rstrip() for line in lines)


def in_whole_words(line: str, width: int) -> list[str]:
    """A line wrapped to a width between words, so that a longer word can be copied."""
    from rich.cells import cell_len

    lines = [""]
    for word in re.findall(r"\s*\S+", line):
        if lines[-1] and cell_len(lines[-1] + word) > width:
            lines.append(word.lstrip())
        else:
            lines[-1] += word
    return lines


def folded(text: str, width: int) -> list[str]:
    """Text wrapped to a width; longer words are broken."""
    from rich.text import Text

    width = max(width, 1)
    lines = Text(text).wrap(console(io.StringIO(), width), width, overflow="fold")
    return [line.plain.rstrip() for line in lines]


def terminal_width() -> int:
    return shutil.get_terminal_size().columns


# Weight and underlines instead of Rich's yellow, cyan and blue, which are hard to read on some
# backgrounds.
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


def console(stream: IO[str], width: int | None = None, *, colours: bool | None = None) -> Console:
    """A console for a stream, as wide as the terminal unless a width is given.

    It uses colours if the stream is a terminal, unless `colours` says otherwise.
    """
    from rich.console import Console
    from rich.theme import Theme

    # Without a height, Rich assumes 80 columns for dumb terminals.
    height = None if width is None else 25
    theme = Theme(_STYLES)
    return Console(
        file=stream, highlight=False, theme=theme, width=width, height=height,
        force_terminal=colours,
    )  # fmt: skip
