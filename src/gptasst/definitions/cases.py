"""Cases: inputs with checks of the answers, in the format of `NAME.cases.toml`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, cast, get_args

from gptasst.config.toml import TomlDocument
from gptasst.definitions.schemas import check_schema, parse_schema
from gptasst.definitions.types import Case, Keep

_TABLE = "case"


def _is_nothing(value: object) -> bool:
    """Whether a check is unset; 0 and an empty text are values."""
    empty = isinstance(value, (tuple, Mapping)) and not value
    return value is None or value is False or empty


_KEYS = tuple(each.name for each in fields(Case))
_INPUTS = ("name", "input", "file", "text", "vars", "judge_model")
_CHECKS = tuple(key for key in _KEYS if key not in _INPUTS)
_LISTS = ("contains", "not_contains", "matches", "not_matches", "cites", "not_cites", "judge")


def cases_in(document: TomlDocument, *, checked: bool = True) -> tuple[Case, ...]:
    """The cases in a document.

    Args:
        document: a definition, or a file of cases.
        checked: also validate patterns and schemas, which is slow.

    Raises:
        InvalidDefinition: one is invalid; the message has file, line and key.
    """
    given = document.root.get(_TABLE, [])
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise document.error((_TABLE,), "key `case` must be a list of tables: [[case]]")
    cases: list[Case] = []
    for part in _parts(document, given):
        case = _case(part, checked=checked)
        if any(other.name == case.name for other in cases):
            raise part.error(("name",), f"there are two cases `{case.name}`")
        cases.append(case)
    return tuple(cases)


class _Part(TomlDocument):
    """One case of a document. Errors without a key have the line of its header."""

    header = 1

    def line_of(self, *path: str) -> int:
        line = super().line_of(*path)
        return max(self.header, line)


def _parts(document: TomlDocument, given: Sequence[Mapping[str, Any]]) -> Iterator[TomlDocument]:
    """Each case as a document, whose errors have the lines of the whole file."""
    lines = document.text.splitlines(keepends=True)
    starts = [number for number, line in _headers(lines) if re.match(_CASE_HEADER, line)]
    ends = [number for number, line in _headers(lines)]
    for at, table in enumerate(given):
        part = _Part("", document.source)
        if len(starts) == len(given):  # else they are inline tables
            later = (n for n in ends if n > starts[at] and not re.match(_INSIDE, lines[n]))
            end = next(later, len(lines))
            inside = [re.sub(_INSIDE, r"\1", line) for line in lines[starts[at] + 1 : end]]
            part.text = "\n" * (starts[at] + 1) + "".join(inside)
            part.header = starts[at] + 1
        part.root = dict(table)
        yield part


_CASE_HEADER = r"\s*\[\[\s*case\s*\]\]"
_INSIDE = r"(\s*\[\s*)case\s*\.\s*"


def _headers(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The headers of tables, outside of strings, with their line numbers from 0."""
    closing = None
    for number, line in enumerate(lines):
        if closing:
            closing = None if closing in line else closing
        elif line.lstrip().startswith("["):
            yield number, line
        else:
            value = line.partition("=")[2]
            closing = next((q for q in ('"""', "'''") if value.count(q) == 1), None)


def _case(document: TomlDocument, *, checked: bool) -> Case:
    document.only_keys((), _KEYS)
    for key in ("equals", "input"):
        document.value(str, key)
    case = Case(
        name=document.required_text("name"),
        input=_exact(document, "input"),
        file=document.text_value("file"),
        text=document.text_value("text"),
        vars=_vars(document),
        equals=_exact(document, "equals"),
        schema=_schema(document, checked=checked),
        json=_json(document),
        unchanged=document.value(bool, "unchanged") or False,
        keeps=_keeps(document),
        max_change=document.number(float, 0.0, 1.0, "max_change"),
        max_tokens=document.number(int, 1, None, "max_tokens"),
        max_cost=document.number(float, 0.0, None, "max_cost"),
        max_seconds=document.number(float, 0.0, None, "max_seconds"),
        judge_model=document.text_value("judge_model"),
        **{key: _one_or_more(document, key) for key in _LISTS},
    )
    if not case.name.isprintable():
        raise document.error(("name",), f"name {case.name!r} has characters that can't be shown")
    if case.input is None and case.file is None and case.text is None:
        raise document.error(("name",), f"case `{case.name}` has no `input`, `file` or `text`")
    if all(_is_nothing(getattr(case, key)) for key in _CHECKS):
        hint = f"one of: {', '.join(_CHECKS)}"
        raise document.error(("name",), f"case `{case.name}` checks nothing", hint=hint)
    _refuse_without_input(document, case)
    if checked:
        _refuse_bad_patterns(document, case)
    return case


