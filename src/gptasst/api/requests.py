"""Request bodies of the Responses API, and which part of them the server caches.

From GPT-5.6 on, OpenAI bills cache writes at 1.25 times the price of input. By default it caches
every request of 1,024 tokens and more up to its end, which hardly any other request repeats. With
`explicit` it caches up to the breakpoints in a request, and nothing without one. A cached prefix
is found again at a breakpoint, for half an hour.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gptasst.api.tools import sent_parameters
from gptasst.api.types import (
    AnsweredCall,
    Endpoint,
    FilePart,
    FunctionTool,
    ModelRequest,
    PastMessage,
    TextPart,
)
from gptasst.definitions.types import CodeSettings, McpServer, SearchSettings, WebSettings
from gptasst.inputs.encoding import as_utf8

_VERSION = re.compile(r"(?:^|[/:])gpt-(\d+)(?:\.(\d+))?(?![\d.])")
_FIRST = (5, 6)
# Shorter prefixes are not cached: in most texts 1,024 tokens have at least this many characters.
_SHORTEST = 3072
_BREAKPOINT = {"mode": "explicit"}
_KEPT_TURNS = 2  # the last one that was cached, and the newest


def takes_breakpoints(model: str) -> bool:
    """Whether a model of OpenAI's supports breakpoints: GPT-5.6 and later."""
    found = _VERSION.search(model.lower())
    return found is not None and (int(found[1]), int(found[2] or 0)) >= _FIRST


def add_breakpoints(body: dict[str, Any], request: ModelRequest) -> None:
    """Have the server cache only the prefix that later requests repeat.

    For a conversation, and for a model that was offered functions, that is everything, because the
    next request repeats it. For many runs it is what they share, if that is long enough: the
    instructions, or the examples before the question.

    Args:
        body: the body of `POST /responses`; it is changed.
        request: the request that it was made from.
    """
    body["prompt_cache_options"] = {"mode": "explicit"}
    body["prompt_cache_key"] = _key(request)
    if request.past or request.conversation_id or request.functions:
        asked = [item for item in body["input"] if item.get("role") == "user"]
        examples = request.past and request.of_many  # and the current question is sent once
        for message in asked[-_KEPT_TURNS : -1 if examples else None]:
            message["content"][-1]["prompt_cache_breakpoint"] = _BREAKPOINT
    elif request.of_many and request.instructions and _shared_length(body) >= _SHORTEST:
        # `instructions` is plain text, and only a part of a message can have a breakpoint.
        part = {"type": "input_text", "text": body.pop("instructions")}
        part["prompt_cache_breakpoint"] = _BREAKPOINT
        body["input"].insert(0, {"type": "message", "role": "developer", "content": [part]})


def _shared_length(body: dict[str, Any]) -> int:
    """Characters of the prefix that all runs of a definition share: tools, schema, instructions."""
    around = (body[name] for name in ("tools", "text") if name in body)
    return len(body["instructions"]) + sum(len(json.dumps(value)) for value in around)


def _key(request: ModelRequest) -> str:
    """The cache key, the same for all requests of one definition."""
    import hashlib

    schema = json.dumps(request.schema, sort_keys=True) if request.schema else ""
    told = f"{schema}\n{request.instructions}".encode("utf-8", "replace")
    return f"gptasst-{hashlib.sha256(told).hexdigest()[:32]}"


def request_body(request: ModelRequest, endpoint: Endpoint) -> dict[str, Any]:
    """The body of `POST /responses` for a request.

    The server stores nothing unless it keeps the conversation: with `store = false` an answer is
    not added to one.
    """
    settings = request.settings
    asked = PastMessage("user", request.parts)
    body: dict[str, Any] = {
        "model": request.model,
        "instructions": request.instructions,
        "input": [
            *(message_item(message) for message in (*request.past, asked) if message.parts),
            *(item for answered in request.answered for item in _call_items(answered)),
            *request.carried,
        ],
    }
    if request.conversation_id:
        body["conversation"] = request.conversation_id
    else:
        body["store"] = False
    for name in ("temperature", "top_p", "max_output_tokens"):
        if getattr(settings, name) is not None:
            body[name] = getattr(settings, name)
    reasoning = {"effort": settings.reasoning_effort, "summary": settings.reasoning_summary}
    if any(reasoning.values()):
        body["reasoning"] = {key: value for key, value in reasoning.items() if value}
    body.update(_tool_fields(request))
    if request.schema is not None:
        body.update(_schema_fields(request.schema, endpoint))
    _add_parameters(body, request)
    if request.breakpoints:
        add_breakpoints(body, request)
    if request.slot is not None:
        body["id_slot"] = request.slot
    return body


def _add_parameters(body: dict[str, Any], request: ModelRequest) -> None:
    """Add what is sent of the newer settings, each where the API has it."""
    for name, (path, value) in sent_parameters(request).items():
        if name != "reasoning summaries":  # beside the effort, where that is
            first, _, second = path.partition(".")
            if second:
                body.setdefault(first, {})[second] = value
            else:
                body[first] = value


