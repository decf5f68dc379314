"""Lists and records at every width of a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from gptasst.cli.tables import (
    Column,
    console,
    draw_table,
    folded,
    in_whole_words,
    record_lines,
    shortened,
)

Row = tuple[str, str, str]
COLUMNS: list[Column[Row]] = [
    Column("id", lambda row: row[0]),
    Column("path", lambda row: row[1], wraps=True),
    Column("note", lambda row: row[2]),
]
LONG = "docs/a-long-name/of-a-directory/file.md"
ROWS = [["file-0123456789", LONG, ""], ["file-9876543210", "b.md", ""]]


def drawn(monkeypatch: pytest.MonkeyPatch, columns: int, rows: list[list[str]]) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "dumb")
    return draw_table(COLUMNS, rows).splitlines()


def test_a_table_that_fits_leaves_out_empty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, 80, ROWS) == [
        "id               path",
        f"file-0123456789  {LONG}",
        "file-9876543210  b.md",
    ]


def test_a_wide_terminal_is_used_also_where_it_is_a_dumb_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = LONG * 2
    assert drawn(monkeypatch, 120, [["file-1", path, ""]])[1:] == [f"file-1  {path}"]


def test_what_wraps_is_folded_and_ids_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(monkeypatch, 40, ROWS)
    assert max(map(len, lines)) <= 40
    assert lines[1].startswith("file-0123456789  docs/")
    assert lines[-1] == "file-9876543210  b.md"


def test_where_it_does_not_fit_each_row_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, 28, [["file-0123456789", "a.md", "x" * 9], *ROWS[1:]]) == [
        "id", "  file-0123456789", "path", "  a.md", "note", "  xxxxxxxxx", "",
        "id", "  file-9876543210", "path", "  b.md",
    ]  # fmt: skip


def test_texts_stand_below_each_other_however_wide_their_characters_are() -> None:
    columns: list[Column[Row]] = [
        Column("name", lambda row: row[0], dim=True),
        Column("size", lambda row: row[1], right=True),
        Column("note", lambda row: row[2]),
    ]
    rows = [["指南.md", "1 B", ""], ["a.md", "12 kB", "new"]]
    assert draw_table(columns, rows).splitlines() == [
        "name      size  note",
        "指南.md    1 B",
        "a.md     12 kB  new",
    ]
    coloured = draw_table(columns, rows, colours=True).splitlines()
    assert coloured[0] == "\x1b[1mname\x1b[0m      \x1b[1msize\x1b[0m  \x1b[1mnote\x1b[0m"
    assert coloured[2] == "\x1b[2ma.md\x1b[0m     12 kB  new"


def test_columns_give_way_and_names_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    columns: list[Column[Row]] = [
        Column("id", lambda row: row[0], gives_way=2),
        Column("path", lambda row: row[1], cuts=True),
        Column("note", lambda row: row[2], gives_way=1),
    ]
    rows = [["file-0123456789", LONG, "pinned"], ["file-9876543210", "b.md", ""]]

    def at(width: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        return draw_table(columns, rows).splitlines()

    assert at(80)[1] == f"file-0123456789  {LONG}  pinned"
    assert at(50)[1] == "file-0123456789  docs/a-l…irectory/file.md  pinned"
    assert at(30)[1] == "docs/a-…rectory/file.md  pinned".replace("rectory", "ectory")
    assert at(12)[0] == "path"
    for width in range(12, 80):
        assert max(map(len, at(width))) <= width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("docs/guide.md", 13, "docs/guide.md"),
        ("docs/guide.md", 12, "docs…uide.md"),
        ("A long description", 9, "A long d…"),
        ("documentación/指南/文件.md", 12, "docu…文件.md"),
    ],
)
def test_a_path_loses_its_middle_and_a_text_its_end(text: str, width: int, shown: str) -> None:
    assert shortened(text, width) == shown


def test_a_record_wraps_words_below_each_other() -> None:
    fields = [
        ("name", "A"),
        ("instructions", "Write words that wrap.\n\n- And lists of them."),
    ]
    assert list(record_lines(fields, 40)) == [
        "name          A",
        "instructions  Write words that wrap.",
        "",
        "              - And lists of them.",
    ]
    assert list(record_lines(fields, 20)) == [
        "name", "  A",
        "instructions", "  Write words that", "  wrap.", "", "  - And lists of", "  them.",
    ]  # fmt: skip


def test_a_path_stays_in_one_piece() -> None:
    assert list(record_lines([("path", LONG)], 32)) == [f"path  {LONG}"]


@pytest.mark.parametrize("wrap", [folded, in_whole_words])
def test_wide_characters_are_wrapped_by_the_columns_that_they_take(
    wrap: Callable[[str, int], list[str]],
) -> None:
    assert wrap("`命令10`, `命令11`, `命令12`", 20) == ["`命令10`, `命令11`,", "`命令12`"]


def test_a_wide_text_without_blanks_is_broken_or_stays_in_one_piece() -> None:
    assert folded("員工每年有十五天", 10) == ["員工每年有", "十五天"]
    assert in_whole_words("員工每年有十五天", 10) == ["員工每年有十五天"]


_WORDS = st.text("ab-_.漢字かﾊ👍é", min_size=1, max_size=14)
_CELLS = st.lists(_WORDS, max_size=6).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(_WORDS, _CELLS, _WORDS), min_size=1, max_size=5), st.integers(40, 200))
def test_rows_are_drawn_as_by_rich(rows: list[Row], width: int) -> None:
    columns: list[Column[Row]] = [
        Column("id", lambda row: row[0]),
        Column("what", lambda row: row[1] or "-", wraps=True),
        Column("size", lambda row: row[2], right=True, dim=True),
    ]
    texts = [[column.text(row) for column in columns] for row in rows]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLUMNS", str(width))
        lines = draw_table(columns, texts).splitlines()
    if lines[0].split() != ["id", "what", "size"]:  # too wide for a table
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    natural = [
        max(map(cell_len, column)) for column in zip(*texts, ("id", "what", "size"), strict=True)
    ]
    what = min(natural[1], width - natural[0] - natural[2] - 4)
    table.add_column("id", no_wrap=True, width=natural[0])
    table.add_column("what", overflow="fold", width=what)
    table.add_column("size", no_wrap=True, width=natural[2], justify="right")
    for row in texts:
        table.add_row(*map(Text, row))
    stream = io.StringIO()
    console(stream, width + 2, colours=False).print(table)
    assert lines == [line.rstrip() for line in stream.getvalue().splitlines()]
