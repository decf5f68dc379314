"""The only place where results, notes and errors are printed.

stdout gets data, stderr everything else. For people: tables on a terminal, tab-separated
lines without a header anywhere else. `--json`: one document. `--quiet`: ids or names.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import PurePath
from typing import IO, Any, Literal, TypeVar

from gptasst.cli.tables import Column, draw_table, record_lines, terminal_width
from gptasst.errors import GptasstError, PartlyDone
from gptasst.hints import shown

Mode = Literal["people", "json", "quiet"]
_Item = TypeVar("_Item")

# Prefer weight to colour: legible on dark and light backgrounds.
BOLD, BOLD_RED, GREEN, DIM = "1", "1;31", "32", "2"

# Surrogates for the bytes of a file name that is not UTF-8.
_HALVES = "[\ud800-\udfff]"
# The form of OpenAI's keys, which no name has.
_KEY, _MASK = r"\bsk-[\w-]{40,}", "sk-…"
# Characters with Unicode's property Bidi_Control change the display order of the text around
# them, so that a command or a name may look like another.
# Fields of a result that are text for people and may contain commands.
_SAID = {"notes", "warnings"}
_BIDI = frozenset((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
# Control characters that JSON allows and a terminal would obey.
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), *_BIDI)}


class Output:
    """Writes to a command's stdout and stderr, in one of three modes.

    Streams are passed in, so that tests can read them. `profile` is the value of `--profile`, which
    is added to printed commands, see `hints`.
    """

    def __init__(
        self,
        mode: Mode = "people",
        *,
        verbose: bool = False,
        quiet: bool = False,
        profile: str | None = None,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
    ) -> None:
        self.mode = mode
        self.verbose = verbose
        self.quiet = quiet or mode == "quiet"  # no notes, even with `--json`
        self.profile = profile
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.missed = 0  # failures of a command that continued
        self._only_answers = False
        self.above: Callable[[str], None] | None = None  # prints above what is drawn on stderr

    def require_stdout(self) -> None:
        """Raise if stdout can't be written to.

        Raises:
            OSError: it is closed.
        """
        self.stdout.write("")

    def keep_answer_apart(self) -> None:
        """Print no more notes and warnings if they would end up in the answer.

        Vim sends both streams of a filter to one file, which becomes the text.
        """
        try:
            out, err = os.fstat(self.stdout.fileno()), os.fstat(self.stderr.fileno())
        except (OSError, ValueError):  # their replacement
            return
        same = (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)
        self._only_answers = same and not stat.S_ISCHR(out.st_mode) and not self.verbose

    @property
    def draws(self) -> bool:
        """Whether results are drawn for a person at a terminal."""
        return self.mode == "people" and self.stdout.isatty()

    @property
    def colours(self) -> bool:
        """Whether output on stdout may be coloured."""
        return self.draws and not is_dumb() and not os.environ.get("NO_COLOR")

    @property
    def shows_progress(self) -> bool:
        """Whether to show progress on stderr."""
        return not self.quiet and self.stderr.isatty() and not is_dumb()

    def table(
        self,
        name: str,
        items: Sequence[_Item],
        columns: Sequence[Column[_Item]],
        *,
        ident: Callable[[_Item], str],
        empty: str,
    ) -> None:
        """Print a list.

        Args:
            name: the key of the list in the JSON document.
            items: the items.
            columns: columns of the table; the JSON document has all fields of the items.
            ident: the text that `--quiet` prints for an item.
            empty: the text printed instead of an empty table.
        """
        if self.mode == "json":
            self.document({name: items})
        elif self.mode == "quiet":
            self._lines(_single(ident(item)) for item in items)
        elif not items:
            self.note(empty)
        elif self.draws:
            drawn = self.table_text(items, columns)
            if len(items) > 1:
                drawn += self.styled(f"{len(items):,} {name.replace('_', ' ')}", DIM) + "\n"
            self.paged(drawn)
        else:
            self._lines(map("\t".join, _cells(columns, items)))

    def record(self, value: object, fields: Sequence[tuple[str, str]], *, ident: str) -> None:
        """Print one object: fields for people, everything as JSON, or its id."""
        if self.mode == "json":
            self.document(value)
        elif self.mode == "quiet":
            self._lines([_single(ident)])
        elif self.draws:
            shown = [(label, harmless(text).rstrip("\n")) for label, text in fields]
            lines = record_lines(shown, terminal_width())
            self.paged("".join(line + "\n" for line in lines))
        else:
            self._lines(f"{label}\t{one_line(text)}" for label, text in fields)

    def done(self, message: str, value: object, *, ident: str) -> None:
        """Report success: a note for people, the object itself for programs."""
        if self.mode == "json":
            self.document(value)
        elif self.mode == "quiet":
            self._lines([_single(ident)])
        else:
            self.note(message)

    def document(self, value: object) -> None:
        """Print one JSON document."""
        self._lines([self.as_json(value)])

    def as_json(self, value: object) -> str:
        """A value as JSON text."""
        plain = _plain(value, self.profile)
        text = json.dumps(plain, indent=2, ensure_ascii=False).translate(_JSON_ESCAPES)
        return re.sub(_HALVES, lambda half: f"\\u{ord(half[0]):04x}", text)

    def text(self, text: str) -> None:
        """Print text that is the result itself: a TOML document, a path."""
        self.answer(text if text.endswith("\n") else text + "\n")

    def answer(self, text: str) -> None:
        """Print the next piece of an answer, immediately and byte for byte, as UTF-8.

        On a terminal, control characters are made visible.
        """
        if self.stdout.isatty():
            self.stdout.write(harmless(text))
            self.stdout.flush()
        else:
            buffer = getattr(self.stdout, "buffer", None)
            if buffer is None:
                self.stdout.write(text)
            else:
                self.stdout.flush()
                buffer.write(_exact(text))
                buffer.flush()

    def table_text(self, items: Sequence[_Item], columns: Sequence[Column[_Item]]) -> str:
        """A list as a terminal shows it, for `paged`."""
        return draw_table(columns, _cells(columns, items), colours=self.colours)

    def paged(self, text: str) -> None:
        """Print text like `drawn`, through a pager if it is longer than the screen."""
        from gptasst.cli.tables import write_paged

        write_paged(self.stdout, text)

    def drawn(self, text: str) -> None:
        """Print text whose only control characters are our own colours."""
        self.stdout.write(text)
        self.stdout.flush()

    def styled(self, text: str, code: str) -> str:
        """Text in a colour or weight, for `drawn`; unchanged without colours."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours else text

    def note(self, text: str) -> None:
        """Print a note on stderr; not under `--quiet`."""
        if not self.quiet and not self._only_answers:
            self._complain(shown(text, self.profile))

    def warn(self, text: str) -> None:
        """Print a warning on stderr."""
        if not self._only_answers:
            self._complain(self._coloured("warning:", BOLD) + f" {shown(text, self.profile)}")

    def miss(self, text: str) -> None:
        """Warn of a failure; the command continues and exits with code 6."""
        self.missed += 1
        self.warn(text)

    def missed_error(self) -> PartlyDone | None:
        """The error at the end of a command with failures reported by `miss`."""
        if not self.missed:
            return None
        return PartlyDone(f"{count_text(self.missed, 'place')} could not be read")

    def error(self, error: GptasstError) -> None:
        """Print an error: as JSON on stdout for programs, on stderr for people.

        A key that was typed in the wrong place (`auth login sk-…`) is not repeated.
        """
        error.message = re.sub(_KEY, _MASK, error.message)
        error.advice = error.advice and re.sub(_KEY, _MASK, error.advice)
        if self.mode == "json":
            self.document({**(_plain(error.done, self.profile) or {}), "error": error})
        else:
            self._complain(self._coloured("error:", BOLD_RED) + f" {error.message}")
            if error.advice:
                hint = shown(error.advice, self.profile)
                self._complain(self._coloured("hint:", BOLD) + f" {hint}")
        self.trace(error)

    def trace(self, error: GptasstError) -> None:
        """With `--verbose`, print an error's traceback on stderr."""
        if self.verbose:
            import traceback

            trace = "".join(traceback.format_exception(error))
            self.stderr.write(harmless(re.sub(_KEY, _MASK, trace)))

    def _coloured(self, word: str, code: str) -> str:
        plain = not self.stderr.isatty() or is_dumb() or bool(os.environ.get("NO_COLOR"))
        return word if plain else f"\x1b[{code}m{word}\x1b[0m"

    def _complain(self, text: str) -> None:
        """Print one message. A line end in it, as of a file's name, begins no other message."""
        text = text.rstrip("\n").replace("\n", "\n  ")
        head, sep, tail = text.partition("\x1b[0m")  # keep our own colour
        safe = head + sep + harmless(tail) if sep else harmless(text)
        width = _message_width(self.stderr)
        lines = "\n".join(_wrapped(line, width) if width else line for line in safe.split("\n"))
        if self.above:
            self.above(lines)
            return
        self.stderr.write(lines + "\n")
        self.stderr.flush()

    def _lines(self, lines: Iterable[str]) -> None:
        self.answer("".join(line + "\n" for line in lines))


