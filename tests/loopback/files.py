"""/v1/files."""

from __future__ import annotations

import hashlib

from .multipart import Part, form
from .paging import page
from .routing import Route
from .wire import ApiError, Call, Json, Reply, json_reply, new_id, now
from .world import StoredFile, World

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_NOT_READABLE = ("assistants", "user_data")
_LIFETIMES = range(3_600, 2_592_001)
_LIST_LIMIT = 10_000


def create(world: World, call: Call) -> Reply:
    fields = form(call)
    upload = fields.get("file")
    if upload is None or upload.filename is None:
        raise ApiError(400, "'file' is a required property", param="file")
    purpose = fields["purpose"].text if "purpose" in fields else ""
    if purpose not in PURPOSES:
        raise ApiError(400, f"'{purpose}' is not one of {list(PURPOSES)}", param="purpose")
    about: Json = {
        "id": new_id("file-"), "object": "file", "bytes": len(upload.data), "created_at": now(),
        "expires_at": _expiry(fields, world.file_lifetime), "filename": upload.filename,
        "purpose": purpose, "status": "processed", "status_details": None,
    }  # fmt: skip
    world.files[about["id"]] = StoredFile(about, upload.data)
    return json_reply(about)


def _expiry(fields: dict[str, Part], default: int | None) -> int | None:
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None if default is None else now() + default
    lifetime = int(seconds.text) if seconds and seconds.text.isdecimal() else 0
    return expiry_of({"anchor": anchor.text if anchor else None, "seconds": lifetime})


def expiry_of(policy: Json | None) -> int | None:
    if policy is None:
        return None
    if policy.get("anchor") != "created_at" or policy.get("seconds") not in _LIFETIMES:
        raise ApiError(400, "Invalid 'expires_after'.", param="expires_after")
    return now() + int(policy["seconds"])


def find_file(world: World, wanted: str) -> StoredFile:
    if wanted not in world.files:
        raise ApiError(404, f"No such File object: {wanted}", param="id")
    return world.files[wanted]


def list_files(world: World, call: Call) -> Reply:
    purpose = call.record.query.get("purpose")
    found = [
        stored.about
        for stored in list(world.files.values())
        if purpose is None or stored.about["purpose"] == purpose
    ]
    limits = {"default_limit": _LIST_LIMIT, "max_limit": _LIST_LIMIT}
    return json_reply(page(found, call.record.query, **limits))


def retrieve(world: World, call: Call) -> Reply:
    return json_reply(find_file(world, call.params["id"]).about)


def delete(world: World, call: Call) -> Reply:
    """Delete a file, also out of every vector store, unless `keeps_entries`."""
    file_id = find_file(world, call.params["id"]).about["id"]
    del world.files[file_id]
    for store in () if world.keeps_entries else world.stores.values():
        store.files.pop(file_id, None)
    return json_reply({"id": file_id, "object": "file", "deleted": True})


def content(world: World, call: Call) -> Reply:
    stored = find_file(world, call.params["id"])
    purpose = stored.about["purpose"]
    if purpose in _NOT_READABLE and not world.gives_files:
        raise ApiError(400, f"Not allowed to download files of purpose: {purpose}")
    return Reply(stored.data, content_type="application/octet-stream")


def state(world: World) -> list[Json]:
    return [
        stored.about | {"sha256": hashlib.sha256(stored.data).hexdigest()}
        for stored in list(world.files.values())
    ]


ROUTES = (
    Route("POST", "/v1/files", create),
    Route("GET", "/v1/files", list_files),
    Route("GET", "/v1/files/{id}", retrieve),
    Route("DELETE", "/v1/files/{id}", delete),
    Route("GET", "/v1/files/{id}/content", content),
)
