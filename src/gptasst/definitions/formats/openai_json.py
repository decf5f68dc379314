"""Saved JSON of OpenAI: responses, stored prompts, requests.

Stored prompts end on 2026-11-30 and can't be read through the API. What remains is a copy of the
JSON, or a response that was made with the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gptasst.definitions.formats.draft import Draft, Turn, mapping
from gptasst.definitions.formats.templates import of_braces, role_of
from gptasst.definitions.formats.types import Format, ModelEnd, NotTaken, Reading
from gptasst.definitions.formats.yaml_text import written
from gptasst.definitions.tools import MOST_RESULTS
from gptasst.definitions.types import SearchSettings

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


def _take_settings(draft: Draft, found: Mapping[str, Any]) -> None:
    settings = {
        key: found[key]
        for key in (
            "temperature",
            "top_p",
            "max_output_tokens",
            "max_tokens",
            "max_completion_tokens",
            "reasoning_effort",
        )
        if found.get(key) is not None
    }
    for key in ("temperature", "top_p"):
        if settings.get(key) == 1:  # the API's default
            del settings[key]
    draft.add_settings(settings, "setting")
    reasoning = dict(mapping(found.get("reasoning")))
    draft.add_settings({"effort": reasoning.pop("effort", None)}, "reasoning")
    for key, value in reasoning.items():
        if value is not None:
            draft.leave("reasoning", key, "definitions have no such setting")
    text = dict(mapping(found.get("text")))
    draft.add_response_format(text.pop("format", None) or found.get("response_format"))
    if text.get("verbosity") not in (None, "medium"):
        draft.leave("text", "verbosity", "definitions have no such setting")
    usual = {
        "tool_choice": ("auto",),
        "parallel_tool_calls": (True,),
        "truncation": ("disabled",),
        "service_tier": ("auto", "default"),
    }
    for key, values in usual.items():
        if found.get(key) is not None and found[key] not in values:
            draft.leave("setting", key, "definitions have no such setting")
    for key in mapping(found.get("metadata")):
        draft.leave("metadata", key, "definitions have no such key")


def _take_tools(draft: Draft, found: Mapping[str, Any]) -> None:
    tools = found.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        _take_tool(draft, mapping(tool))


def _take_tool(draft: Draft, said: Mapping[str, Any]) -> None:
    kind = written(said.get("type"))
    if kind == "file_search":
        draft.tools = replace(draft.tools, file_search=True, search=_search(said))
        _leave_ids(draft, "vector_store", said.get("vector_store_ids"))
        if said.get("filters"):
            draft.leave("file_search", "filters", "here, filters are patterns of paths")
    elif kind.startswith("web_search"):
        draft.tools = replace(draft.tools, web_search=True)
        _leave_options(draft, said, "web_search")
    elif kind == "code_interpreter":
        draft.tools = replace(draft.tools, code_interpreter=True)
        container = said.get("container")
        _leave_ids(draft, "file", mapping(container).get("file_ids"))
        if isinstance(container, str):
            draft.leave("container", container, "each run has one of its own")
    elif kind == "function":
        function = mapping(said.get("function")) or said
        called = written(function.get("name"))
        draft.leave("function", called, "assistants can't call your functions")
    elif kind == "mcp":
        called = written(said.get("server_label"))
        draft.leave("mcp", called, "definitions have no such tool")
    else:
        draft.leave("tool", kind or "unknown", "there is no such tool")


def _leave_ids(draft: Draft, kind: str, ids: object) -> None:
    for each in ids if isinstance(ids, list) else []:
        draft.leave(kind, written(each), NO_CONTENT)


def _leave_options(draft: Draft, tool: Mapping[str, Any], kind: str) -> None:
    usual = {"search_context_size": "medium"}
    for key, value in tool.items():
        if key != "type" and value is not None and usual.get(key) != value:
            draft.leave(kind, key, "definitions have no such setting")


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
