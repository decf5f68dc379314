"""Vector-store files as the API shows them; their status follows from how long they are there."""

from __future__ import annotations

import time
from collections.abc import Iterable

from .wire import ApiError, Json
from .world import Attachment, Batch, Store, World

_CHUNKING: Json = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
}


def status(world: World, attachment: Attachment) -> str:
    if attachment.cancelled:
        return "cancelled"
    delay = world.index_delays.get(attachment.file.name, world.index_delay)
    if time.monotonic() - attachment.attached < delay:
        return "in_progress"
    return "failed" if _failure(world, attachment) else "completed"


def _failure(world: World, attachment: Attachment) -> tuple[str, str] | None:
    if attachment.refused:
        return "unsupported_file", "This file type is not supported."
    return world.index_failures.get(attachment.file.name)


def file_object(world: World, attachment: Attachment, *, fresh: bool = False) -> Json:
    """A vector-store file; a `fresh` one is in_progress whatever the delay."""
    reached = "in_progress" if fresh else status(world, attachment)
    failure = _failure(world, attachment) if reached == "failed" else None
    return {
        "id": attachment.file.about["id"],
        "object": "vector_store.file",
        "usage_bytes": attachment.file.about["bytes"] if reached == "completed" else 0,
        "created_at": attachment.created_at,
        "vector_store_id": attachment.store_id,
        "status": reached,
        "last_error": {"code": failure[0], "message": failure[1]} if failure else None,
        "chunking_strategy": _CHUNKING,
        "attributes": attachment.attributes,
    }


def _counts(objects: list[Json]) -> Json:
    counts = dict.fromkeys(("in_progress", "completed", "failed", "cancelled"), 0)
    for found in objects:
        counts[found["status"]] += 1
    return {**counts, "total": len(objects)}


def _objects(world: World, attachments: Iterable[Attachment], *, fresh: bool) -> list[Json]:
    return [file_object(world, attachment, fresh=fresh) for attachment in attachments]


def store_object(world: World, store: Store, *, fresh: bool = False) -> Json:
    objects = _objects(world, store.files.values(), fresh=fresh)
    counts = _counts(objects)
    return store.about | {
        "status": "in_progress" if counts["in_progress"] else "completed",
        "file_counts": counts,
        "usage_bytes": sum(found["usage_bytes"] for found in objects),
    }


def batch_object(world: World, batch: Batch, store: Store, *, fresh: bool = False) -> Json:
    counts = _counts(_objects(world, batch.attachments, fresh=fresh))
    reached = "in_progress" if counts["in_progress"] else "completed"
    return {
        "id": batch.id,
        "object": "vector_store.files_batch",
        "created_at": batch.created_at,
        "vector_store_id": store.about["id"],
        "status": "cancelled" if counts["cancelled"] else reached,
        "file_counts": counts,
    }


def find_store(world: World, wanted: str) -> Store:
    if wanted not in world.stores:
        raise ApiError(404, f"Vector store with id '{wanted}' not found.")
    return world.stores[wanted]