def _refuse_without_input(document: TomlDocument, case: Case) -> None:
    compared = [key for key in ("unchanged", "keeps", "max_change") if key in document.root]
    if compared and case.input is None and case.file is None:
        raise document.error(
            (compared[0],), f"`{compared[0]}` compares the answer with `input` or `file`"
        )


def _refuse_bad_patterns(document: TomlDocument, case: Case) -> None:
    for key in ("matches", "not_matches"):
        for pattern in getattr(case, key):
            try:
                re.compile(pattern, re.MULTILINE)
            except (re.error, RecursionError, OverflowError) as error:
                raise document.error(
                    (key,), f"key `{key}`: `{pattern}` is not a regular expression: {error}"
                ) from None


def _exact(document: TomlDocument, key: str) -> str | None:
    value = document.value(str, key)
    return None if value is None else value.replace("\r\n", "\n")


def _one_or_more(document: TomlDocument, key: str) -> tuple[str, ...]:
    """A string, or a list of strings."""
    value = document.root.get(key)
    if value is None:
        return ()
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise document.error((key,), f"key `{key}` must be a string or a list of strings")
    if not values:
        raise document.error((key,), f"key `{key}` is empty")
    return tuple(each.replace("\r\n", "\n") for each in values)


def _vars(document: TomlDocument) -> Mapping[str, str]:
    given = document.table("vars")
    for key, value in given.items():
        if not isinstance(value, str):
            raise document.error(("vars", key), f"key `vars.{key}` must be a string")
    return dict(given)


def _json(document: TomlDocument) -> Mapping[str, Any]:
    given = document.table("json")
    for path in given:
        try:
            steps_of(path)
        except ValueError:
            raise document.error(
                ("json", path),
                f"key `json`: `{path}` is not a path",
                hint="paths are keys and places: items[0].name",
            ) from None
    return dict(given)


def _schema(document: TomlDocument, *, checked: bool) -> Mapping[str, Any] | None:
    """A JSON Schema, given as text or as a table."""
    value = document.root.get("schema")
    if value is None:
        return None
    try:
        if isinstance(value, str):
            value = parse_schema(value)
        elif not isinstance(value, dict):
            raise ValueError("must be a JSON Schema")  # noqa: TRY004  # one kind of failure
        if checked:
            check_schema(value)
    except ValueError as error:
        raise document.error(("schema",), f"key `schema` {error}") from None
    return cast("Mapping[str, Any]", value)


def _keeps(document: TomlDocument) -> tuple[Keep, ...]:
    kinds = _one_or_more(document, "keeps")
    known = get_args(Keep)
    for kind in kinds:
        if kind not in known:
            raise document.error(
                ("keeps",),
                f"key `keeps` has `{kind}`, which is not allowed",
                hint=f"one of: {', '.join(known)}",
            )
    return cast("tuple[Keep, ...]", kinds)


_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]")


def steps_of(path: str) -> list[str | int]:
    """The keys and indexes of a JSON path such as `items[0].name`.

    Raises:
        ValueError: the path is invalid.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or (at == 0 and path.startswith(".")):
            raise ValueError(path)
        steps.append(step[1] if step[1] is not None else int(step[2]))
        at = step.end()
    return steps


def cases_text(cases: Sequence[Case]) -> str:
    """Cases as TOML, for the end of a document; `cases_in` reads the same cases back."""
    import tomli_w

    text = ""
    for case in cases:
        table = _written(case)
        inner = {key: table.pop(key) for key in ("vars", "json") if key in table}
        text += "\n[[case]]\n" + tomli_w.dumps(table, multiline_strings=True)
        if inner:
            text += "\n" + tomli_w.dumps({"case": inner}, multiline_strings=True)
    return text


def _written(case: Case) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key in _KEYS:
        value = getattr(case, key)
        if _is_nothing(value):
            continue
        if isinstance(value, tuple):
            value = value[0] if len(value) == 1 and key in _LISTS else list(value)
        elif key == "schema":
            value = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        elif isinstance(value, Mapping):
            value = dict(value)
        table[key] = value
    return table
