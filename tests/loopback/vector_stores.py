"""/v1/vector_stores, without their files."""

from __future__ import annotations

from typing import Any

from .indexing import file_object, find_store, store_object
from .paging import page
from .routing import Route
from .search import search
from .store_files import attach
from .wire import (
    ApiError,
    Call,
    Json,
    Reply,
    check_metadata,
    json_reply,
    new_id,
    now,
    refuse_unknown,
)
from .world import Store, World

_CREATE = {"name", "description", "file_ids", "metadata", "expires_after", "chunking_strategy"}
_UPDATE = {"name", "metadata", "expires_after"}
_DAY = 86_400


def create(world: World, call: Call) -> Reply:
    body = call.json_object()
    refuse_unknown(body, _CREATE)
    store = Store({
        "id": new_id("vs_"), "object": "vector_store", "created_at": now(),
        "name": body.get("name") or "", "description": body.get("description"),
        "metadata": check_metadata(body.get("metadata")), "last_active_at": now(),
        **_expiry(body.get("expires_after")),
    })  # fmt: skip
    for file_id in body.get("file_ids") or []:
        attach(world, store, {"file_id": file_id})
    world.stores[store.about["id"]] = store
    return json_reply(store_object(world, store, fresh=True))


def _expiry(policy: Any) -> Json:
    if policy is None:
        return {"expires_after": None, "expires_at": None}
    if policy.get("anchor") != "last_active_at" or not 1 <= policy.get("days", 0) <= 365:
        raise ApiError(400, "Invalid 'expires_after'.", param="expires_after")
    return {"expires_after": policy, "expires_at": now() + policy["days"] * _DAY}


def list_stores(world: World, call: Call) -> Reply:
    found = [store_object(world, store) for store in list(world.stores.values())]
    return json_reply(page(found, call.record.query))


def retrieve(world: World, call: Call) -> Reply:
    return json_reply(store_object(world, find_store(world, call.params["id"])))


def update(world: World, call: Call) -> Reply:
    """Metadata is merged or replaced, as `World.metadata_mode` says."""
    store = find_store(world, call.params["id"])
    body = call.json_object()
    refuse_unknown(body, _UPDATE)
    changed: Json = {}
    if body.get("name") is not None:
        changed["name"] = body["name"]
    if body.get("metadata") is not None:
        kept = store.about["metadata"] if world.metadata_mode == "merge" else {}
        changed["metadata"] = check_metadata({**kept, **check_metadata(body["metadata"])})
    if "expires_after" in body:
        changed |= _expiry(body["expires_after"])
    store.about |= changed
    return json_reply(store_object(world, store))


def delete(world: World, call: Call) -> Reply:
    store_id = find_store(world, call.params["id"]).about["id"]
    del world.stores[store_id]
    return json_reply({"id": store_id, "object": "vector_store.deleted", "deleted": True})


def search_store(world: World, call: Call) -> Reply:
    store = find_store(world, call.params["id"])
    body = call.json_object()
    if not body.get("query"):
        raise ApiError(400, "Missing required parameter: 'query'.", param="query")
    queries = [body["query"]] if isinstance(body["query"], str) else body["query"]
    limit = body.get("max_num_results") or 10
    found = search(world, store, " ".join(queries), limit=limit, filters=body.get("filters"))
    return json_reply({
        "object": "vector_store.search_results.page",
        "search_query": queries,
        "data": [_search_result(result) for result in found],
        "has_more": False,
        "next_page": None,
    })  # fmt: skip


def _search_result(result: Json) -> Json:
    shown = {key: result[key] for key in ("file_id", "filename", "score", "attributes")}
    return shown | {"content": [{"type": "text", "text": result["text"]}]}


def state(world: World) -> list[Json]:
    return [
        store_object(world, store)
        | {"files": [file_object(world, attachment) for attachment in list(store.files.values())]}
        for store in list(world.stores.values())
    ]


ROUTES = (
    Route("POST", "/v1/vector_stores", create),
    Route("GET", "/v1/vector_stores", list_stores),
    Route("GET", "/v1/vector_stores/{id}", retrieve),
    Route("POST", "/v1/vector_stores/{id}", update),
    Route("DELETE", "/v1/vector_stores/{id}", delete),
    Route("POST", "/v1/vector_stores/{id}/search", search_store),
)
