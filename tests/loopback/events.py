"""The events of a streamed response, in the order in which the API sends them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from .wire import Json


def encode(events: Iterable[Json]) -> Iterator[bytes]:
    """Events as server-sent events, numbered."""
    for number, event in enumerate(events):
        yield encode_one(event | {"sequence_number": number})


def encode_one(event: Json) -> bytes:
    data = json.dumps(event, ensure_ascii=False)
    return f"event: {event['type']}\ndata: {data}\n\n".encode(errors="replace")


def response_events(response: Json, *, delta_size: int, in_deltas: bool = True) -> Iterator[Json]:
    """All events of a response that has come to an end; its last carries it whole."""
    begun = response | {
        "status": "in_progress", "completed_at": None, "output": [], "usage": None,
        "error": None, "incomplete_details": None,
    }  # fmt: skip
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    if in_deltas:
        for index, item in enumerate(response["output"]):
            yield from _item_events(item, index, delta_size)
    yield {"type": f"response.{response['status']}", "response": response}


def _item_events(item: Json, index: int, delta_size: int) -> Iterator[Json]:
    begun = item | {"status": "in_progress"}
    if item["type"] == "message":
        begun["content"] = []
    if item["type"] == "function_call":
        begun["arguments"] = ""
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if item["type"] == "function_call":
        place = {"item_id": item["id"], "output_index": index}
        for piece in pieces(item["arguments"], delta_size):
            yield {"type": "response.function_call_arguments.delta", "delta": piece} | place
        done = {"name": item["name"], "arguments": item["arguments"]}
        yield {"type": "response.function_call_arguments.done"} | done | place
    if item["type"] == "file_search_call":
        for step in ("in_progress", "searching", "completed"):
            kind = f"response.file_search_call.{step}"
            yield {"type": kind, "output_index": index, "item_id": item["id"]}
    for number, part in enumerate(item.get("content", ())):
        place = {"item_id": item["id"], "output_index": index, "content_index": number}
        yield from (event | place for event in _part_events(part, delta_size))
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _part_events(part: Json, delta_size: int) -> Iterator[Json]:
    is_text = part["type"] == "output_text"
    field = "text" if is_text else "refusal"
    extra: Json = {"logprobs": []} if is_text else {}
    begun = part | {field: ""} | ({"annotations": []} if is_text else {})
    yield {"type": "response.content_part.added", "part": begun}
    for piece in pieces(part[field], delta_size):
        yield {"type": f"response.{part['type']}.delta", "delta": piece} | extra
    for number, annotation in enumerate(part.get("annotations", ())):
        yield {
            "type": "response.output_text.annotation.added",
            "annotation_index": number,
            "annotation": annotation,
        }
    yield {"type": f"response.{part['type']}.done", field: part[field]} | extra
    yield {"type": "response.content_part.done", "part": part}


def pieces(text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), max(size, 1)):
        yield text[start : start + max(size, 1)]


def up_to_delta(events: Iterable[Json], count: int) -> Iterator[Json]:
    """The events up to so many deltas, never as far as a part that is done."""
    seen = 0
    for event in events:
        is_delta = event["type"].endswith(".delta")
        if (is_delta and seen == count) or event["type"].endswith(("_text.done", "refusal.done")):
            return
        seen += is_delta
        yield event
