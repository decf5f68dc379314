"""Prompty: front matter, and a template divided by lines such as `system:`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gptasst.definitions.formats.draft import NO_SUCH_KEY, NO_THREAD, Draft, Turn, listed, mapping
from gptasst.definitions.formats.templates import (
    Engine,
    of_braces,
    turns_by_lines,
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
_THREAD = "![thread]"
_CONNECTION = "set the server and its key in a profile"


def read_prompty(name: str, matter: FrontMatter, model_end: ModelEnd) -> Reading:
    """A `.prompty` file, of version 1 or 2.

    Raises:
        NotTaken: its template has logic, or a value has the wrong type.
    """
    values = matter.values()
    draft = Draft(written(values.get("name")).strip() or name, "prompty", model_end)
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
        if _THREAD in text:
            draft.leave("tag", _THREAD, NO_THREAD)
            text = text.replace(_THREAD, "")
        draft.use([each for each in filled.names if each not in threads])
        turns.append(Turn(turn.role, text.strip("\n"), turn.line))
    draft.add_turns(turns)
    _take_sample(draft, values.get("sample"))
    _take_outputs(draft, values)
    for tool in values["tools"] if isinstance(values.get("tools"), list) else []:
        _take_prompty_tool(draft, mapping(tool))
    draft.leave_keys(values, _PROMPTY_KEYS)
    return draft.reading()


def _engine(values: Mapping[str, Any]) -> Engine:
    template = values.get("template")
    form = mapping(template).get("format", mapping(template).get("type", template))
    kind = mapping(form).get("kind", form)
    return "mustache" if str(kind).lower() in ("mustache", "handlebars") else "jinja2"


def _take_prompty_model(draft: Draft, model: object) -> None:
    if not isinstance(model, Mapping):
        draft.add_model(written(model) if model is not None else None)
        return
    if model.get("api", model.get("apiType")) in ("embedding", "image"):
        raise NotTaken(f"it is for {model.get('api', model.get('apiType'))}s, not for text")
    draft.add_model(draft.take_text(model, "id"))
    for key in ("configuration", "connection"):
        settings = mapping(model.get(key))
        for part in settings:
            if part in ("azure_deployment", "deployment"):
                reason = "it names a deployment; set it with `model = …` or `-m`"
                draft.leave("model", written(settings[part]), reason)
            elif part == "name" and settings.get("type", "openai") == "openai":
                draft.add_model(written(settings[part]))
            elif part not in ("type", "kind"):
                draft.leave(f"model.{key}", part, _CONNECTION)
    for key in ("parameters", "options"):
        options = dict(mapping(model.get(key)))
        draft.add_response_format(_known_format(draft, options.pop("response_format", None)))
        for tool in listed(options.pop("tools", None)):
            _take_prompty_tool(draft, mapping(tool))
        more = options.pop("additionalProperties", None)
        draft.add_settings(options, "parameter")
        draft.add_settings(more, "parameter")
    known = ("id", "api", "apiType", "provider", "configuration", "connection", "response")
    draft.leave_keys(model, (*known, "parameters", "options"), "model")


def _known_format(draft: Draft, form: object) -> object:
    """A response format; one in another file is listed."""
    if isinstance(form, str) and form.startswith("${"):
        draft.leave("response_format", form, "it lies in another file: add it as `schema`")
        return None
    return form


def _take_inputs(draft: Draft, values: Mapping[str, Any]) -> Sequence[str]:
    """Declare the inputs; return those that stand for a conversation."""
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
            draft.leave("input", key, NO_THREAD)
            continue
        default = said.get("default", "" if said.get("required") is False else None)
        if isinstance(default, (dict, list)):
            draft.leave("input", key, "variables are texts, and its default is none")
            default = None
        draft.add_variable(
            key,
            None if default is None else written(default),
            _described(said),
            _texts(said.get("enum", said.get("enumValues"))),
        )
    return threads


def _described(said: Mapping[str, Any]) -> str:
    told = written(said.get("description"))
    sample = said.get("sample", said.get("example"))
    if sample is None or isinstance(sample, (dict, list)) or len(written(sample)) > 80:
        return told
    return f"{told}; for example: {written(sample)}".removeprefix("; ")


def _take_sample(draft: Draft, sample: object) -> None:
    """Describe variables with their samples, which are not defaults."""
    for key, value in mapping(sample).items():
        shown = written(value)
        if key not in draft.variables:
            draft.leave("sample", key, "it is not used in the text")
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


_HOSTED = {
    "file_search": "file_search",
    "code_interpreter": "code_interpreter",
    "web_search": "web_search",
    "web_search_preview": "web_search",
    "bing_grounding": "web_search",
    "bing_search": "web_search",
}


def _take_prompty_tool(draft: Draft, tool: Mapping[str, Any]) -> None:
    kind = str(tool.get("kind", tool.get("type", "function"))).lower()
    if kind in _HOSTED:
        draft.turn_on(_HOSTED[kind])
        for key in mapping(tool.get("options")):
            draft.leave(kind, key, "definitions have no such setting")
        return
    function = mapping(tool.get("function"))
    called = written(tool.get("name") or function.get("name") or tool.get("type") or "tool")
    reason = (
        "assistants can't call your functions" if kind == "function" else "there is no such tool"
    )
    draft.leave("function" if kind == "function" else "tool", called, reason)
