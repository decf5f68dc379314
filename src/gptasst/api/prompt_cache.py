"""Which part of a request the server keeps for the next one, so that it is billed for less.

From GPT-5.6 on, OpenAI bills what it writes into its cache at 1.25 times the price of input. By
default it writes every request of 1,024 tokens and more to its end, where hardly any other goes
on. With `explicit` it writes up to the breakpoints that a request has, and nothing without any. A
written part is found again at a breakpoint, for half an hour.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from gptasst.api.types import ModelRequest

_VERSION = re.compile(r"(?:^|[/:])gpt-(\d+)(?:\.(\d+))?(?![\d.])")
_FIRST = (5, 6)
# Shorter ones are not kept: 1,024 tokens have at least so many characters in most texts.
_SHORTEST = 3072
_BREAKPOINT = {"mode": "explicit"}
_KEPT_TURNS = 2  # the one that was written last, and the newest


def takes_breakpoints(model: str) -> bool:
    """Whether a model of OpenAI's is known to take them: GPT-5.6 and later."""
    found = _VERSION.search(model.lower())
    return found is not None and (int(found[1]), int(found[2] or 0)) >= _FIRST


def add_breakpoints(body: dict[str, Any], request: ModelRequest) -> None:
    """Have the server keep what the next requests begin with, and nothing else.

    That is all of a conversation, as its next turn repeats it, and so does the next request of a
    model that was offered functions. Of many runs it is what they share, if that is long: the
    instructions, or the examples that come before what is asked.

    Args:
        body: of `POST /responses`; it is changed.
        request: what it was made of.
    """
    body["prompt_cache_options"] = {"mode": "explicit"}
    body["prompt_cache_key"] = _key(request)
    if request.past or request.conversation_id or request.functions:
        asked = [item for item in body["input"] if item.get("role") == "user"]
        examples = request.past and request.of_many  # and what is asked now is asked once
        for message in asked[-_KEPT_TURNS : -1 if examples else None]:
            message["content"][-1]["prompt_cache_breakpoint"] = _BREAKPOINT
    elif request.of_many and request.instructions and _shared_length(body) >= _SHORTEST:
        # `instructions` is text, and only a part of a message can have a breakpoint.
        part = {"type": "input_text", "text": body.pop("instructions")}
        part["prompt_cache_breakpoint"] = _BREAKPOINT
        body["input"].insert(0, {"type": "message", "role": "developer", "content": [part]})


def _shared_length(body: dict[str, Any]) -> int:
    """Characters of what all runs of a definition begin with: tools, schema and instructions."""
    around = (body[name] for name in ("tools", "text") if name in body)
    return len(body["instructions"]) + sum(len(json.dumps(value)) for value in around)


def _key(request: ModelRequest) -> str:
    """The same for all requests of one definition: they go to where its beginning is kept."""
    schema = json.dumps(request.schema, sort_keys=True) if request.schema else ""
    told = f"{schema}\n{request.instructions}".encode("utf-8", "replace")
    return f"gptasst-{hashlib.sha256(told).hexdigest()[:32]}"
