"""OpenAI's prompt cache from GPT-5.6 on: what is written to it, what is found in it, and the bill.

A breakpoint ends a prefix of the prompt. One of 1,024 tokens and more is written, and found by the
next request that has a breakpoint there. Without `mode: explicit` there is one at the end of the
newest message as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .wire import ApiError, Json

SHORTEST = 1024  # tokens
_CHARACTERS = 4  # of a token
_MOST_WRITTEN = 4
_MOST_MATCHED = 80
# In prices of an input token.
_FROM_CACHE, _INTO_CACHE = 0.1, 1.25


def bill(input_tokens: int, cached: int, written: int) -> float:
    """What the input of requests costs, in prices of an input token."""
    plain = input_tokens - cached - written
    return plain + _FROM_CACHE * cached + _INTO_CACHE * written


@dataclass(frozen=True)
class CacheUse:
    """Tokens of one request: all of its input, from the cache, and into it."""

    given: int
    cached: int
    written: int


def use_cache(kept: set[str], body: Json, earlier: Sequence[Json]) -> CacheUse:
    """Write to a cache what a request has written, and count.

    Args:
        kept: the prefixes in the cache.
        body: of the request.
        earlier: the items of its conversation.
    """
    explicit = (body.get("prompt_cache_options") or {}).get("mode") == "explicit"
    blocks = list(_blocks(body, earlier))
    ends = [number for number, (_, marked) in enumerate(blocks) if marked]
    writes = ends[-_MOST_WRITTEN:]
    if not explicit:
        writes = [*ends[-_MOST_WRITTEN + 1 :], len(blocks) - 1]
    digest = hashlib.sha256(str(body.get("model")).encode())
    prefixes, lengths, characters = [], [], 0
    for block, _ in blocks:
        digest.update(block.encode("utf-8", "replace"))
        prefixes.append(digest.hexdigest())
        characters += len(block)
        lengths.append((characters + _CHARACTERS - 1) // _CHARACTERS)
    matched = ends[-_MOST_MATCHED:] if explicit else [*ends[-_MOST_MATCHED:], *writes]
    found = [lengths[end] for end in matched if prefixes[end] in kept]
    cached = max(found, default=0)
    new = [end for end in writes if lengths[end] >= SHORTEST]
    written = max(lengths[end] for end in new) - cached if new else 0
    kept.update(prefixes[end] for end in new)
    return CacheUse(lengths[-1], cached, max(written, 0))


def _blocks(body: Json, earlier: Sequence[Json]) -> Iterator[tuple[str, bool]]:
    """The pieces of a prompt in the order of the model's reading, and whether each is marked."""
    around = [json.dumps(body[name]) for name in ("tools", "text") if body.get(name)]
    yield "".join(around) + (body.get("instructions") or ""), False
    given = body.get("input") or []
    items: list[Json] = [{"content": given}] if isinstance(given, str) else given
    for item in (*earlier, *items):
        content = item.get("content") or ""
        parts: list[Any] = [{"text": content}] if isinstance(content, str) else content
        for part in parts:
            marked = part.get("prompt_cache_breakpoint")
            if marked and marked.get("mode") != "explicit":
                raise ApiError(400, "Invalid 'prompt_cache_breakpoint'.", param="input")
            yield _text(part), bool(marked)


def _text(part: Any) -> str:
    return str(part.get("text") or part.get("refusal") or "")
