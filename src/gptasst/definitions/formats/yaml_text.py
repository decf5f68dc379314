"""Read untrusted YAML within limits, and front matter; write YAML.

It uses only the events of PyYAML's parser: tags create no objects, nesting and aliases are limited,
and plain scalars follow YAML 1.2 (`no` is a string, and so is a date).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gptasst.definitions.formats.types import NotTaken
from gptasst.values import dataclass

if TYPE_CHECKING:
    from yaml import Event

_DEEPEST = 50
_MOST_VALUES = 50_000  # an alias counts as its whole value
_TAGS = ("str", "int", "float", "bool", "null", "map", "seq")
_NULL = re.compile(r"(~|null|Null|NULL)?")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]{1,300}(\.[0-9]{0,300})?)([eE][-+]?[0-9]{1,3})?")


def read_yaml(text: str, *, first_line: int = 1) -> Any:
    """The only document of a text: mappings with string keys, lists, and scalars.

    Args:
        text: YAML.
        first_line: the number of its first line in the file, for errors.

    Raises:
        NotTaken: it is not YAML, has several documents, or exceeds the limits.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml.parse(text, Loader=loader), first_line).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + first_line if error.problem_mark else None
        raise NotTaken(f"not valid YAML: {error.problem or error.context}", line) from None
    except yaml.YAMLError:
        raise NotTaken("not valid YAML: it has characters that YAML does not allow") from None