def _tool_fields(request: ModelRequest) -> dict[str, Any]:
    tools: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    if request.vector_store_id:
        tool = {"type": "file_search", "vector_store_ids": [request.vector_store_id]}
        tools.append(tool | _search_fields(request.search, request.search_paths))
        fields["include"] = ["file_search_call.results"]
    if request.code_interpreter:
        tools.append({"type": "code_interpreter", "container": _container(request.code)})
    if request.web_search:
        tools.append({"type": "web_search"} | _web_fields(request.web))
    tools += [_mcp(server, request.mcp_keys.get(server.label)) for server in request.mcp]
    tools += [_function(function) for function in request.functions]
    if tools:
        fields["tools"] = tools
    if request.functions and request.calls_over:
        fields["tool_choice"] = "none"
    return fields


def _container(code: CodeSettings) -> dict[str, Any]:
    container: dict[str, Any] = {"type": "auto"}
    if code.memory is not None:
        container["memory_limit"] = code.memory
    if code.network is False:
        container["network_policy"] = {"type": "disabled"}
    return container


def _web_fields(web: WebSettings) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if web.allowed_domains:
        fields["filters"] = {"allowed_domains": list(web.allowed_domains)}
    if web.context_size is not None:
        fields["search_context_size"] = web.context_size
    keys = ("country", "region", "city", "timezone")
    place = {key: value for key in keys if (value := getattr(web, key)) is not None}
    if place:
        fields["user_location"] = {"type": "approximate", **place}
    return fields


def _mcp(server: McpServer, key: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "type": "mcp",
        "server_label": server.label,
        "server_url": server.url,
        "require_approval": server.approval,
    }
    if server.description:
        fields["server_description"] = server.description
    if server.allowed_tools:
        fields["allowed_tools"] = list(server.allowed_tools)
    if key:
        fields["authorization"] = key
    return fields


def _search_fields(search: SearchSettings, paths: tuple[str, ...] | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if search.max_results is not None:
        fields["max_num_results"] = search.max_results
    ranking: dict[str, Any] = {}
    if search.score_threshold is not None:
        ranking["score_threshold"] = search.score_threshold
    if search.text_weight is not None:
        weights = {"embedding_weight": 1 - search.text_weight, "text_weight": search.text_weight}
        ranking["hybrid_search"] = weights
    if ranking:
        fields["ranking_options"] = ranking
    if paths is not None:
        fields["filters"] = path_filter(paths)
    return fields


def path_filter(paths: Sequence[str]) -> dict[str, Any]:
    """The vector store filter that selects the files at these paths."""
    return {"type": "in", "key": "path", "value": list(paths)}


def _function(function: FunctionTool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": function.name,
        "description": function.description,
        "parameters": function.parameters,
        "strict": True,
    }


def _call_items(answered: AnsweredCall) -> Iterator[dict[str, Any]]:
    """A call and its output, without ids, because the server stored neither."""
    call = answered.call
    yield {
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": as_utf8(call.arguments),
    }
    output = as_utf8(answered.output)
    yield {"type": "function_call_output", "call_id": call.id, "output": output}


def message_item(message: PastMessage) -> dict[str, Any]:
    """A message as an input item."""
    if message.role == "assistant":  # the only form of an answer that every server accepts
        texts = [part.text for part in message.parts if isinstance(part, TextPart)]
        return {"type": "message", "role": "assistant", "content": as_utf8("".join(texts))}
    content = [_content(part) for part in message.parts]
    return {"type": "message", "role": "user", "content": content}


def _content(part: TextPart | FilePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": as_utf8(part.text)}
    if part.kind == "image":
        if part.file_id:
            return {"type": "input_image", "detail": "auto", "file_id": part.file_id}
        return {"type": "input_image", "detail": "auto", "image_url": _data_url(part)}
    if part.file_id:
        return {"type": "input_file", "file_id": part.file_id}
    filename = as_utf8(part.filename)
    return {"type": "input_file", "filename": filename, "file_data": _data_url(part)}


def _data_url(part: FilePart) -> str:
    assert part.data is not None
    return f"data:{part.media_type};base64,{base64.b64encode(part.data).decode('ascii')}"


def _schema_fields(schema: Mapping[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    strict = _is_strict(schema)
    if endpoint.embedded:
        # llama.cpp's /v1/responses ignores `text.format` and takes the older field.
        wrapped = {"name": "answer", "schema": schema, "strict": strict}
        field = {"type": "json_schema", "json_schema": wrapped}
        return {"response_format": field}
    form = {"type": "json_schema", "name": "answer", "schema": schema, "strict": strict}
    return {"text": {"format": form}}


def _is_strict(schema: Any) -> bool:
    """Whether a JSON Schema follows the rules of strict mode: closed objects, all required."""
    if isinstance(schema, list):
        return all(_is_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    if "properties" in schema or schema.get("type") == "object":
        required = set(schema.get("required", ()))
        if schema.get("additionalProperties") is not False:
            return False
        if set(schema.get("properties", ())) != required:
            return False
    return all(_is_strict(value) for value in schema.values())
