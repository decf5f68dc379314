"""Definitions as TOML: read with exact errors, and write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gptasst.config.toml import TomlDocument
from gptasst.definitions.schemas import check_schema, parse_schema
from gptasst.definitions.settings import (
    read_edit_settings,
    read_settings,
    written_edit_settings,
    written_settings,
)
from gptasst.definitions.tools import read_tools, written_tools
from gptasst.definitions.types import (
    CASES_ENDING,
    Definition,
    InstructionOrigin,
)
from gptasst.definitions.variables import read_variables, written_variables
from gptasst.hints import upgrade_command

if TYPE_CHECKING:
    from gptasst.definitions.types import Case

_KEYS = (
    "name",
    "description",
    "model",
    "instruction",
    "extends",
    "instructions",
    "instructions_append",
    "default_text",
    "unwrap_fence",
    "edits",
    "edit",
    "schema",
    "knowledge",
    "tools",
    "settings",
    "variables",
    "case",
    "format",
)
_NAME_LIMIT = 200

_FIRST_SETTINGS = {"reasoning_effort", "temperature", "top_p", "max_output_tokens"}
# The format of this version. Documents that only need format 1 are written without the key.
_FORMAT = 2

Origin = InstructionOrigin


def parse_definition(
    text: str, *, source: str, name: str | None = None, schema_checked: bool = False
) -> Definition:
    """Read a definition.

    Args:
        text: the TOML document.
        source: its name in errors, usually its path.
        name: the name if the document has none; without it the key `name` is required.
        schema_checked: skip the slow validation of its schema, which was checked before or is not
            about to be used.

    Raises:
        InvalidDefinition: the message starts with `SOURCE:LINE:` and has the key.
    """
    return read_document(TomlDocument(text, source), name=name, schema_checked=schema_checked)


def read_document(
    document: TomlDocument, *, name: str | None = None, schema_checked: bool = False
) -> Definition:
    """The definition in a document; see `parse_definition`.

    Raises:
        InvalidDefinition: it is invalid, or has a newer format.
    """
    _refuse_newer(document)
    document.only_keys((), _KEYS)
    tools = read_tools(document)
    own_name = document.text_value("name")
    if own_name is None and name is None:
        raise document.error(("name",), "missing key `name`")
    checked = own_name or name or ""
    problem = name_problem(checked)
    if problem:
        raise document.error(("name",), f"name `{checked}` {problem}")
    return Definition(
        name=checked,
        description=document.value(str, "description") or "",
        model=document.text_value("model"),
        instruction=document.text_value("instruction"),
        instructions=_instructions(document),
        default_text=document.text_value("default_text"),
        unwrap_fence=document.value(bool, "unwrap_fence") or False,
        schema=_schema(document, checked=schema_checked),
        knowledge=document.texts("knowledge"),
        edit=read_edit_settings(document),
        tools=tools,
        settings=read_settings(document, tools),
        variables=read_variables(document),
        cases=_cases(document, checked=schema_checked),
        extends=_extends(document),
        instructions_append=_instructions_append(document),
    )


# Keys that are not inherited.
_NOT_INHERITED = (
    "format",
    "name",
    "instruction",
    "extends",
    "instructions_append",
    "knowledge",
    "case",
)


def put_together(base: TomlDocument, document: TomlDocument) -> TomlDocument:
    """Combine a document with the one that it extends.

    A key of `document` replaces that of `base`; tables are combined key by key. Errors have the
    lines of `document`.

    Args:
        base: a valid document with `extends` resolved.
        document: a document that is valid by itself.
    """
    whole = TomlDocument("", document.source)
    whole.text = document.text
    inherited = {key: value for key, value in base.root.items() if key not in _NOT_INHERITED}
    whole.root = _merged(inherited, document.root)
    del whole.root["extends"]
    if whole.root.get("edits") is False and "edit" not in document.root:
        whole.root.pop("edit", None)  # from the base, whose answers are edits
    added = whole.root.pop("instructions_append", None)
    if added is not None:
        told = str(whole.root["instructions"]).rstrip()
        whole.root["instructions"] = f"{told}\n\n{added}"
    return whole


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result


def _refuse_newer(document: TomlDocument) -> None:
    found = document.number(int, 1, None, "format")
    if found is not None and found > _FORMAT:
        raise document.error(
            ("format",),
            f"it has format {found}, which a newer gptasst wrote",
            hint=upgrade_command(),
        )


def _instructions(document: TomlDocument) -> str:
    if "extends" in document.root:
        return document.text_value("instructions") or ""
    return document.required_text("instructions")


def _extends(document: TomlDocument) -> str | None:
    name = document.text_value("extends")
    problem = name_problem(name) if name is not None else None
    if problem:
        raise document.error(
            ("extends",),
            f"key `extends` is `{name}`, which {problem}",
            hint='it takes the name of an instruction, as in `extends = "MarkdownLinter"`',
        )
    return name


def _instructions_append(document: TomlDocument) -> str | None:
    added = document.text_value("instructions_append")
    if added is not None and "extends" not in document.root:
        raise document.error(
            ("instructions_append",),
            "key `instructions_append` needs `extends`",
            hint="add it to `instructions` itself",
        )
    return added


def name_problem(name: str) -> str | None:
    """Why a name can't be used for an assistant or instruction, or `None`."""
    if name != name.strip() or not name:
        return "is blank or has blanks around it"
    if not name.isprintable():
        return "has characters that can't be shown"
    if name.startswith("-"):
        return "starts with a dash, which a command line takes for an option"
    if "/" in name or "\\" in name:
        return "has a slash"
    if len(name) > _NAME_LIMIT:
        return f"is longer than {_NAME_LIMIT} characters"
    return None


