"""What goes out: the client of an endpoint, and a request as the Responses API wants it."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx2
import openai

from gptasst.api.http_client import LimitedClient
from gptasst.api.limits import patience
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
from gptasst.errors import UsageError
from gptasst.hints import install_command
from gptasst.inputs.encoding import as_utf8

# The SDK sends nothing without a key; what stands in for one does not leave this machine.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_NO_KEY = "no key"


def make_client(endpoint: Endpoint) -> openai.OpenAI:
    """An SDK client that sends this endpoint its own key and headers and nobody else's."""
    headers = {} if endpoint.openai_environment else _nothing_of_openai(endpoint.api_key)
    headers.update(endpoint.headers)
    has_own = any(name.lower() == "authorization" for name in endpoint.headers)
    base_url, login = _without_login(endpoint.base_url)
    base_url, query = _without_query(base_url)
    known = endpoint.api_key or has_own or login
    hooks = [send_in_blocks] if known else [send_in_blocks, _drop_key]
    return openai.OpenAI(
        base_url=base_url,
        api_key=endpoint.api_key or _NO_KEY,
        admin_api_key="",
        default_headers=headers,
        default_query=query,
        timeout=patience(endpoint.silence, endpoint.timeout),
        http_client=_http_client(endpoint, base_url, login, hooks),
    )


def _without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """A URL without user and password, so that neither errors nor logs have them; and these."""
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    if not userinfo:
        return url, None
    user, _, password = userinfo.partition(":")
    return parts._replace(netloc=host).geturl(), (unquote(user), unquote(password))


def _without_query(url: str) -> tuple[str, dict[str, object]]:
    """A URL without its query, which goes with each request: `api-version` at Azure."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    return parts._replace(query="", fragment="").geturl(), dict(query)


def _http_client(
    endpoint: Endpoint,
    base_url: str,
    login: tuple[str, str] | None,
    hooks: list[Callable[..., Any]],
) -> LimitedClient:
    try:
        return LimitedClient(
            base_url,
            endpoint.on_moved,
            trust_env=not endpoint.embedded,  # a proxy has no business with our own server
            event_hooks={"request": hooks},
            auth=login,
            follow_redirects=False,  # what is sent is for the server that was named
        )
    except ImportError:
        raise UsageError(
            "a proxy variable names a SOCKS proxy, and support for those is not installed",
            hint=f"{install_command('socks')} installs it",
            code="bad_proxy",
        ) from None
    except OSError as error:  # of OpenSSL's own, too
        raise _bad_certificates(error) from error
    except (ValueError, httpx2.InvalidURL):
        raise UsageError(
            "a proxy variable holds what is not the URL of a proxy",
            hint="look at HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
            code="bad_proxy",
        ) from None  # its words may hold the password


def _bad_certificates(error: OSError) -> UsageError:
    """The error of certificates that can't be read, with the variable that names them."""
    named = {name: os.environ[name] for name in _CERTIFICATES if os.environ.get(name)}
    missing = [name for name, path in named.items() if not os.path.exists(path)]
    variable = next(iter(missing or named), None)
    if variable is None:
        return UsageError(f"certificates can't be read: {error}")
    problem = "which is not there" if missing else f"which can't be used: {error.strerror or error}"
    return UsageError(
        f"{variable} is `{named[variable]}`, {problem}",
        hint=f"{variable} names a file of certificates, in PEM; without it the usual ones are used",
        code="bad_value",
        variable=variable,
    )


def _nothing_of_openai(api_key: str | None) -> dict[str, Any]:
    """Headers that keep what the environment holds for OpenAI from other servers.

    Headers, as copies of a client read the environment again.
    """
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
    names = {line.partition(":")[0].strip() for line in lines}
    names |= {"OpenAI-Organization", "OpenAI-Project"}
    headers: dict[str, Any] = {
        name: openai.Omit() for name in names if name and name.lower() != "authorization"
    }
    return headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})


def _drop_key(request: Any) -> None:
    request.headers.pop("Authorization", None)


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


_BLOCK = 256 * 1024


def send_in_blocks(request: httpx2.Request) -> None:
    """Have a form sent in blocks; it would go out piece by piece, with a write each.

    With many small files in many threads these writes are most of what an upload costs.
    """
    stream = request.stream
    is_form = request.headers.get("Content-Type", "").startswith("multipart/")
    if is_form and isinstance(stream, httpx2.SyncByteStream):
        request.stream = _Blocks(stream)


class _Blocks(httpx2.SyncByteStream):
    """The bytes of a stream, joined until they fill a block."""

    def __init__(self, pieces: httpx2.SyncByteStream) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        block = bytearray()
        for piece in self._pieces:
            block += piece
            if len(block) >= _BLOCK:
                yield bytes(block)
                block.clear()
        if block:
            yield bytes(block)

    def close(self) -> None:
        self._pieces.close()
