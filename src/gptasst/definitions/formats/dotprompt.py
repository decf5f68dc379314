"""Dotprompt of Genkit and Firebase: front matter, Picoschema, and a Handlebars template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gptasst.definitions.formats.draft import NO_SUCH_KEY, NO_THREAD, Draft, listed, mapping
from gptasst.definitions.formats.templates import of_braces, role_mark, turns_by_marks
from gptasst.definitions.formats.types import ModelEnd, NoPrompt, NotTaken, Reading
from gptasst.definitions.formats.yaml_text import FrontMatter, written

_DOTPROMPT_KEYS = (
    "name",
    "description",
    "model",
    "config",
    "input",
    "output",
    "tools",
    "toolDefs",
    "metadata",
    "variables",
)


def read_dotprompt(name: str, matter: FrontMatter, model_end: ModelEnd) -> Reading:
    """A `.prompt` file.

    Raises:
        NotTaken: its template has logic, or a value has the wrong type.
    """
    values = matter.values()
    if name.startswith("_"):
        raise NoPrompt("it is a partial, used by other prompts")
    draft = Draft(written(values.get("name")).strip() or name, "dotprompt", model_end)
    draft.description = draft.take_text(values, "description") or ""
    draft.add_model(draft.take_text(values, "model"))
    draft.add_settings(values.get("config"), "config")
    given = mapping(values.get("input", {"schema": values.get("variables")}))
    draft.leave_keys(given, ("schema", "default"), "input")
    for key, said in _fields(given.get("schema")).items():
        default = "" if said["optional"] else None
        draft.add_variable(key, default, said["description"], said["choices"])
    for key, default in mapping(given.get("default")).items():
        _with_default(draft, key, default)
    _take_body(draft, matter)
    _take_output(draft, mapping(values.get("output")))
    for tool in values["tools"] if isinstance(values.get("tools"), list) else []:
        called = written(mapping(tool).get("name")) if isinstance(tool, dict) else written(tool)
        draft.leave("tool", called, "assistants can't call your functions")
    for key in mapping(values.get("metadata")):
        draft.leave("metadata", key, NO_SUCH_KEY)
    draft.leave_keys(values, _DOTPROMPT_KEYS)
    return draft.reading()


def _with_default(draft: Draft, key: str, default: object) -> None:
    if isinstance(default, (dict, list)):
        draft.leave("input.default", key, "variables are texts, and its default is none")
        return
    draft.add_variable(key, written(default))


def _take_body(draft: Draft, matter: FrontMatter) -> None:
    def special(tag: str) -> str | None:
        if tag == "history":
            draft.leave("tag", "history", NO_THREAD)
            return ""
        if tag.startswith("media "):
            raise NotTaken("it has media; a definition can't, so pass files to `run`")
        return role_mark(tag)

    filled = of_braces(matter.body, "handlebars", matter.body_line, special)
    draft.use(filled.names)
    draft.add_turns(list(turns_by_marks(filled.text)))


def _fields(schema: object) -> dict[str, dict[str, Any]]:
    """The description of each input in a schema, in Picoschema or JSON Schema."""
    fields = {}
    if not isinstance(schema, Mapping):
        return {}
    for key, told in mapping(pico_schema(schema).get("properties")).items():
        said = mapping(told)
        choices = [written(each) for each in listed(said.get("enum")) if each is not None]
        fields[key] = {
            "optional": key not in listed(pico_schema(schema).get("required")),
            "description": written(said.get("description")),
            "choices": choices,
        }
    return fields


def _take_output(draft: Draft, output: Mapping[str, Any]) -> None:
    schema = output.get("schema")
    form = output.get("format")
    draft.leave_keys(output, ("schema", "format"), "output")
    if form == "text" and schema is not None:
        draft.leave("output", "schema", "the answer is text")
    elif isinstance(schema, Mapping):
        draft.add_schema(pico_schema(schema), "output", "schema")
    elif schema is not None:
        draft.leave("output", written(schema)[:80], "the schema lies elsewhere: add it as `schema`")
    elif form not in (None, "text"):
        draft.leave(
            "output", written(form), "there is no JSON mode without a schema; add a `schema`"
        )


_SCALARS = ("string", "number", "integer", "boolean", "null")
_PICO_KEY = re.compile(
    r"(?P<name>[^?(]+)(?P<optional>\?)?(\((?P<kind>\w+)(,\s*(?P<told>[^)]*))?\))?"
)


def pico_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Convert Picoschema to JSON Schema; JSON Schema is returned unchanged.

    Raises:
        NotTaken: it is neither.
    """
    if isinstance(schema.get("type"), str) and (
        "properties" in schema or schema["type"] in (*_SCALARS, "object", "array")
    ):
        return dict(schema)
    if isinstance(schema.get("properties"), Mapping):
        return {"type": "object", **schema}
    properties: dict[str, Any] = {}
    required = []
    more: Any = False
    for key, told in schema.items():
        if key == "(*)":
            more = _pico_value(told, None, None)
            continue
        found = _PICO_KEY.fullmatch(key)
        if found is None:
            raise NotTaken(f"the key `{key[:60]}` of a schema is not Picoschema")
        value = _pico_value(told, found["kind"], found["told"])
        name = found["name"].strip()
        if found["optional"]:
            value = _or_null(value)
        else:
            required.append(name)
        properties[name] = value
    made: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        made["required"] = required
    return {**made, "additionalProperties": more}


def _pico_value(told: Any, kind: str | None, description: str | None) -> dict[str, Any]:
    more = {"description": description} if description else {}
    if kind == "array":
        return {"type": "array", "items": _pico_value(told, None, None), **more}
    if kind == "enum":
        return {"enum": list(told) if isinstance(told, list) else [], **more}
    if isinstance(told, Mapping):
        return {**pico_schema(told), **more}
    word, _, comment = written(told).partition(",")
    said = {"description": comment.strip()} if comment.strip() else more
    if word.strip() == "any":
        return said
    if word.strip() not in _SCALARS:
        raise NotTaken(f"the type `{word.strip()[:60]}` of a schema is not known")
    return {"type": word.strip(), **said}


def _or_null(value: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value.get("enum"), list):
        return {**value, "enum": [*value["enum"], None]}
    if isinstance(value.get("type"), str):
        return {**value, "type": [value["type"], "null"]}
    return value
