"""Templates below front matter: Prompty, and dotprompt of Genkit and Firebase."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gptasst.definitions.formats.draft import NO_SUCH_KEY, Draft, Turn, mapping
from gptasst.definitions.formats.templates import (
    Engine,
    of_braces,
    role_mark,
    turns_by_lines,
    turns_by_marks,
)
from gptasst.definitions.formats.types import ModelEnd, NotTaken, Reading
from gptasst.definitions.formats.yaml_text import FrontMatter, written

_PROMPTY_KEYS = (
    "$schema",
    "kind",
    "name",
    "displayName",
    "description",
    "model",
    "inputs",
    "inputSchema",
    "outputs",
    "outputSchema",
    "sample",
    "template",
    "parameters",
    "tools",
)
_CONNECTION = "a profile has the server and its key"


def read_prompty(name: str, matter: FrontMatter, model_end: ModelEnd) -> Reading:
    """A `.prompty` file, of version 1 or 2.

    Raises:
        NotTaken: its template has logic, or something has the wrong form.
    """
    values = matter.values()
    draft = Draft(draft_name(values, name), "prompty", model_end)
    draft.description = draft.take_text(values, "description") or ""
    _take_prompty_model(draft, values.get("model"))
    draft.add_settings(values.get("parameters"), "parameter")
    threads = _take_inputs(draft, values)
    turns = []
    for turn in turns_by_lines(matter.body, matter.body_line):
        filled = of_braces(turn.text, _engine(values), turn.line)
        text = filled.text
        for thread in threads:
            text = text.replace(f"{{{{{thread}}}}}", "")
        draft.use([each for each in filled.names if each not in threads])
        turns.append(Turn(turn.role, text.strip("\n"), turn.line))
    draft.add_turns(turns)
    _take_sample(draft, values.get("sample"))
    _take_outputs(draft, values)
    for tool in values["tools"] if isinstance(values.get("tools"), list) else []:
        _take_prompty_tool(draft, mapping(tool))
    draft.leave_keys(values, _PROMPTY_KEYS)
    return draft.reading()


def draft_name(values: Mapping[str, Any], name: str) -> str:
    """The name that front matter says, else another."""
    return written(values.get("name")).strip() or name


def _engine(values: Mapping[str, Any]) -> Engine:
    template = values.get("template")
    form = mapping(template).get("format", mapping(template).get("type", template))
    kind = mapping(form).get("kind", form)
    return "mustache" if str(kind).lower() in ("mustache", "handlebars") else "jinja2"


def _take_prompty_model(draft: Draft, model: object) -> None:
    if not isinstance(model, Mapping):
        draft.add_model(written(model) if model is not None else None)
        return
    draft.add_model(draft.take_text(model, "id"))
    for key in ("configuration", "connection"):
        settings = mapping(model.get(key))
        for part in settings:
            if part in ("azure_deployment", "deployment"):
                reason = "it is the name of a deployment: name it with `model = …` or `-m`"
                draft.leave("model", written(settings[part]), reason)
            elif part == "name" and settings.get("type", "openai") == "openai":
                draft.add_model(written(settings[part]))
            elif part not in ("type", "kind"):
                draft.leave(f"model.{key}", part, _CONNECTION)
    for key in ("parameters", "options"):
        options = dict(mapping(model.get(key)))
        draft.add_response_format(_known_format(draft, options.pop("response_format", None)))
        for tool in options.pop("tools", None) or []:
            _take_prompty_tool(draft, mapping(tool))
        more = options.pop("additionalProperties", None)
        draft.add_settings(options, "parameter")
        draft.add_settings(more, "parameter")
    known = ("id", "api", "apiType", "provider", "configuration", "connection", "response")
    draft.leave_keys(model, (*known, "parameters", "options"), "model")


def _known_format(draft: Draft, form: object) -> object:
    """A response format; one that lies in another file is listed."""
    if isinstance(form, str) and form.startswith("${"):
        draft.leave("response_format", form, "it lies in another file: add it as `schema`")
        return None
    return form


def _take_inputs(draft: Draft, values: Mapping[str, Any]) -> Sequence[str]:
    """Declare the inputs; those that stand for a conversation are given back."""
    threads: list[str] = []
    found = values.get("inputs", values.get("inputSchema"))
    if isinstance(found, str):
        draft.leave("inputs", found, "they lie in another file")
    if isinstance(mapping(found).get("properties"), (list, dict)):
        found = mapping(found)["properties"]
    if isinstance(found, list):
        found = {written(mapping(each).get("name")): each for each in found}
    for key, told in mapping(found).items():
        said = told if isinstance(told, Mapping) else {"default": told}
        if str(said.get("kind", said.get("type", ""))).lower() == "thread":
            threads.append(key)
            draft.leave("input", key, "`chat` and `--conversation` keep what was said before")
            continue
        default = said.get("default")
        if isinstance(default, (dict, list)):
            draft.leave("input", key, "variables are texts, and its default is none")
            default = None
        draft.add_variable(
            key,
            None if default is None else written(default),
            written(said.get("description")),
            _texts(said.get("enum", said.get("enumValues"))),
        )
    return threads


def _take_sample(draft: Draft, sample: object) -> None:
    """Say with each variable what it may be; a sample is no default."""
    for key, value in mapping(sample).items():
        shown = written(value)
        if key not in draft.variables:
            draft.leave("sample", key, "no placeholder uses it")
        elif len(shown) <= 80 and "\n" not in shown and not isinstance(value, (dict, list)):
            draft.add_variable(key, description=f"for example: {shown}")
        else:
            draft.leave("sample", key, "samples are not kept")
    if isinstance(sample, str):
        draft.leave("sample", sample, "it lies in another file")


def _texts(value: object) -> Sequence[str]:
    return [written(each) for each in value] if isinstance(value, list) else ()


def _take_outputs(draft: Draft, values: Mapping[str, Any]) -> None:
    outputs = values.get("outputs", values.get("outputSchema"))
    if not outputs:
        return
    if isinstance(mapping(outputs).get("properties"), (dict, list)):
        outputs = mapping(outputs)["properties"]
    if isinstance(outputs, list):
        outputs = {written(mapping(each).get("name")): each for each in outputs}
    if not isinstance(outputs, Mapping):
        draft.leave("outputs", written(outputs)[:80], NO_SUCH_KEY)
        return
    properties = {}
    for key, told in outputs.items():
        said = told if isinstance(told, Mapping) else {}
        kind = str(said.get("type", said.get("kind", "string"))).lower()
        kind = {"float": "number", "list": "array", "dict": "object"}.get(kind, kind)
        properties[key] = {"type": kind}
        if said.get("description"):
            properties[key]["description"] = written(said["description"])
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    draft.add_schema({**schema, "additionalProperties": False}, "key", "outputs")


def _take_prompty_tool(draft: Draft, tool: Mapping[str, Any]) -> None:
    function = mapping(tool.get("function"))
    called = written(tool.get("name") or function.get("name") or tool.get("type") or "tool")
    kind = str(tool.get("kind", tool.get("type", "function")))
    reason = (
        "assistants can't call your functions" if kind == "function" else "there is no such tool"
    )
    draft.leave("function" if kind == "function" else "tool", called, reason)


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
)


def read_dotprompt(name: str, matter: FrontMatter, model_end: ModelEnd) -> Reading:
    """A `.prompt` file.

    Raises:
        NotTaken: its template has logic, or something has the wrong form.
    """
    values = matter.values()
    draft = Draft(draft_name(values, name), "dotprompt", model_end)
    draft.description = draft.take_text(values, "description") or ""
    draft.add_model(draft.take_text(values, "model"))
    draft.add_settings(values.get("config"), "config")
    given = mapping(values.get("input"))
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
            draft.leave("tag", "history", "`chat` and `--conversation` keep what was said before")
            return ""
        return role_mark(tag)

    filled = of_braces(matter.body, "handlebars", matter.body_line, special)
    if "<<<dotprompt:media" in filled.text:
        raise NotTaken("it has media, and a definition has none: pass files to `run`")
    draft.use(filled.names)
    draft.add_turns(list(turns_by_marks(filled.text)))


def _fields(schema: object) -> dict[str, dict[str, Any]]:
    """What a schema of inputs says of each, in Picoschema or JSON Schema."""
    fields = {}
    if not isinstance(schema, Mapping):
        return {}
    for key, told in mapping(pico_schema(schema).get("properties")).items():
        said = mapping(told)
        choices = [written(each) for each in said.get("enum") or [] if each is not None]
        fields[key] = {
            "optional": key not in pico_schema(schema).get("required", []),
            "description": written(said.get("description")),
            "choices": choices,
        }
    return fields


def _take_output(draft: Draft, output: Mapping[str, Any]) -> None:
    schema = output.get("schema")
    form = output.get("format")
    if isinstance(schema, Mapping):
        draft.add_schema(pico_schema(schema), "output", "schema")
    elif schema is not None:
        draft.leave("output", written(schema)[:80], "the schema lies elsewhere: add it as `schema`")
    elif form not in (None, "text"):
        draft.leave(
            "output", written(form), "there is only JSON that fits a schema: add a `schema`"
        )


_SCALARS = ("string", "number", "integer", "boolean", "null")
_PICO_KEY = re.compile(
    r"(?P<name>[^?(]+)(?P<optional>\?)?(\((?P<kind>\w+)(,\s*(?P<told>[^)]*))?\))?"
)


def pico_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema that Picoschema stands for; JSON Schema itself stays as it is.

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
    if "enum" in value:
        return {**value, "enum": [*value["enum"], None]}
    if isinstance(value.get("type"), str):
        return {**value, "type": [value["type"], "null"]}
    return value