def file_name_problem(name: str) -> str | None:
    """Why `NAME.toml` can't be an instruction of that name, or `None`."""
    of_cases = f"{name}.toml".endswith(CASES_ENDING)
    return "ends like a file of cases" if of_cases else name_problem(name)


def _schema(document: TomlDocument, *, checked: bool) -> Mapping[str, Any] | None:
    text = document.text_value("schema")
    if text is None:
        return None
    try:
        schema = parse_schema(text)
        if not checked:
            check_schema(schema)
    except ValueError as error:
        raise document.error(("schema",), f"key `schema` {error}") from None
    return schema


def _cases(document: TomlDocument, *, checked: bool) -> tuple[Case, ...]:
    if "case" not in document.root:
        return ()
    from gptasst.definitions.cases import cases_in

    return cases_in(document, checked=not checked)


def without_name(text: str) -> str:
    """A definition's text without the key `name`, for use under another name."""
    document = TomlDocument(text, "definition")
    if "name" not in document.root:
        return text
    lines = text.splitlines(keepends=True)
    del lines[document.line_of("name") - 1]
    return "".join(lines)


def dump_definition(definition: Definition) -> str:
    """Write a definition as TOML; `parse_definition` reads the same definition back."""
    import tomli_w

    text = tomli_w.dumps(_document(definition), multiline_strings=True)
    if definition.cases:
        from gptasst.definitions.cases import cases_text

        text += cases_text(definition.cases)
    return text


def differing_keys(one: Definition, other: Definition) -> tuple[str, ...]:
    """The differing keys of two definitions, in TOML form: `settings.temperature`."""
    flat = [dict(_flat(_document(each) | {"case": each.cases})) for each in (one, other)]
    keys = dict.fromkeys((*flat[0], *flat[1]))
    differing = tuple(key for key in keys if flat[0].get(key) != flat[1].get(key))
    return tuple(key for key in differing if key != "format")  # it follows from the others


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _document(definition: Definition) -> dict[str, Any]:
    """A definition as a TOML document, without its cases."""
    head: dict[str, Any] = {
        "format": None if definition_format(definition) == 1 else definition_format(definition),
        "name": definition.name,
        "description": definition.description or None,
        "model": definition.model,
        "instruction": definition.instruction,
        "extends": definition.extends,
        "default_text": definition.default_text,
        "unwrap_fence": definition.unwrap_fence or None,
        "edits": definition.edit is not None or None,
        "instructions": definition.instructions or None,
        "instructions_append": definition.instructions_append,
        "schema": None if definition.schema is None else _schema_text(definition.schema),
        "knowledge": list(definition.knowledge) or None,
    }
    document = _present(head)
    tables = {
        "edit": written_edit_settings(definition.edit),
        "tools": written_tools(definition.tools),
        "settings": written_settings(definition.settings),
        "variables": written_variables(definition.variables),
    }
    for name, table in tables.items():
        if table:
            document[name] = table
    return document


def definition_format(definition: Definition) -> int:
    """The oldest format that can express a definition.

    Format 1 is the original one; variables, `extends`, cases, and the newer keys of tools and
    settings need 2.
    """
    new = (
        definition.variables, definition.extends, definition.instructions_append, definition.cases,
    )  # fmt: skip
    tools, settings = written_tools(definition.tools), written_settings(definition.settings)
    tables = any(isinstance(tools.get(name), dict) for name in ("web_search", "code_interpreter"))
    keys = tables or "mcp" in tools or not _FIRST_SETTINGS.issuperset(settings)
    return 2 if any(new) or keys else 1


def _present(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _schema_text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
