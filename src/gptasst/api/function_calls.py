"""The function calls in an answer, and how servers refuse functions."""

from __future__ import annotations

import re
from typing import Any

from gptasst.api.events import Event
from gptasst.api.types import FunctionCall
from gptasst.errors import GptasstError

# Ollama: "… does not support tools"; vLLM: '"auto" tool choice requires …'; llama.cpp: "tools param
# requires --jinja flag"; others refuse `function_call` items or the field `tools`.
_ABOUT_FUNCTIONS = re.compile(r"\btools?\b|\btool[_ -]|\bfunctions?\b|\bfunction[_ -]call|--jinja")
_REFUSALS = ("bad_request", "service_error", "failed", "no_endpoint")


def function_calls(output: object) -> tuple[FunctionCall, ...]:
    """The calls among the items of a response; those that can't be answered are left out."""
    items: Any = output if isinstance(output, list) else ()
    found = []
    for item in items:
        if not (isinstance(item, Event) and item.type == "function_call"):
            continue
        ident = item.call_id or item.id
        if isinstance(ident, str) and isinstance(item.name, str):
            found.append(FunctionCall(ident, item.name, _arguments(item.arguments)))
    return tuple(found)


def _arguments(value: object) -> str:
    return value if isinstance(value, str) else ""


def refuses_functions(error: GptasstError) -> bool:
    """Whether a server's words say that it is the functions that it does not take."""
    return error.code in _REFUSALS and bool(_ABOUT_FUNCTIONS.search(error.message.lower()))