def _message_width(stream: IO[str]) -> int | None:
    """The width to which messages are wrapped; `None` where no terminal shows them."""
    if not stream.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # not a real terminal
        return None


def _wrapped(line: str, width: int) -> str:
    """One line of a message, broken between words.

    What is in backquotes is never broken, so that a command or path can be copied in one piece: if
    it does not fit, the terminal itself breaks it, which copying undoes.
    """
    from rich.cells import cell_len

    if len(line) * 2 <= width:
        return line
    indent = "" if line.startswith("  ") else "  "
    lines, used = [""], 0
    for word in re.findall(r" *(?:`[^`]*`|[^ `]|`)+", line):
        size = cell_len(re.sub("\x1b\\[[0-9;]*m", "", word))
        if used and used + size > width:
            word = indent + word.lstrip(" ")  # noqa: PLW2901
            size = cell_len(word)
            lines.append("")
            used = 0
        lines[-1] += word
        used += size
    return "\n".join(lines)


def _exact(text: str) -> bytes:
    """Text as UTF-8; file names that are not UTF-8 keep their bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _single(ident: str) -> str:
    """An id or name on one line, even if the server's name contains line ends."""
    return one_line(ident) if len(ident.splitlines()) > 1 else ident


def _cells(columns: Sequence[Column[_Item]], items: Sequence[_Item]) -> list[list[str]]:
    return [[one_line(column.text(item)) for column in columns] for item in items]


