"""A search that is good enough for tests: a chunk scores by the share of the words it holds."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from .indexing import find_store, status
from .wire import ApiError, Json, new_id
from .world import Attachment, Store, World, last_input_text

_CHUNK = 800
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "gte": operator.ge,
    "lt": operator.lt, "lte": operator.le,
    "in": lambda value, wanted: value in wanted, "nin": lambda value, wanted: value not in wanted,
}  # fmt: skip


def search(
    world: World, store: Store, query: str, *, limit: int, filters: Json | None
) -> list[Json]:
    """The best chunks of the indexed files that pass the filters, best first."""
    words = _words(query)
    found = [
        _result(attachment, chunk, len(words & _words(chunk)) / len(words))
        for attachment in store.files.values()
        if not attachment.lost_passages
        and status(world, attachment) == "completed"
        and passes(attachment.attributes, filters)
        for chunk in _chunks(attachment)
        if words & _words(chunk)
    ]
    return sorted(found, key=lambda result: -result["score"])[:limit]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _chunks(attachment: Attachment) -> Iterator[str]:
    text = attachment.file.data.decode(errors="replace")
    for start in range(0, len(text), _CHUNK):
        yield text[start : start + _CHUNK]


def _result(attachment: Attachment, text: str, score: float) -> Json:
    return {
        "file_id": attachment.file.about["id"],
        "filename": attachment.file.about["filename"],
        "score": round(score, 4),
        "attributes": attachment.attributes,
        "text": text,
    }


def passes(attributes: Json, filters: Json | None) -> bool:
    """Whether a comparison, or a compound of them, holds; a missing key passes ne and nin only."""
    if not filters:
        return True
    kind = filters["type"]
    if kind in ("and", "or"):
        results = [passes(attributes, part) for part in filters["filters"]]
        return all(results) if kind == "and" else any(results)
    if kind not in _COMPARISONS:
        raise ApiError(400, f"Invalid 'filters.type': {kind}.", param="filters")
    if filters["key"] not in attributes:
        return kind in ("ne", "nin")
    try:
        return _COMPARISONS[kind](attributes[filters["key"]], filters["value"])
    except TypeError:  # a number and a text have no order
        return False


def search_stores(world: World, body: Json) -> list[Json]:
    """The file_search_call of each file_search tool of a request."""
    tools = [tool for tool in body.get("tools") or () if tool.get("type") == "file_search"]
    return [_call_of(world, tool, body) for tool in tools]


def _call_of(world: World, tool: Json, body: Json) -> Json:
    query = last_input_text(body)
    limit = tool.get("max_num_results") or 20
    found = [
        result
        for store_id in tool.get("vector_store_ids", ())
        for result in search(
            world, find_store(world, store_id), query, limit=limit, filters=tool.get("filters")
        )
    ]
    found.sort(key=lambda result: -result["score"])
    shown = "file_search_call.results" in (body.get("include") or ())
    return {
        "id": new_id("fs_"),
        "type": "file_search_call",
        "status": "completed",
        "queries": [query],
        "results": found[:limit] if shown else None,
    }
