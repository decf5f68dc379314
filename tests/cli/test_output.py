"""The output sink in every mode, on a terminal and elsewhere."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from gptasst.cli.output import Mode, Output, harmless, size_text
from gptasst.cli.tables import Column
from gptasst.errors import GptasstError, NotFound

ESCAPE = "\x1b]0;title\x07 \x9b31m \x08 \x7f red"
SHOWN = "␛]0;title␇ �31m ␈ � red"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Thing:
    name: str
    size: int
    at: datetime
    parts: tuple[str, ...] = ()


THINGS = [
    Thing("one\ttab", 1, datetime(2026, 11, 24, 12, tzinfo=UTC), ("a",)),
    Thing("zwei\nlines", 22, datetime(2026, 11, 24, 13, tzinfo=UTC)),
]
COLUMNS: list[Column[Thing]] = [
    Column("name", lambda thing: thing.name),
    Column("size", lambda thing: str(thing.size), right=True),
]
MISSING = NotFound("no thing `x`", hint="did you mean `y`?")

Written = tuple[str, str]
Write = Callable[[Output], None]


def _written(
    write: Write, mode: Mode = "people", *, terminal: bool = False, verbose: bool = False
) -> Written:
    kind = Terminal if terminal else io.StringIO
    stdout, stderr = kind(), kind()
    write(Output(mode, verbose=verbose, stdout=stdout, stderr=stderr))
    return stdout.getvalue(), stderr.getvalue()


def _table(output: Output) -> None:
    output.table("things", THINGS, COLUMNS, ident=lambda t: t.name.split()[0], empty="none yet")


def _empty(output: Output) -> None:
    nothing: list[Thing] = []
    output.table("things", nothing, COLUMNS, ident=lambda t: t.name, empty="none yet")


def _record(output: Output) -> None:
    output.record(THINGS[0], [("name", "one"), ("a long one", "x\ny\n")], ident="one")


def _done(output: Output) -> None:
    output.done("made `one`", THINGS[0], ident="one")


def _note(output: Output) -> None:
    output.note("by the way")


def _warning(output: Output) -> None:
    output.warn("look out")


def _error(output: Output) -> None:
    output.error(MISSING)


_ONE = {"name": "one\ttab", "size": 1, "at": "2026-11-24T12:00:00+00:00", "parts": ["a"]}
_TWO = {"name": "zwei\nlines", "size": 22, "at": "2026-11-24T13:00:00+00:00", "parts": []}
_FAILED = {"code": "not_found", "message": "no thing `x`", "hint": "did you mean `y`?"}

_PEOPLE: dict[Write, Written] = {
    _table: ("one tab\t1\nzwei lines\t22\n", ""),
    _empty: ("", "none yet\n"),
    _record: ("name\tone\na long one\tx y\n", ""),
    _done: ("", "made `one`\n"),
    _note: ("", "by the way\n"),
    _warning: ("", "warning: look out\n"),
    _error: ("", "error: no thing `x`\nhint: did you mean `y`?\n"),
}
_QUIET: dict[Write, Written] = {
    _table: ("one\nzwei\n", ""),
    _empty: ("", ""),
    _record: ("one\n", ""),
    _done: ("one\n", ""),
    _note: ("", ""),
    _warning: ("", "warning: look out\n"),
    _error: ("", "error: no thing `x`\nhint: did you mean `y`?\n"),
}
_JSON: dict[Write, tuple[object, str]] = {
    _table: ({"things": [_ONE, _TWO]}, ""),
    _empty: ({"things": []}, ""),
    _record: (_ONE, ""),
    _done: (_ONE, ""),
    _note: (None, "by the way\n"),
    _warning: (None, "warning: look out\n"),
    _error: ({"error": _FAILED}, ""),
}
_TERMINAL: dict[Write, Written] = {
    _table: ("name        size\none tab        1\nzwei lines    22\n2 things\n", ""),
    _empty: ("", "none yet\n"),
    _record: ("name        one\na long one  x\n            y\n", ""),
    _done: ("", "made `one`\n"),
    _note: ("", "by the way\n"),
    _warning: ("", "warning: look out\n"),
    _error: ("", "error: no thing `x`\nhint: did you mean `y`?\n"),
}


def _name(value: object) -> str | None:
    return str(getattr(value, "__name__", "")).strip("_")


class TestModes:
    @pytest.mark.parametrize(("write", "expected"), _PEOPLE.items(), ids=_name)
    def test_people(self, write: Write, expected: Written) -> None:
        assert _written(write) == expected

    @pytest.mark.parametrize(("write", "expected"), _QUIET.items(), ids=_name)
    @pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
    def test_quiet(
        self, monkeypatch: pytest.MonkeyPatch, write: Write, expected: Written, terminal: bool
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        assert _written(write, "quiet", terminal=terminal) == expected

    @pytest.mark.parametrize(("write", "expected"), _JSON.items(), ids=_name)
    @pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
    def test_json(
        self,
        monkeypatch: pytest.MonkeyPatch,
        write: Write,
        expected: tuple[object, str],
        terminal: bool,
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        stdout, stderr = _written(write, "json", terminal=terminal)
        assert (json.loads(stdout) if stdout else None, stderr) == expected

    @pytest.mark.parametrize(("write", "expected"), _TERMINAL.items(), ids=_name)
    def test_terminal(
        self, monkeypatch: pytest.MonkeyPatch, write: Write, expected: Written
    ) -> None:
        monkeypatch.setenv("TERM", "dumb")
        assert _written(write, terminal=True) == expected


class TestColour:
    def test_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        assert _written(_warning, terminal=True) == ("", "\x1b[1mwarning:\x1b[0m look out\n")
        assert "\x1b[1mname" in _written(_table, terminal=True)[0]

    @pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
    def test_not_where_it_is_not_wanted(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        for write in (_warning, _error, _table):
            assert "\x1b[3" not in "".join(_written(write, terminal=True))

    def test_not_elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\x1b" not in "".join(_written(_table) + _written(_error))


class TestControlCharacters:
    def test_are_shown_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "dumb")
        thing = Thing(ESCAPE, 1, THINGS[0].at)

        def everything(output: Output) -> None:
            output.answer(ESCAPE)
            output.table("things", [thing], COLUMNS, ident=lambda t: t.name, empty="")
            output.record(thing, [("name", ESCAPE)], ident=ESCAPE)
            output.note(ESCAPE)
            output.error(GptasstError(ESCAPE, hint=ESCAPE))

        stdout, stderr = _written(everything, terminal=True)
        assert stdout.count(SHOWN) == 3
        assert stderr.count(SHOWN) == 3
        assert not any(sign in stdout + stderr for sign in "\x1b\x07\x9b\x08\x7f")

    def test_of_an_error_in_colour(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        stderr = _written(lambda o: o.error(GptasstError(f"a\x1b[0mb {ESCAPE}")), terminal=True)[1]
        assert stderr == f"\x1b[1;31merror:\x1b[0m a␛[0mb {SHOWN}\n"

    def test_of_a_name_under_quiet(self) -> None:
        def write(output: Output) -> None:
            output.table("t", THINGS, COLUMNS, ident=lambda _: ESCAPE, empty="")

        assert _written(write, "quiet", terminal=True)[0] == f"{SHOWN}\n" * 2
        assert _written(write, "quiet")[0] == f"{ESCAPE}\n" * 2

    def test_in_json_are_escaped(self) -> None:
        stdout, _ = _written(lambda o: o.document({"x": ESCAPE + "\u2028"}), "json", terminal=True)
        assert json.loads(stdout) == {"x": ESCAPE + "\u2028"}
        assert not any(sign in stdout for sign in "\x1b\x07\x9b\x08\x7f")

    def test_of_an_answer_elsewhere_come_byte_for_byte(self) -> None:
        stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\r\n")
        Output(stdout=stdout).answer(ESCAPE + "ä\r\n\n")
        stdout.flush()
        assert stdout.buffer.getvalue() == (ESCAPE + "ä\r\n\n").encode()

    def test_in_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        stderr = _written(lambda o: o.error(GptasstError(ESCAPE)), terminal=True, verbose=True)[1]
        assert stderr.count(SHOWN) == 2
        assert "\x1b" not in stderr


class TestEncoding:
    @pytest.mark.parametrize("mode", ["people", "quiet", "json"])
    def test_data_is_utf8_whatever_the_locale(self, mode: Mode) -> None:
        raw = io.BytesIO()
        stdout = io.TextIOWrapper(raw, encoding="ascii")
        output = Output(mode, stdout=stdout, stderr=io.StringIO())
        thing = Thing("Grüße 🙂", 1, THINGS[0].at)
        output.table("things", [thing], COLUMNS, ident=lambda t: t.name, empty="")
        assert "Grüße 🙂" in raw.getvalue().decode("utf-8")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (999_499, "999 kB"),
        (999_999, "1.0 MB"),
        (98_362_432, "98.4 MB"),
        (5_000_000_000_000, "5000 GB"),
    ],
)
def test_size_text(size: int, text: str) -> None:
    assert size_text(size) == text


def test_harmless_leaves_text_as_it_is() -> None:
    assert harmless("Größe\t1\n電 🙂") == "Größe\t1\n電 🙂"


class TestMessagesOnATerminal:
    LONG = (
        "no key is set, so this runs here; for real work, `gptasst auth login` stores a key for it"
    )

    def test_are_wrapped_between_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "30")
        stream = Terminal()
        Output(stderr=stream).note(self.LONG)
        lines = stream.getvalue().splitlines()
        assert len(lines) > 1
        assert all(len(line) <= 30 for line in lines)
        assert " ".join(line.strip() for line in lines) == self.LONG
        assert all(line.startswith("  ") for line in lines[1:])

    @pytest.mark.parametrize("columns", ["10", "20", "40", "80"])
    def test_never_break_a_command(self, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
        monkeypatch.setenv("COLUMNS", columns)
        stream = Terminal()
        Output(stderr=stream).note(self.LONG)
        assert "`gptasst auth login`" in stream.getvalue()

    def test_are_one_line_in_a_pipe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "30")
        stream = io.StringIO()
        Output(stderr=stream).note(self.LONG)
        assert stream.getvalue() == self.LONG + "\n"

    def test_colours_take_no_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "30")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        stream = Terminal()
        Output(stderr=stream).warn("x" * 20)
        assert stream.getvalue().count("\n") == 1