def harmless(text: str) -> str:
    """Text with control characters made visible, except tabs and line ends."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    code = ord(character)
    if code in _BIDI:
        return f"<U+{code:04X}>"
    if character in "\n\t" or (code >= 32 and not 0x7F <= code < 0xA0):
        return character
    if code == 0x0D:
        return ""
    return chr(0x2400 + code) if code < 32 else "\N{REPLACEMENT CHARACTER}"


def one_line(text: str) -> str:
    """Text as one field of a tab-separated line."""
    return harmless(" ".join(text.split()))


def size_text(size: int) -> str:
    """Bytes for people."""
    if size < 1000:
        return f"{size} B"
    number = float(size)
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 999.5 or unit == "GB":
            break
    return f"{number:.0f} {unit}" if number >= 100 else f"{number:.1f} {unit}"


def time_text(moment: datetime) -> str:
    """A time for people, in their time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def count_text(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def is_dumb() -> bool:
    return os.environ.get("TERM") == "dumb"


def _plain(value: object, profile: str | None) -> Any:
    """A value in JSON's types: dataclasses as objects, times in ISO 8601.

    Text for people has its commands written out, see `shown`.
    """
    if isinstance(value, GptasstError):
        hint = value.advice and shown(value.advice, profile)
        value = {"code": value.code, "message": value.message, "hint": hint}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value) if field.repr)
        value = {name: getattr(value, name) for name in names}
        for key in _SAID & value.keys():
            value[key] = [shown(text, profile) for text in value[key]]
    if isinstance(value, Mapping):
        return {str(key): _plain(item, profile) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, profile) for item in value]
    if isinstance(value, date):  # or a datetime, which is a date
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.as_posix()
    return value
