"""Files of vector stores: one at a time and in batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .files import find_file
from .indexing import batch_object, file_object, find_store, status
from .paging import page
from .routing import Route
from .wire import ApiError, Call, Json, Reply, json_reply, new_id, now, refuse_unknown
from .world import Attachment, Batch, Store, StoredFile, World

_MAX_BATCH = 2_000
_ATTACH = {"file_id", "attributes", "chunking_strategy"}
_BATCH = {"file_ids", "files", "attributes", "chunking_strategy"}
NO_ENTRY = str({
    "errors": [
        {"loc": [name], "msg": "Field required", "type": "missing"}
        for name in ("id", "chunking_strategy", "created_at", "status", "vector_store_id")
    ]
})  # fmt: skip


def attach(world: World, store: Store, wanted: Json) -> Attachment:
    """Attach a file, again if it is attached already."""
    refuse_unknown(wanted, _ATTACH)
    attachment = Attachment(
        file=_file(world, str(wanted.get("file_id"))),
        store_id=store.about["id"],
        attributes=_attributes(wanted.get("attributes")),
        created_at=now(),
    )
    name = attachment.file.name
    attachment.refused = name in world.refused_once
    world.refused_once.discard(name)
    store.files[attachment.file.about["id"]] = attachment
    return attachment


def _file(world: World, file_id: str) -> StoredFile:
    """A file; with `keeps_entries`, one that is gone is attached as well, and fails."""
    if file_id in world.files or not world.keeps_entries:
        return find_file(world, file_id)
    world.index_failures[file_id] = ("server_error", f"File '{file_id}' not found.")
    return StoredFile({"id": file_id, "filename": file_id, "bytes": 0}, b"")


def _attributes(given: Any) -> Json:
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > 16:
        raise ApiError(400, "attributes: at most 16 keys are taken", param="attributes")
    for key, value in given.items():
        if len(key) > 64 or not isinstance(value, str | int | float) or len(str(value)) > 512:
            raise ApiError(400, f"Invalid 'attributes.{key}'", param=f"attributes.{key}")
    return dict(given)


def _store_of(world: World, call: Call) -> Store:
    return find_store(world, call.params["id"])


def _attachment_of(world: World, call: Call) -> Attachment:
    store, file_id = _store_of(world, call), call.params["file"]
    _refuse_lost(file_id in store.lost)
    if file_id not in store.files:
        store_id = store.about["id"]
        raise ApiError(404, f"No file found with id '{file_id}' in vector store '{store_id}'.")
    return store.files[file_id]


def _refuse_lost(is_lost: bool) -> None:
    if is_lost:
        raise ApiError(400, NO_ENTRY)


def create(world: World, call: Call) -> Reply:
    _refuse_lost(call.json_object().get("file_id") in _store_of(world, call).lost)
    attachment = attach(world, _store_of(world, call), call.json_object())
    return json_reply(file_object(world, attachment, fresh=True))


def list_files(world: World, call: Call) -> Reply:
    _refuse_lost(bool(_store_of(world, call).lost))
    return _listed(world, _store_of(world, call).files.values(), call)


def _listed(world: World, attachments: Iterable[Attachment], call: Call) -> Reply:
    wanted = call.record.query.get("filter")
    found = [
        file_object(world, attachment)
        for attachment in attachments
        if wanted in (None, status(world, attachment))
    ]
    return json_reply(page(found, call.record.query))


def retrieve(world: World, call: Call) -> Reply:
    return json_reply(file_object(world, _attachment_of(world, call)))


def update(world: World, call: Call) -> Reply:
    """Replace the attributes."""
    attachment = _attachment_of(world, call)
    body = call.json_object()
    refuse_unknown(body, {"attributes"})
    attachment.attributes = _attributes(body.get("attributes"))
    return json_reply(file_object(world, attachment))


def delete(world: World, call: Call) -> Reply:
    gone, files = _attachment_of(world, call).file, _store_of(world, call).files
    file_id = gone.about["id"]
    del files[file_id]
    for left in files.values():
        equal = left.file.data == gone.data
        left.lost_passages = left.lost_passages or (world.finds_by_content and equal)
    return json_reply({"id": file_id, "object": "vector_store.file.deleted", "deleted": True})


def content(world: World, call: Call) -> Reply:
    text = _attachment_of(world, call).file.data.decode(errors="replace")
    return json_reply({
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": text}],
        "has_more": False,
        "next_page": None,
    })  # fmt: skip


def create_batch(world: World, call: Call) -> Reply:
    """Attach all files of a batch, or, if one of them is missing, none."""
    store = _store_of(world, call)
    wanted = _wanted_files(call.json_object())
    for one in wanted:
        find_file(world, str(one.get("file_id")))
    if world.batch_files == "without attributes":
        wanted = [{"file_id": one["file_id"]} for one in wanted]
    elif world.batch_files == "ignored":
        wanted = []
    attachments = [attach(world, store, one) for one in wanted]
    batch = Batch(new_id("vsfb_"), now(), attachments)
    store.batches[batch.id] = batch
    return json_reply(batch_object(world, batch, store, fresh=True))


def _wanted_files(body: Json) -> list[Json]:
    """What to attach, from `file_ids` with attributes for all, or `files` with their own."""
    refuse_unknown(body, _BATCH)
    if ("files" in body) == ("file_ids" in body):
        raise ApiError(400, "Exactly one of 'file_ids' and 'files' is expected.")
    if "files" in body:
        wanted: list[Json] = body["files"]
    else:
        attributes = body.get("attributes")
        wanted = [{"file_id": file_id, "attributes": attributes} for file_id in body["file_ids"]]
    if not 1 <= len(wanted) <= _MAX_BATCH:
        raise ApiError(400, f"A batch takes 1 to {_MAX_BATCH} files.")
    return wanted


def _batch_of(world: World, call: Call) -> Batch:
    store, batch_id = _store_of(world, call), call.params["batch"]
    if batch_id not in store.batches:
        raise ApiError(404, f"No file batch found with id '{batch_id}'.")
    return store.batches[batch_id]


def retrieve_batch(world: World, call: Call) -> Reply:
    return json_reply(batch_object(world, _batch_of(world, call), _store_of(world, call)))


def cancel_batch(world: World, call: Call) -> Reply:
    """Cancel what is still in progress."""
    for attachment in _batch_of(world, call).attachments:
        attachment.cancelled = status(world, attachment) == "in_progress"
    return retrieve_batch(world, call)


def list_batch(world: World, call: Call) -> Reply:
    return _listed(world, _batch_of(world, call).attachments, call)


ROUTES = (
    Route("POST", "/v1/vector_stores/{id}/files", create),
    Route("GET", "/v1/vector_stores/{id}/files", list_files),
    Route("GET", "/v1/vector_stores/{id}/files/{file}", retrieve),
    Route("POST", "/v1/vector_stores/{id}/files/{file}", update),
    Route("DELETE", "/v1/vector_stores/{id}/files/{file}", delete),
    Route("GET", "/v1/vector_stores/{id}/files/{file}/content", content),
    Route("POST", "/v1/vector_stores/{id}/file_batches", create_batch),
    Route("GET", "/v1/vector_stores/{id}/file_batches/{batch}", retrieve_batch),
    Route("POST", "/v1/vector_stores/{id}/file_batches/{batch}/cancel", cancel_batch),
    Route("GET", "/v1/vector_stores/{id}/file_batches/{batch}/files", list_batch),
)