class _Composer:
    """Builds values from events."""

    def __init__(self, events: Iterator[Event], first_line: int) -> None:
        self._events = events
        self._first_line = first_line
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0

    def document(self) -> Any:
        value = None
        documents = 0
        for event in self._events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise NotTaken("more than one YAML document", self._line(event))
                value = self._value(next(self._events), 1)
        return value

    def _line(self, event: Event) -> int:
        return int(event.start_mark.line) + self._first_line

    def _value(self, event: Any, level: int) -> Any:
        if level > _DEEPEST:
            raise NotTaken(f"nested more than {_DEEPEST} levels deep", self._line(event))
        if type(event).__name__ == "AliasEvent":
            return self._alias(event)
        before = self._count
        self._counted(event, 1)
        self._refuse_tag(event)
        kind = type(event).__name__
        if kind == "ScalarEvent":
            value = _scalar(event)
        elif kind == "SequenceStartEvent":
            value = self._sequence(level)
        else:
            value = self._mapping(level)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._count - before)
        return value

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise NotTaken(f"unknown alias `*{event.anchor}`", self._line(event))
        value, size = self._anchors[event.anchor]
        self._counted(event, size)
        return value

    def _counted(self, event: Event, size: int) -> None:
        self._count += size
        if self._count > _MOST_VALUES:
            raise NotTaken(f"more than {_MOST_VALUES:,} values", self._line(event))

    def _refuse_tag(self, event: Any) -> None:
        tag = event.tag
        if tag is None or tag == "!" or tag.removeprefix("tag:yaml.org,2002:") in _TAGS:
            return
        raise NotTaken(f"YAML tag `{tag[:60]}` is not allowed", self._line(event))

    def _sequence(self, level: int) -> list[Any]:
        values = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            values.append(self._value(event, level + 1))
        return values

    def _mapping(self, level: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = self._value(event, level + 1)
            if isinstance(key, (dict, list)):
                raise NotTaken("a key is a list or a mapping", self._line(event))
            name = written(key)
            if name in values:
                raise NotTaken(f"duplicate key `{name[:60]}`", self._line(event))
            values[name] = self._value(next(self._events), level + 1)
        return values


def _scalar(event: Any) -> Any:
    is_plain = event.implicit[0] or (event.tag or "").removeprefix("tag:yaml.org,2002:") in (
        "int",
        "float",
        "bool",
        "null",
    )
    return _plain(event.value) if is_plain else event.value


def _plain(word: str) -> Any:
    if _NULL.fullmatch(word):
        return None
    if _BOOL.fullmatch(word):
        return word.lower() == "true"
    if _INT.fullmatch(word):
        return int(word)
    if _FLOAT.fullmatch(word) and math.isfinite(float(word)):
        return float(word)
    return word


def written(value: Any) -> str:
    """A scalar as text for a template; other values as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """A text that starts with YAML between lines of `---`: the YAML, and the body after it.

    `body_line` is the number of the body's first line in the file.
    """

    yaml: str
    body: str
    body_line: int

    def values(self) -> dict[str, Any]:
        """The values of the YAML.

        Raises:
            NotTaken: it is not YAML, or not a mapping.
        """
        found = read_yaml(self.yaml, first_line=2)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise NotTaken("its front matter is not made of keys and values", 2)
        return found

    def simple_values(self) -> tuple[dict[str, Any], str | None]:
        """The values, tolerating the invalid YAML that people write for lenient tools.

        Unquoted descriptions with a colon are common. In that case each unindented line `key:
        value` is read literally, together with the indented lines after it.

        Returns the values, and what is wrong with the YAML, if anything.

        Raises:
            NotTaken: it is not a mapping, or has no such lines.
        """
        try:
            return self.values(), None
        except NotTaken as error:
            found: dict[str, Any] = {}
            last = None
            for line in self.yaml.splitlines():
                key, separator, value = line.partition(":")
                if separator and re.fullmatch(r"[A-Za-z][\w-]*", key) and key not in found:
                    last, found[key] = key, _unquoted(value.strip())
                elif last is None and line.strip():
                    raise
                elif last is not None:
                    found[last] = f"{found[last]}\n{line.strip()}".strip()
            return found, error.reason


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return "" if value in ("|", ">", "|-", ">-") else value


def split_front_matter(text: str) -> FrontMatter | None:
    """The front matter of a text with LF line ends, if there is one."""
    begin = re.match(r"---[ \t]*\n", text)
    if begin is None:
        return None
    end = re.compile(r"^(---|\.\.\.)[ \t]*(\n|\Z)", re.MULTILINE).search(text, begin.end())
    if end is None:
        return None
    lines = text.count("\n", 0, end.end()) + 1
    return FrontMatter(text[begin.end() : end.start()], text[end.end() :], lines)


# Writing

# Starts with a letter: a digit or a sign may start a number or a date.
_SAFE = re.compile(r"[^\W\d_](?:[^:#]|:(?!\s|$)|(?<!\s)#)*")
_WORDS = frozenset("y n yes no on off true false null".split())  # of YAML 1.1
_PRINTABLE = r"\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
_UNPRINTABLE = re.compile(f"[^{_PRINTABLE}]")  # and what ends a line in YAML 1.1


def write_yaml(values: Mapping[str, Any], indent: str = "", *, escaped: str | None = None) -> str:
    """A mapping as YAML in block style: scalars, lists and mappings of them.

    Multi-line text is written literally, as far as YAML allows.

    Args:
        values: the mapping.
        indent: the prefix of each line.
        escaped: text that must not appear literally in the document.
    """
    writer = _Writer(escaped)
    return writer.mapping(values, indent)


@dataclass(frozen=True, slots=True)
class _Writer:
    escaped: str | None

    def mapping(self, values: Mapping[str, Any], indent: str) -> str:
        return "".join(
            f"{indent}{self._in_line(str(key))}:{self._value(value, indent)}"
            for key, value in values.items()
        )

    def _value(self, value: Any, indent: str) -> str:
        if isinstance(value, Mapping):
            return f"\n{self.mapping(value, indent + '  ')}" if value else " {}\n"
        if isinstance(value, (list, tuple)):
            items = "".join(f"{indent}  -{self._item(each, indent + '    ')}" for each in value)
            return f"\n{items}" if value else " []\n"
        if isinstance(value, str):
            return f" {self._text(value, indent + '  ')}\n"
        return f" {json.dumps(value)}\n"

    def _item(self, item: Any, indent: str) -> str:
        if isinstance(item, Mapping) and item:
            return " " + self.mapping(item, indent).removeprefix(indent)
        if isinstance(item, (Mapping, list, tuple)) or not isinstance(item, str):
            return self._value(item, indent)
        return f" {self._in_line(item)}\n"

    def _text(self, text: str, indent: str) -> str:
        """A string, unquoted if that can be read back, else quoted."""
        if "\n" not in text or not text.strip("\n") or _UNPRINTABLE.search(text):
            return self._in_line(text)
        if self.escaped is not None and self.escaped in text:
            return self._in_line(text)
        return _block(text, indent)

    def _in_line(self, text: str) -> str:
        has_escaped = self.escaped is not None and self.escaped in text
        is_plain = "\n" not in text and not _UNPRINTABLE.search(text) and not has_escaped
        is_trimmed = text == text.strip()
        if is_plain and is_trimmed and _SAFE.fullmatch(text) and text.lower() not in _WORDS:
            return text
        if is_plain and ("'" not in text or '"' in text or "\\" in text):
            doubled = text.replace("'", "''")
            return f"'{doubled}'"
        quoted = json.dumps(text, ensure_ascii=False)
        quoted = _UNPRINTABLE.sub(lambda found: _escape(found[0]), quoted)
        if self.escaped:
            first, rest = self.escaped[0], self.escaped[1:]
            quoted = quoted.replace(self.escaped, f"{_escape(first)}{rest}")
        return quoted


def _block(text: str, indent: str) -> str:
    ended = len(text) - len(text.rstrip("\n"))
    chomping = "-" if ended == 0 else "" if ended == 1 else "+"
    depth = "2" if text[0] in " \n\t" else ""  # each level is that deep here
    lines = text.split("\n")
    if ended:
        lines.pop()
    head = f"|{depth}{chomping}"
    return "\n".join([head, *(indent + line if line else "" for line in lines)])


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
