"""The forms of docs/json.md: read from their notation, and held against documents.

The notation is the part of TypeScript that the page needs: `type NAME = FORM;` with objects, lists
(`FORM[]`), unions, words in quotes, `Record<string, FORM>`, names of other types, and comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'"[^"]*"|\w+|[{}\[\]:;|=<>,]|\S')
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


@dataclass(frozen=True)
class Form:
    """What a value may be. `kind` is a kind of value, `word`, `name`, or what `parts` make up."""

    kind: str
    name: str = ""
    parts: tuple[Form, ...] = ()
    keys: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()


@dataclass
class Page:
    """The types of a page by name, and the commands that write them."""

    types: dict[str, Form] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)


def read_page(sources: list[str]) -> Page:
    """The types of pieces of source; a comment right above a type names its commands."""
    page = Page()
    for source in sources:
        above: list[str] = []
        for line in source.splitlines():
            if line.startswith("// "):
                above += line.removeprefix("// ").split(", ")
            elif line.startswith("type "):
                name = line.split()[1]
                assert not page.commands.keys() & above, f"twice: {above}"
                page.commands |= dict.fromkeys(above, name)
                above = []
        tokens = _Tokens(re.sub(r"//.*", "", source))
        while tokens.next:
            name, form = tokens.declaration()
            assert name not in page.types, f"two types {name}"
            page.types[name] = form
    return page


class _Tokens:
    def __init__(self, source: str) -> None:
        self._rest: list[str] = _TOKEN.findall(source)

    @property
    def next(self) -> str:
        return self._rest[0] if self._rest else ""

    def take(self, expected: str = "") -> str:
        token = self._rest.pop(0)
        assert expected in ("", token), f"`{expected}` and not `{token}` was expected"
        return token

    def declaration(self) -> tuple[str, Form]:
        self.take("type")
        name = self.take()
        self.take("=")
        form = self.form()
        self.take(";")
        return name, form

    def form(self) -> Form:
        parts = [self._list()]
        while self.next == "|":
            self.take()
            parts.append(self._list())
        return parts[0] if len(parts) == 1 else Form("union", parts=tuple(parts))

    def _list(self) -> Form:
        form = self._one()
        while self.next == "[":
            self.take()
            self.take("]")
            form = Form("list", parts=(form,))
        return form

    def _one(self) -> Form:
        token = self.take()
        if token == "{":
            return self._object()
        if token == "Record":
            for expected in ("<", "string", ","):
                self.take(expected)
            inner = self.form()
            self.take(">")
            return Form("record", parts=(inner,))
        if token.startswith('"'):
            return Form("word", token.strip('"'))
        known = token in _KINDS or token in ("unknown", "true")
        return Form(token) if known else Form("name", token)

    def _object(self) -> Form:
        keys, optional, parts = [], [], []
        while self.next != "}":
            keys.append(self.take())
            if self.next == "?":
                optional.append(keys[-1])
                self.take()
            self.take(":")
            parts.append(self.form())
            if self.next != "}":
                self.take(";")
        self.take("}")
        return Form("object", parts=tuple(parts), keys=tuple(keys), optional=frozenset(optional))


class Checker:
    """Holds documents against forms, and keeps which parts of the forms were filled."""

    def __init__(self, page: Page) -> None:
        self._types = page.types
        self.filled: set[str] = set()

    def problems(self, value: Any, form: Form, place: str) -> list[str]:
        """What is different from the form, each with its place.

        Args:
            value: a document or a part of it.
            form: what it should be.
            place: where it stands: a type's name and the keys from there.
        """
        if form.kind == "name":
            return self.problems(value, self._types[form.name], form.name)
        if form.kind == "union":
            return self._union_problems(value, form, place)
        if form.kind == "object":
            return self._object_problems(value, form, place)
        if form.kind == "list":
            return self._list_problems(value, form, place)
        if form.kind == "record":
            inner = form.parts[0]
            found = value.values() if isinstance(value, dict) else [value]
            return [p for item in found for p in self.problems(item, inner, place)]
        return [] if _fits(value, form) else [f"{place} is {value!r}, which is no {form}"]

    def _union_problems(self, value: Any, form: Form, place: str) -> list[str]:
        if value is None and Form("null") in form.parts:
            return []
        found: list[str] = []
        for part in form.parts:
            problems = self.problems(value, part, place)
            if not problems:
                if value is not None:
                    self.filled.add(place)
                return []
            found = problems
        return found

    def _object_problems(self, value: Any, form: Form, place: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{place} is {value!r} and no object"]
        self.filled.update(f"{place}.{key}?" for key in form.optional & value.keys())
        if value.keys() | form.optional != set(form.keys):
            return [f"{place} has the keys {sorted(value)} and not {sorted(form.keys)}"]
        return [
            problem
            for key, part in zip(form.keys, form.parts, strict=True)
            if key in value
            for problem in self.problems(value[key], part, f"{place}.{key}")
        ]

    def _list_problems(self, value: Any, form: Form, place: str) -> list[str]:
        if not isinstance(value, list):
            return [f"{place} is {value!r} and no list"]
        if value:
            self.filled.add(place)
        return [p for item in value for p in self.problems(item, form.parts[0], place)]


def _fits(value: Any, form: Form) -> bool:
    if form.kind == "unknown":
        return True
    if form.kind == "word":
        return bool(value == form.name)
    if form.kind == "true":
        return value is True
    return isinstance(value, _KINDS[form.kind]) and (
        form.kind == "boolean" or not isinstance(value, bool)
    )


def to_fill(page: Page) -> Iterator[str]:
    """The places that may be empty or null, by which a form could say what never comes."""
    for name, form in page.types.items():
        yield from _to_fill(form, name)


def _to_fill(form: Form, place: str) -> Iterator[str]:
    if form.kind in ("list", "union"):
        yield place
    yield from (f"{place}.{key}?" for key in form.optional)
    for number, part in enumerate(form.parts):
        yield from _to_fill(part, f"{place}.{form.keys[number]}" if form.keys else place)
