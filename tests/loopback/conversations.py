"""/v1/conversations and their items."""

from __future__ import annotations

from typing import Any

from .paging import listing, page
from .response_objects import conversation_id
from .routing import Route
from .wire import ApiError, Call, Json, Reply, check_metadata, json_reply, new_id, now
from .world import Conversation, World

_MAX_ITEMS = 20
_ID_PREFIXES = {"message": "msg_", "file_search_call": "fs_", "reasoning": "rs_"}


def create(world: World, call: Call) -> Reply:
    body = call.json_object()
    items = _new_items(world, body.get("items") or [])
    about: Json = {
        "id": new_id("conv_"), "object": "conversation", "created_at": now(),
        "metadata": check_metadata(body.get("metadata")),
    }  # fmt: skip
    world.conversations[about["id"]] = Conversation(about, items)
    return json_reply(about)


def _new_items(world: World, given: Any) -> list[Json]:
    if not isinstance(given, list) or len(given) > _MAX_ITEMS:
        message = f"Invalid 'items': at most {_MAX_ITEMS} are taken at a time."
        raise ApiError(400, message, code="array_above_max_length", param="items")
    return [_kept_item(item, as_sent=world.keeps_content) for item in given]


def _kept_item(item: Json, *, as_sent: bool = False) -> Json:
    kind = item.get("type", "message")
    kept: Json = {"id": new_id(_ID_PREFIXES.get(kind, "item_")), "status": "completed"} | item
    if kind == "message":
        content = _content(item)
        kept.update(type=kind, content=item["content"] if as_sent else content)
    return kept


def _content(item: Json) -> list[Json]:
    content = item.get("content")
    if item.get("role") not in ("user", "assistant", "system", "developer") or content is None:
        raise ApiError(400, "Invalid item: a role and content are expected.", param="items")
    if isinstance(content, list):
        return content
    if item["role"] == "assistant":
        return [{"type": "output_text", "text": content, "annotations": [], "logprobs": []}]
    return [{"type": "input_text", "text": content}]


def _find(world: World, wanted: str) -> Conversation:
    if wanted not in world.conversations:
        raise ApiError(404, f"Conversation with id '{wanted}' not found.")
    return world.conversations[wanted]


def find_conversation(world: World, body: Json) -> Conversation | None:
    """The conversation that a request for a response names, if it names one."""
    wanted = conversation_id(body)
    return _find(world, wanted) if wanted else None


def input_items(body: Json) -> list[Json]:
    """The input of a response as a conversation keeps it."""
    given = body.get("input") or []
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return [_kept_item(item) for item in given]


def retrieve(world: World, call: Call) -> Reply:
    return json_reply(_find(world, call.params["id"]).about)


def update(world: World, call: Call) -> Reply:
    conversation = _find(world, call.params["id"])
    conversation.about["metadata"] = check_metadata(call.json_object().get("metadata"))
    return json_reply(conversation.about)


def delete(world: World, call: Call) -> Reply:
    deleted_id = _find(world, call.params["id"]).about["id"]
    del world.conversations[deleted_id]
    return json_reply({"id": deleted_id, "object": "conversation.deleted", "deleted": True})


def list_items(world: World, call: Call) -> Reply:
    conversation = _find(world, call.params["id"])
    return json_reply(page(conversation.items, call.record.query))


def create_items(world: World, call: Call) -> Reply:
    conversation = _find(world, call.params["id"])
    items = _new_items(world, call.json_object().get("items"))
    conversation.items += items
    return json_reply(listing(items))


def _find_item(conversation: Conversation, wanted: str) -> Json:
    for item in conversation.items:
        if item["id"] == wanted:
            return item
    raise ApiError(404, f"Item with id '{wanted}' not found.")


def retrieve_item(world: World, call: Call) -> Reply:
    conversation = _find(world, call.params["id"])
    return json_reply(_find_item(conversation, call.params["item"]))


def delete_item(world: World, call: Call) -> Reply:
    conversation = _find(world, call.params["id"])
    conversation.items.remove(_find_item(conversation, call.params["item"]))
    return json_reply(conversation.about)


def state(world: World) -> list[Json]:
    return [found.about | {"items": found.items} for found in list(world.conversations.values())]


ROUTES = (
    Route("POST", "/v1/conversations", create),
    Route("GET", "/v1/conversations/{id}", retrieve),
    Route("POST", "/v1/conversations/{id}", update),
    Route("DELETE", "/v1/conversations/{id}", delete),
    Route("GET", "/v1/conversations/{id}/items", list_items),
    Route("POST", "/v1/conversations/{id}/items", create_items),
    Route("GET", "/v1/conversations/{id}/items/{item}", retrieve_item),
    Route("DELETE", "/v1/conversations/{id}/items/{item}", delete_item),
)
