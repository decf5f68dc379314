"""A request as the Responses API wants it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gptasst.api.prompt_cache import add_breakpoints
from gptasst.api.types import (
    AnsweredCall,
    Endpoint,
    FilePart,
    FunctionTool,
    ModelRequest,
    PastMessage,
    TextPart,
)
from gptasst.definitions.types import SearchSettings
from gptasst.inputs.encoding import as_utf8


def request_body(request: ModelRequest, endpoint: Endpoint) -> dict[str, Any]:
    """The body of `POST /responses` for a request.

    Nothing is stored on the server unless it keeps the conversation: with `store` false an
    answer is not added to it.
    """
    settings = request.settings
    asked = PastMessage("user", request.parts)
    body: dict[str, Any] = {
        "model": request.model,
        "instructions": request.instructions,
        "input": [
            *(message_item(message) for message in (*request.past, asked)),
            *(item for answered in request.answered for item in _call_items(answered)),
        ],
    }
    if request.conversation_id:
        body["conversation"] = request.conversation_id
    else:
        body["store"] = False
    for name in ("temperature", "top_p", "max_output_tokens"):
        if getattr(settings, name) is not None:
            body[name] = getattr(settings, name)
    if settings.reasoning_effort is not None:
        body["reasoning"] = {"effort": settings.reasoning_effort}
    body.update(_tool_fields(request))
    if request.schema is not None:
        body.update(_schema_fields(request.schema, endpoint))
    if request.breakpoints:
        add_breakpoints(body, request)
    return body


def _tool_fields(request: ModelRequest) -> dict[str, Any]:
    tools: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    if request.vector_store_id:
        tool = {"type": "file_search", "vector_store_ids": [request.vector_store_id]}
        tools.append(tool | _search_fields(request.search, request.search_paths))
        fields["include"] = ["file_search_call.results"]
    if request.code_interpreter:
        tools.append({"type": "code_interpreter", "container": {"type": "auto"}})
    if request.web_search:
        tools.append({"type": "web_search"})
    tools += [_function(function) for function in request.functions]
    if tools:
        fields["tools"] = tools
    if request.functions and request.calls_over:
        fields["tool_choice"] = "none"
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
    """The filter of a vector store that only files of these paths pass."""
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
    """A call and its output, without the ids of a server that has kept nothing of them."""
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
    if message.role == "assistant":  # the one form of an answer that every server takes
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
    """Whether a JSON Schema keeps the rules of strict mode: closed objects, all required."""
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
