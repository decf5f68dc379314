"""Response objects and their output items."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from .outcomes import Ending
from .prompt_cache import CacheUse
from .wire import Json, new_id, now

_ECHOED: Json = {
    "background": False, "instructions": None, "max_output_tokens": None, "max_tool_calls": None,
    "metadata": {}, "model": None, "parallel_tool_calls": True, "previous_response_id": None,
    "prompt_cache_key": None, "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None, "service_tier": "default", "store": True, "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"}, "tool_choice": "auto",
    "tools": [], "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled", "user": None,
}  # fmt: skip


def output_items(ending: Ending, text: str) -> list[Json]:
    """The messages of a response that ends so."""
    if ending.status == "failed":
        return []
    if ending.refusal is not None:
        return [_message([{"type": "refusal", "refusal": ending.refusal}], ending.status)]
    if ending.items and not text:
        return list(ending.items)
    calls = [_call(name, arguments) for name, arguments in ending.calls]
    if calls and not text:
        return calls
    final = _message([_text_part(text, ending.citations)], ending.status)
    if ending.commentary is None:
        return [*ending.items, final, *calls]
    aside = _message([_text_part(ending.commentary)], "completed")
    return [aside | {"phase": "commentary"}, final | {"phase": "final_answer"}]


def _call(name: str, arguments: str) -> Json:
    return {
        "id": new_id("fc_"), "type": "function_call", "call_id": new_id("call_"),
        "name": name, "arguments": arguments, "status": "completed",
    }  # fmt: skip


def _message(content: list[Json], status: str) -> Json:
    return {
        "id": new_id("msg_"), "type": "message", "role": "assistant", "status": status,
        "content": content,
    }  # fmt: skip


def _text_part(text: str, citations: tuple[Json, ...] = ()) -> Json:
    return {"type": "output_text", "text": text, "annotations": list(citations), "logprobs": []}


def response_object(
    body: Json,
    ending: Ending,
    output: list[Json],
    use: CacheUse,
    tokenizer: Callable[[str], int] | None = None,
) -> Json:
    """A response at its end, with what was asked in it, and what it is billed for."""
    echoed = {key: body.get(key) for key in _ECHOED if body.get(key) is not None}
    reason = ending.incomplete_reason
    return _ECHOED | echoed | {
        "id": new_id("resp_"), "object": "response", "created_at": now(),
        "completed_at": now() if ending.status == "completed" else None,
        "status": ending.status, "error": ending.error,
        "incomplete_details": {"reason": reason} if reason else None,
        "conversation": {"id": conversation_id(body)} if conversation_id(body) else None,
        "output": output,
        "usage": None if ending.status == "failed" else _usage(use, output, tokenizer),
    }  # fmt: skip


def conversation_id(body: Json) -> str | None:
    given = body.get("conversation")
    return given.get("id") if isinstance(given, dict) else given


def _usage(use: CacheUse, output: list[Json], tokenizer: Callable[[str], int] | None) -> Json:
    """Half of the output was reasoning, so that it is seen."""
    made = count_tokens({"input": output}, tokenizer)
    return {
        "input_tokens": use.given,
        "input_tokens_details": {
            "cached_tokens": use.cached, "cache_write_tokens": use.written,
        },
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": made // 2},
        "total_tokens": use.given + made,
    }  # fmt: skip


def count_tokens(body: Json, tokenizer: Callable[[str], int] | None = None) -> int:
    """Tokens of instructions, input and tools; without a tokenizer, at four characters each."""
    texts = [text for key in ("instructions", "input") for text in _texts(body.get(key))]
    texts += [json.dumps(body["tools"])] if body.get("tools") else []
    if tokenizer is not None:
        return sum(map(tokenizer, texts))
    return (sum(map(len, texts)) + 3) // 4


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key in ("content", "text", "refusal"):
            yield from _texts(value.get(key))
