"""Which tools a server has, and which ones it silently ignores, as its responses show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gptasst.api.capabilities import PARAMETERS, Capability
from gptasst.api.failures import words_of
from gptasst.api.http import StatusFailure
from gptasst.api.types import (
    Endpoint,
    ModelRequest,
)
from gptasst.config.urls import is_openai_or_azure
from gptasst.errors import UsageError

# The API's name of each tool.
TOOL_TYPES: Mapping[Capability, str] = {
    "web search": "web_search",
    "code interpreter": "code_interpreter",
    "file search": "file_search",
    "remote MCP": "mcp",
    "function tools": "function",
}
# The definition's key for each setting.
SETTING_KEYS: Mapping[Capability, str] = {
    "verbosity": "verbosity",
    "reasoning summaries": "reasoning_summary",
    "service tiers": "service_tier",
    "tool call limits": "max_tool_calls",
    "tool choice": "tool_choice",
    "compaction": "context_management",
    "safety identifiers": "safety_identifier",
}
# OpenAI documents all of them; Azure has them at its /openai/v1.
_ALL: tuple[Capability, ...] = (*TOOL_TYPES, *PARAMETERS, "previous response", "documents")

# llama.cpp's `Server` header. It accepts hosted tools and ignores them.
_LLAMA: Mapping[Capability, bool] = {
    "function tools": True,
    "web search": False,
    "code interpreter": False,
    "file search": False,
    "remote MCP": False,
    "previous response": False,
    "documents": False,
}
# Pydantic's message, which OGX sends for an invalid request.
_NO_SUCH_TAG = re.compile(r"Input tag '(\w+)' found using 'type' does not match")
_TAGS = re.compile(r"of the expected tags: ([\w', ]*)")
# Tools that a server accepts without having them, such as OGX without a provider. vLLM and Ollama
# also repeat them in their responses.
_RUN_ELSEWHERE = ("web search", "code interpreter")
_LACKS = re.compile(
    r"not found|not supported|unsupported|does ?n[o']t support|does not match|not available"
    r"|unknown|unrecognized|not permitted|invalid value|not enabled|not implemented"
)
_STORE = re.compile(r"\bvs_\w+")  # the vector store is missing, not the tool
_LONG = 200  # characters; anything longer is a dump, not a message
_REFUSALS = (400, 404, 422, 501)


def documented(base_url: str) -> dict[Capability, bool]:
    """The tools that a server documents."""
    return dict.fromkeys(_ALL, True) if is_openai_or_azure(base_url) else {}


def told_by_headers(headers: Mapping[str, str]) -> Mapping[Capability, bool]:
    """The tools known from the `Server` header of a response."""
    return _LLAMA if headers.get("server", "").lower().startswith("llama.cpp") else {}


def told_by_refusal(error: StatusFailure) -> dict[Capability, bool]:
    """The tools known from the refusal of an empty request with every tool."""
    found = dict(told_by_headers(error.response.headers))
    words = words_of(error) or ""
    refused, takes = _NO_SUCH_TAG.findall(words), "".join(_TAGS.findall(words))
    for name, kind in TOOL_TYPES.items():
        if kind in refused:
            found[name] = False
        elif f"'{kind}'" in takes and name not in _RUN_ELSEWHERE:
            found[name] = True
    return found


def every_tool() -> list[dict[str, Any]]:
    """One tool of each kind, for a request that runs nothing."""
    return [
        {"type": "web_search"},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "file_search", "vector_store_ids": ["vs_0"]},
        {
            "type": "function",
            "name": "nothing",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
    ]


def hosted_tools(request: ModelRequest) -> tuple[Capability, ...]:
    """The hosted tools that a request offers to the model."""
    wanted: dict[Capability, bool] = {
        "web search": request.web_search,
        "code interpreter": request.code_interpreter,
        "file search": request.vector_store_id is not None,
        "remote MCP": bool(request.mcp),
    }
    return tuple(name for name, there in wanted.items() if there)


def sent_parameters(request: ModelRequest) -> dict[Capability, tuple[str, Any]]:
    """The settings of a request that a server may lack: where each is in the body, and its value.

    What makes no sense in a request is not among them: a choice of tools where none is offered or
    one was called already, and the compaction of a conversation that the server does not keep.
    """
    settings = request.settings
    offered = bool(hosted_tools(request) or request.functions)
    found: dict[Capability, tuple[str, Any]] = {
        "verbosity": ("text.verbosity", settings.verbosity),
        "reasoning summaries": ("reasoning.summary", settings.reasoning_summary),
        "service tiers": ("service_tier", settings.service_tier),
        "tool call limits": ("max_tool_calls", settings.max_tool_calls if offered else None),
        "tool choice": ("tool_choice", _tool_choice(request) if offered else None),
        "safety identifiers": ("safety_identifier", request.safety_identifier),
    }
    if request.conversation_id and settings.compact_threshold is not None:
        compaction = {"type": "compaction", "compact_threshold": settings.compact_threshold}
        found["compaction"] = ("context_management", [compaction])
    return {name: (path, value) for name, (path, value) in found.items() if value is not None}


def _tool_choice(request: ModelRequest) -> str | dict[str, str] | None:
    chosen = request.settings.tool_choice
    if chosen is None or request.answered or request.calls_over:
        return None
    kind, _, label = chosen.partition(":")
    if label:
        return {"type": kind, "server_label": label}
    there = {"file_search": request.vector_store_id, "code_interpreter": request.code_interpreter}
    if kind not in there:
        return chosen
    return {"type": kind} if there[kind] else None


def shown_parameters(
    request: ModelRequest, response: Any, known: Mapping[Capability, bool]
) -> dict[Capability, bool | None]:
    """Whether each setting that was sent is there, as a response shows; `None` if it does not.

    A server that has one repeats it in its response, though not always with the same value.
    """
    shown: dict[Capability, bool | None] = {}
    for name, (path, _) in sent_parameters(request).items():
        if name == "compaction":
            continue  # which no response repeats
        value = response
        for part in path.split("."):
            value = getattr(value, part, None)
        shown[name] = True if value is not None else known.get(name)
    return shown


def shown_tools(
    asked: Iterable[Capability], echoed: object, seen: str, known: Mapping[Capability, bool]
) -> dict[Capability, bool | None]:
    """Whether each offered tool is there, as an answer shows; `None` if it does not show.

    Args:
        asked: the offered tools.
        echoed: the tools that the response repeats, if it does.
        seen: the response's tools and items, as JSON.
        known: the tools of this server, as far as they are certain.
    """
    shown: dict[Capability, bool | None] = {}
    for name in asked:
        kind = TOOL_TYPES[name]
        if f'"{kind}_call' in seen or (f'"{kind}' in seen and name not in _RUN_ELSEWHERE):
            shown[name] = True
        elif f'"{kind}' in seen:
            shown[name] = known.get(name)
        else:
            # A server that repeats the other tools, but not this one, has ignored it.
            shown[name] = known.get(name, False if echoed else None)
    return shown


class ToolRefused(UsageError):
    """A server refused a request because of `tool`."""

    def __init__(self, tool: Capability, message: str) -> None:
        super().__init__(message, code="tool_not_available")
        self.tool = tool


def refused_tool(words: str, request: ModelRequest, endpoint: Endpoint) -> ToolRefused | None:
    """The error for a request that was refused because of a tool; `None` for other errors."""
    if not _LACKS.search(words.lower()) or _STORE.search(words):
        return None
    for name in hosted_tools(request):
        if re.search(rf"\b{TOOL_TYPES[name]}(_preview)?\b", words):
            return _refusal(name, words, endpoint)
    for name, (path, _) in sent_parameters(request).items():
        if re.search(rf"\b{re.escape(path)}\b|['\"`]{path.rpartition('.')[2]}['\"`]", words):
            return _refusal(name, words, endpoint)
    return None


def _refusal(name: Capability, words: str, endpoint: Endpoint) -> ToolRefused:
    said, short = f"{endpoint.name} {lacks(name)}", " ".join(words.split())
    return ToolRefused(name, said if len(short) > _LONG else f"{said}: {short}")


def could_be_tool(status: int) -> bool:
    """Whether a status may mean that a tool was refused."""
    return status in _REFUSALS


def lacks(name: Capability) -> str:
    """What follows a server's name where it lacks a tool or a setting."""
    if name in SETTING_KEYS:
        return f"does not take `{SETTING_KEYS[name]}`"
    return f"does not have {article(name)}"


def article(tool: Capability) -> str:
    """A tool's name with its article, for a sentence."""
    return "a code interpreter" if tool == "code interpreter" else tool
