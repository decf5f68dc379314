"""Lists and records at every width of a terminal."""

from __future__ import annotations

import io

import pytest

from gptasst.cli.tables import Column, draw_table, record_lines

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
    stream = io.StringIO()
    draw_table(stream, COLUMNS, rows)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


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
