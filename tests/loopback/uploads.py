"""/v1/uploads: files in parts."""

from __future__ import annotations

from .files import PURPOSES, expiry_of
from .multipart import form
from .routing import Route
from .wire import ApiError, Call, Json, Reply, json_reply, new_id, now
from .world import PartedUpload, StoredFile, World

_HOUR = 3_600
_MAX_PART = 64 * 1024 * 1024


def create(world: World, call: Call) -> Reply:
    body = call.json_object()
    for name in ("bytes", "filename", "mime_type", "purpose"):
        if name not in body:
            raise ApiError(400, f"Missing required parameter: '{name}'.", param=name)
    if body["purpose"] not in PURPOSES:
        raise ApiError(400, f"'{body['purpose']}' is not a purpose", param="purpose")
    upload = PartedUpload({
        "id": new_id("upload_"), "object": "upload", "bytes": body["bytes"],
        "created_at": now(), "filename": body["filename"], "purpose": body["purpose"],
        "status": "pending", "expires_at": now() + _HOUR, "file": None,
    }, expiry_of(body.get("expires_after")))  # fmt: skip
    world.uploads[upload.about["id"]] = upload
    return json_reply(upload.about)


def _pending(world: World, call: Call) -> PartedUpload:
    upload = world.uploads.get(call.params["id"])
    if upload is None:
        raise ApiError(404, f"No such Upload: {call.params['id']}", param="id")
    if upload.about["status"] != "pending":
        raise ApiError(400, f"The upload is {upload.about['status']}.")
    return upload


def add_part(world: World, call: Call) -> Reply:
    upload = _pending(world, call)
    data = form(call)["data"].data
    if len(data) > _MAX_PART:
        raise ApiError(400, "A part takes 64 MB.", param="data")
    part_id = new_id("part_")
    upload.parts[part_id] = data
    return json_reply({
        "id": part_id, "object": "upload.part", "created_at": now(),
        "upload_id": upload.about["id"],
    })  # fmt: skip


def complete(world: World, call: Call) -> Reply:
    upload = _pending(world, call)
    data = b"".join(upload.parts[part] for part in call.json_object()["part_ids"])
    if len(data) != upload.about["bytes"]:
        raise ApiError(400, "The parts do not add up to the bytes of the upload.")
    about: Json = {
        "id": new_id("file-"), "object": "file", "bytes": len(data), "created_at": now(),
        "expires_at": upload.file_expires_at, "filename": upload.about["filename"],
        "purpose": upload.about["purpose"], "status": "processed", "status_details": None,
    }  # fmt: skip
    world.files[about["id"]] = StoredFile(about, data)
    upload.about |= {"status": "completed", "file": about}
    return json_reply(upload.about)


def cancel(world: World, call: Call) -> Reply:
    upload = _pending(world, call)
    upload.about["status"] = "cancelled"
    return json_reply(upload.about)


ROUTES = (
    Route("POST", "/v1/uploads", create),
    Route("POST", "/v1/uploads/{id}/parts", add_part),
    Route("POST", "/v1/uploads/{id}/complete", complete),
    Route("POST", "/v1/uploads/{id}/cancel", cancel),
)
