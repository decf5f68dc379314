"""Routes for a test in another process: the log, the script, and what the server keeps."""

from __future__ import annotations

from collections import deque
from typing import Any

from . import batches, conversations, files, vector_stores
from .outcomes import from_json
from .routing import Route
from .wire import ApiError, Call, Json, Reply, json_reply
from .world import World

_PLAIN = (
    "answer", "latency", "delta_size", "delta_delay", "models", "api_key", "metadata_mode",
    "index_delay", "index_failures", "batch_delay", "batch_fails_on", "batch_expires_on",
)  # fmt: skip


def log(world: World, _call: Call) -> Reply:
    return json_reply([record.as_json() for record in world.requests])


def clear_log(world: World, call: Call) -> Reply:
    world.requests.clear()
    return log(world, call)


def script(world: World, call: Call) -> Reply:
    """Set fields of the world; `outcomes` is a list of {"kind": factory, ...arguments}."""
    body = call.json_object()
    for name, value in body.items():
        if name not in (*_PLAIN, "outcomes"):
            raise ApiError(400, f"there is no setting '{name}'", param=name)
        setattr(world, name, _outcomes(value) if name == "outcomes" else value)
    return json_reply(_settings(world))


def _outcomes(values: list[Json]) -> deque[Any]:
    try:
        return deque(from_json(value) for value in values)
    except (KeyError, TypeError) as error:
        raise ApiError(400, f"not an outcome: {error!r}", param="outcomes") from error


def _settings(world: World) -> Json:
    shown: Json = {name: getattr(world, name) for name in _PLAIN}
    if callable(shown["answer"]):
        shown["answer"] = None
    return shown | {"outcomes": len(world.outcomes)}


def state(world: World, _call: Call) -> Reply:
    return json_reply({
        "files": files.state(world),
        "vector_stores": vector_stores.state(world),
        "conversations": conversations.state(world),
        "batches": batches.state(world),
        "responses": list(world.responses.values()),
        "crashes": world.crashes,
    })  # fmt: skip


ROUTES = (
    Route("GET", "/_log", log),
    Route("DELETE", "/_log", clear_log),
    Route("POST", "/_script", script),
    Route("GET", "/_state", state),
)
