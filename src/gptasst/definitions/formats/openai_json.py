"""Saved JSON of OpenAI: responses, stored prompts, requests.

Stored prompts end on 2026-11-30 and can't be read through the API. What remains is a copy of the
JSON, or a response that was made with the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gptasst.config.toml import TomlDocument
from gptasst.definitions.formats.draft import Draft, Turn, mapping
from gptasst.definitions.formats.templates import of_braces, role_of
from gptasst.definitions.formats.types import Format, ModelEnd, NotTaken, Reading
from gptasst.definitions.formats.yaml_text import written
from gptasst.definitions.tools import MOST_RESULTS, read_tools
from gptasst.definitions.types import CodeSettings, SearchSettings, WebSettings
from gptasst.errors import InvalidDefinition

NO_CONTENT = "knowledge can't be downloaded from the server; add the file from your disk"
# Fields of a response that are not part of the request.
_OF_THE_ANSWER = (
    "id object created_at completed_at updated_at status output output_text usage error moderation"
    " incomplete_details background store conversation previous_response_id billing content_filters"
    " prompt_cache_retention prompt_cache_options frequency_penalty presence_penalty top_logprobs"
    " stream include version is_default creator created_by project_id url"
).split()
_KNOWN = (
    "model instructions input messages prompt text reasoning tools temperature top_p name title"
    " max_output_tokens max_tokens max_completion_tokens response_format reasoning_effort variables"
    " tool_choice parallel_tool_calls truncation service_tier metadata description tool_resources"
    " max_tool_calls context_management"
).split()


def kind_of_json(found: Mapping[str, Any]) -> Format | None:
    """The kind of OpenAI object of a JSON object, or `None`."""
    said = found.get("object")
    is_old = said is None and "instructions" in found and "tool_resources" in found
    if said == "assistant" or is_old:
        return "openai-assistant"
    if said == "response" or ("output" in found and "model" in found):
        return "openai-response"
    is_prompt = (
        said in ("prompt", "prompt.version")
        or str(found.get("id", "")).startswith("pmpt_")
        or bool(mapping(found.get("prompt")).get("id"))
        or ("model" in found and any(key in found for key in ("input", "messages")))
        or (said is None and "instructions" in found and ("model" in found or "tools" in found))
    )
    return "openai-prompt" if is_prompt else None


def read_openai(name: str, found: Mapping[str, Any], form: Format, model_end: ModelEnd) -> Reading:
    """A response, a stored prompt, or the body of a request.

    Raises:
        NotTaken: it has no text.
    """
    is_answered = form == "openai-response"
    inner = mapping(found.get("prompt"))
    if not is_answered and _texts_of(inner):
        found = {**found, **inner}
    draft = Draft(written(found.get("name") or found.get("title")) or name, form, model_end)
    draft.description = draft.take_text(found, "description") or ""
    draft.add_model(draft.take_text(found, "model"))
    turns: list[Turn] = []
    for key in ("instructions", "input", "messages"):
        if key in found and not (is_answered and key != "instructions"):
            turns += _turns(draft, found[key], "system" if key == "instructions" else "user")
    if not turns:
        raise NotTaken(_nothing(found, inner, is_answered=is_answered))
    if not is_answered:
        turns = [_with_variables(draft, turn) for turn in turns]
    draft.add_turns(turns)
    _take_variables(draft, found, inner, is_answered=is_answered)
    _take_settings(draft, found)
    _take_tools(draft, found)
    draft.leave_keys(found, (*_KNOWN, *_OF_THE_ANSWER))
    return draft.reading()


def _texts_of(inner: Mapping[str, Any]) -> bool:
    return any(inner.get(key) for key in ("instructions", "messages", "input"))


def _nothing(found: Mapping[str, Any], inner: Mapping[str, Any], *, is_answered: bool) -> str:
    prompt = inner.get("id") or (found.get("id") if not is_answered else None)
    if is_answered and not prompt:
        return "the response has no `instructions`, and does not hold what else it was asked"
    return (
        f"it only refers to the stored prompt `{written(prompt)[:80]}`, whose text is in the"
        " dashboard; stored prompts end on 2026-11-30"
    )


def _turns(draft: Draft, found: object, role: str) -> Sequence[Turn]:
    """The messages in a text or a list of items."""
    if found is None:
        return ()
    if isinstance(found, str):
        return (Turn(role, found),)
    turns = []
    for item in found if isinstance(found, list) else [found]:
        if not isinstance(item, Mapping):
            turns.append(Turn(role, written(item)))
            continue
        kind = item.get("type", "message")
        if kind != "message" and "role" not in item:
            draft.leave("item", written(kind), "only messages are kept")
            continue
        text = _content(draft, item.get("content"))
        if text.strip():
            turns.append(Turn(role_of(item.get("role", role)), text))
    return turns


def _content(draft: Draft, content: object) -> str:
    if isinstance(content, list):
        texts = []
        for part in content:
            said = mapping(part)
            if isinstance(part, str) or "text" in said:
                texts.append(written(part if isinstance(part, str) else _bare(said["text"])))
            else:
                kind = written(said.get("type", "part"))
                draft.leave("content", kind, "pass files to `run`, or add them as knowledge")
        return "\n".join(texts)
    return written(_bare(content))


def _bare(text: object) -> object:
    """A text, possibly inside an object, as in old threads."""
    return mapping(text).get("value", "") if isinstance(text, Mapping) else text


def _with_variables(draft: Draft, turn: Turn) -> Turn:
    filled = of_braces(turn.text, "braces", None)
    draft.use(filled.names)
    return replace(turn, text=filled.text)


def _take_variables(
    draft: Draft, found: Mapping[str, Any], inner: Mapping[str, Any], *, is_answered: bool
) -> None:
    declared = inner.get("variables") or found.get("variables")
    if is_answered:
        for name in mapping(declared):
            reason = "its value is in the text already: a response has no placeholders"
            draft.leave("variable", name, reason)
        return
    if isinstance(declared, list):
        declared = {
            written(mapping(each).get("name") if isinstance(each, Mapping) else each): each
            for each in declared
        }
    for name, told in mapping(declared).items():
        said = mapping(told)
        default = said.get("default", said.get("text")) if said else told
        if name in draft.variables:
            text = written(default) if isinstance(default, str) and default != name else None
            draft.add_variable(name, text or None, written(said.get("description")))
        else:
            draft.leave("variable", name, "it is not used in the text")


_NO_SETTING = "definitions have no such setting"
_SETTINGS = (
    "temperature",
    "top_p",
    "max_output_tokens",
    "max_tokens",
    "max_completion_tokens",
    "reasoning_effort",
    "max_tool_calls",
    "service_tier",
)
# The API's defaults.
_USUAL: Mapping[str, tuple[object, ...]] = {
    "temperature": (1,),
    "top_p": (1,),
    "service_tier": ("auto", "default"),
    "parallel_tool_calls": (True,),
    "truncation": ("disabled",),
}


def _take_settings(draft: Draft, found: Mapping[str, Any]) -> None:
    given = {k: found[k] for k in _SETTINGS if k in found and found[k] not in _USUAL.get(k, ())}
    draft.add_settings(given, "setting")
    reasoning = dict(mapping(found.get("reasoning")))
    draft.add_settings(
        {
            "reasoning_effort": reasoning.pop("effort", None),
            "reasoning_summary": reasoning.pop("summary", None),
        },
        "reasoning",
    )
    draft.leave_set(reasoning, "reasoning")
    text = dict(mapping(found.get("text")))
    draft.add_response_format(text.pop("format", None) or found.get("response_format"))
    if text.get("verbosity") != "medium":
        draft.add_settings({"verbosity": text.get("verbosity")}, "text")
    for key in ("parallel_tool_calls", "truncation"):
        if found.get(key) is not None and found[key] not in _USUAL[key]:
            draft.leave("setting", key, _NO_SETTING)
    compaction = found.get("context_management")
    for each in compaction if isinstance(compaction, list) else []:
        threshold = mapping(each).get("compact_threshold")
        draft.add_settings({"compact_threshold": threshold}, "context_management")
    for key in mapping(found.get("metadata")):
        draft.leave("metadata", key, "definitions have no such key")


def _take_choice(draft: Draft, choice: object) -> None:
    """Which tool has to be called, once it is known which there are."""
    said = mapping(choice)
    name = written(said.get("type")) if said else written(choice)
    if name == "mcp":
        name = f"mcp:{written(said.get('server_label'))}"
    if name in ("", "auto"):
        return
    servers = [f"mcp:{server.label}" for server in draft.tools.mcp]
    known = {
        "none": True,
        "required": True,
        "file_search": draft.tools.file_search,
        "code_interpreter": draft.tools.code_interpreter,
    }
    if known.get(name) or name in servers:
        draft.set("tool_choice", name)
    else:
        draft.leave("tool_choice", name, _NO_SETTING)


def _take_tools(draft: Draft, found: Mapping[str, Any]) -> None:
    tools = found.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        _take_tool(draft, mapping(tool))
    _take_choice(draft, found.get("tool_choice"))


def _take_tool(draft: Draft, said: Mapping[str, Any]) -> None:
    kind = written(said.get("type"))
    if kind == "file_search":
        draft.tools = replace(draft.tools, file_search=True, search=_search(said))
        _leave_ids(draft, "vector_store", said.get("vector_store_ids"))
        if said.get("filters"):
            draft.leave("file_search", "filters", "here, filters are patterns of paths")
    elif kind.startswith("web_search"):
        draft.tools = replace(draft.tools, web_search=True, web=_web(draft, said))
    elif kind == "code_interpreter":
        draft.tools = replace(draft.tools, code_interpreter=True, code=_code(draft, said))
    elif kind == "function":
        function = mapping(said.get("function")) or said
        called = written(function.get("name"))
        draft.leave("function", called, "assistants can't call your functions")
    elif kind == "mcp":
        _take_mcp(draft, said)
    else:
        draft.leave("tool", kind or "unknown", "there is no such tool")


def _web(draft: Draft, tool: Mapping[str, Any]) -> WebSettings:
    size, place = tool.get("search_context_size"), mapping(tool.get("user_location"))
    domains = mapping(tool.get("filters")).get("allowed_domains")
    listed = (
        [each for each in domains if isinstance(each, str)] if isinstance(domains, list) else []
    )
    known = ("type", "search_context_size", "user_location", "filters")
    draft.leave_set({key: value for key, value in tool.items() if key not in known}, "web_search")
    draft.leave_set(
        {key: v for key, v in mapping(tool.get("filters")).items() if key != "allowed_domains"},
        "web_search",
    )
    country = written(place.get("country")).upper()
    is_country = re.fullmatch("[A-Z]{2}", country) is not None
    return WebSettings(
        allowed_domains=tuple(re.sub(r"^https?://|/.*$", "", each) for each in listed),
        context_size=size if size in ("low", "high") else None,
        country=country if is_country else None,
        region=written(place.get("region")) or None,
        city=written(place.get("city")) or None,
        timezone=written(place.get("timezone")) or None,
    )


def _code(draft: Draft, tool: Mapping[str, Any]) -> CodeSettings:
    container = tool.get("container")
    if isinstance(container, str):
        draft.leave("container", container, "each run has one of its own")
    said = mapping(container)
    _leave_ids(draft, "file", said.get("file_ids"))
    policy = mapping(said.get("network_policy"))
    if policy and policy.get("type") != "disabled":
        draft.leave("container", "network_policy", _NO_SETTING)
    memory = said.get("memory_limit")
    return CodeSettings(
        memory=memory if memory in ("1g", "4g", "16g", "64g") else None,
        network=False if policy.get("type") == "disabled" else None,
    )


def _take_mcp(draft: Draft, tool: Mapping[str, Any]) -> None:
    """A server of tools; what opens it is never taken over."""
    label, url = written(tool.get("server_label")), written(tool.get("server_url"))
    if not url:
        draft.leave("mcp", label, "it has no URL: connectors of OpenAI can't be named")
        return
    for key in ("authorization", "headers"):
        if tool.get(key):
            reason = "put the key into a variable, and its name into `key_env`"
            draft.leave("mcp", f"{label}: {key}", reason)
    allowed = tool.get("allowed_tools")
    names = mapping(allowed).get("tool_names") if isinstance(allowed, Mapping) else allowed
    table: dict[str, Any] = {"label": label, "url": url}
    if written(tool.get("server_description")):
        table["description"] = written(tool["server_description"])
    if isinstance(names, list) and names:
        table["allowed_tools"] = [written(each) for each in names]
    approval = tool.get("require_approval")
    table["approval"] = "never" if approval == "never" else "always"
    if isinstance(approval, Mapping):
        draft.leave("mcp", f"{label}: require_approval", "each call is asked for")
    if allowed is not None and ("allowed_tools" not in table or mapping(allowed).get("read_only")):
        table["approval"] = "always"
        reason = "only names of tools can be kept, so each call is asked for"
        draft.leave("mcp", f"{label}: allowed_tools", reason)
    try:
        (server,) = read_tools(TomlDocument(_toml({"tools": {"mcp": [table]}}), "")).mcp
    except InvalidDefinition as error:
        draft.leave("mcp", label, error.problem)
        return
    draft.tools = replace(draft.tools, mcp=(*draft.tools.mcp, server))


def _toml(table: Mapping[str, Any]) -> str:
    import tomli_w

    return tomli_w.dumps(table)


def _leave_ids(draft: Draft, kind: str, ids: object) -> None:
    for each in ids if isinstance(ids, list) else []:
        draft.leave(kind, written(each), NO_CONTENT)


def _search(tool: Mapping[str, Any]) -> SearchSettings:
    most = number_within(tool.get("max_num_results"), 1, MOST_RESULTS)
    ranking = mapping(tool.get("ranking_options"))
    return SearchSettings(
        max_results=None if most is None else int(most),
        score_threshold=number_within(ranking.get("score_threshold"), 0, 1) or None,
    )


def number_within(value: object, low: float, high: float) -> float | None:
    """A number from `low` to `high`, else `None`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if low <= value <= high else None
