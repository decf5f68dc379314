"""TOML with errors that have file, line and key, for definitions and `config.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from gptasst.errors import InvalidDefinition
from gptasst.hints import did_you_mean

_Scalar = TypeVar("_Scalar", str, bool, int, float)
_Number = TypeVar("_Number", int, float)
_MISSING = object()
_LONG_QUOTES = ('"""', "'''")
_TABLE = r"\s*\[\[?\s*([^\[\]]+?)\s*\]"
_TYPE_NAMES: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "a table",
}


class TomlDocument:
    """A parsed TOML text with its source, for errors.

    Raises:
        InvalidDefinition: the text is not TOML; the message starts with `SOURCE:LINE:`.
    """

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        try:
            self.root: dict[str, Any] = tomllib.loads(text)
        except RecursionError:
            raise InvalidDefinition("not valid TOML: nested too deeply", file=source) from None
        except ValueError as error:  # also raised for numbers that are too long
            raise self._syntax_error(str(error)) from None

    def _syntax_error(self, reason: str) -> InvalidDefinition:
        place = re.search(r"\(at line (\d+), column (\d+)\)", reason)
        line = int(place[1]) if place else self.text.count("\n") + 1
        problem = re.sub(r"\s*\(at .*\)$", "", reason)
        problem = problem[:1].lower() + problem[1:]
        return InvalidDefinition(f"not valid TOML: {problem}", file=self.source, line=line)

    def line_of(self, *path: str) -> int:
        """The 1-based line of a key; for a missing key, that of its table."""
        lines: dict[str, int] = {}
        for number, name in self._entries():
            lines.setdefault(name, number)
        tables = (".".join(path[:depth]) for depth in range(len(path), 0, -1))
        return next((lines[name] for name in tables if name in lines), 1)

    def _entries(self) -> Iterator[tuple[int, str]]:
        """The line and dotted name of every table header and key."""
        table, closing = "", None
        for number, line in enumerate(self.text.splitlines(), start=1):
            header = re.match(_TABLE, line)
            name, separator, value = line.partition("=")
            if closing:  # inside a multi-line string
                closing = None if closing in line else closing
            elif header:
                table = _bare(header[1])
                yield number, table
            elif separator:
                yield number, ".".join(filter(None, (table, _bare(name))))
                closing = next((q for q in _LONG_QUOTES if value.count(q) == 1), None)

    def error(
        self, path: tuple[str, ...], problem: str, *, hint: str | None = None
    ) -> InvalidDefinition:
        """An error with the line of a key."""
        return InvalidDefinition(problem, file=self.source, line=self.line_of(*path), hint=hint)

    def table(self, *path: str) -> Mapping[str, Any]:
        """The table at `path`, or an empty one."""
        found: Any = self.root
        for depth, key in enumerate(path, start=1):
            found = found.get(key, {})
            if not isinstance(found, dict):
                here = path[:depth]
                raise self.error(here, f"key `{'.'.join(here)}` must be a table")
        return found  # type: ignore[no-any-return]  # a dict, checked at each step

    def only_keys(self, path: tuple[str, ...], known: Iterable[str]) -> None:
        """Raise if the table at `path` has a key that is not in `known`."""
        names = list(known)
        for key in self.table(*path):
            if key not in names:
                where = f" in [{'.'.join(path)}]" if path else ""
                raise self.error(
                    (*path, key),
                    f"unknown key `{key}`{where}",
                    hint=did_you_mean(key, names, f"known: {', '.join(names)}"),
                )

    def value(self, kind: type[_Scalar], *path: str) -> _Scalar | None:
        """The value at `path`, if there is one; a wrong type is an error."""
        *tables, key = path
        value = self.table(*tables).get(key, _MISSING)
        if value is _MISSING:
            return None
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return kind(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(path, f"key `{'.'.join(path)}` must be {_TYPE_NAMES[kind]}")
        return value

    def text_value(self, *path: str) -> str | None:
        """A required string that is not blank, with LF line ends."""
        value = self.value(str, *path)
        if value is None:
            return None
        if not value.strip():
            raise self.error(path, f"key `{'.'.join(path)}` is empty")
        return value.replace("\r\n", "\n")

    def required_text(self, *path: str) -> str:
        value = self.text_value(*path)
        if value is None:
            raise self.error(path, f"missing key `{'.'.join(path)}`")
        return value

    def texts(self, *path: str) -> tuple[str, ...]:
        """A list of strings, by default empty."""
        *tables, key = path
        values = self.table(*tables).get(key, [])
        if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
            raise self.error(path, f"key `{'.'.join(path)}` must be a list of strings")
        return tuple(values)

    def choice(self, options: Iterable[str], *path: str) -> str | None:
        """One of a few strings."""
        value, names = self.value(str, *path), list(options)
        if value is not None and value not in names:
            raise self.error(
                path,
                f"key `{'.'.join(path)}` is `{value}`, which is not allowed",
                hint=f"one of: {', '.join(names)}",
            )
        return value

    def number(
        self, kind: type[_Number], low: _Number, high: _Number | None, *path: str
    ) -> _Number | None:
        """A number from `low` to `high` (`None`: no upper bound)."""
        value = self.value(kind, *path)
        # Written so that it also refuses `nan`, which TOML has.
        if value is not None and not (value >= low and (high is None or value <= high)):
            bounds = f"at least {low}" if high is None else f"from {low} to {high}"
            raise self.error(path, f"key `{'.'.join(path)}` must be {bounds}, not {value}")
        return value


def _bare(name: str) -> str:
    return name.strip().replace('"', "").replace("'", "")
