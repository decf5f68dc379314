"""/v1/batches: a file of requests, worked off by age, answered in shuffled order."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from typing import Any

from .files import find_file
from .paging import page
from .responses import create as create_response
from .routing import Route
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
from .world import BatchJob, StoredFile, World, last_input_text

_CREATE = {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}
_ENDPOINT = "/v1/responses"
_MAX_REQUESTS = 50_000
_MAX_BYTES = 200_000_000
_DAY = 86_400
_FINAL = ("completed", "failed", "expired", "cancelled")


def create(world: World, call: Call) -> Reply:
    body = call.json_object()
    refuse_unknown(body, _CREATE)
    file = find_file(world, str(body.get("input_file_id")))
    if file.about["purpose"] != "batch":
        raise ApiError(400, "The input file must have the purpose 'batch'.", param="input_file_id")
    if body.get("endpoint") != _ENDPOINT or body.get("completion_window") != "24h":
        raise ApiError(400, "Invalid 'endpoint' or 'completion_window'.")
    about: Json = {
        "id": new_id("batch_"), "object": "batch", "endpoint": _ENDPOINT, "errors": None,
        "input_file_id": file.about["id"], "completion_window": "24h", "status": "validating",
        "output_file_id": None, "error_file_id": None, "created_at": now(),
        "expires_at": now() + _DAY, "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": check_metadata(body.get("metadata")),
    }  # fmt: skip
    world.batches[about["id"]] = BatchJob(about, file.data, call)
    return json_reply(about)


def retrieve(world: World, call: Call) -> Reply:
    return json_reply(_current(world, _find(world, call.params["id"])))


def list_batches(world: World, call: Call) -> Reply:
    return json_reply(
        page([_current(world, b) for b in list(world.batches.values())], call.record.query)
    )


def cancel(world: World, call: Call) -> Reply:
    """Cancel: what was not answered until now never will be."""
    batch = _find(world, call.params["id"])
    about = _current(world, batch)
    if about["status"] in _FINAL:
        raise ApiError(409, f"Cannot cancel a batch with status '{about['status']}'.")
    about.update(status="cancelling", cancelling_at=now())
    return json_reply(about)


def _find(world: World, wanted: str) -> BatchJob:
    if wanted not in world.batches:
        raise ApiError(404, f"No batch found with id '{wanted}'.", param="batch_id")
    return world.batches[wanted]


def _current(world: World, batch: BatchJob) -> Json:
    """The batch at its present age: validating, in_progress, finalizing, then its end."""
    about = batch.about
    if about["status"] in _FINAL:
        return about
    if about["status"] == "cancelling":
        about.update(status="cancelled", cancelled_at=now())
        return about
    share = (time.monotonic() - batch.created) / world.batch_delay if world.batch_delay else 1.0
    if share < 0.25:
        return about
    errors = _problems(world, batch.requests)
    if errors:
        about.update(status="failed", failed_at=now(), errors={"object": "list", "data": errors})
        return about
    total = batch.requests.count(b"\n")
    about["request_counts"]["total"] = total
    if share < 0.75:
        about["status"] = "in_progress"
        about["request_counts"]["completed"] = total // 2
    elif share < 1:
        about["status"] = "finalizing"
    else:
        _finish(world, batch)
    return about


def _problems(world: World, requests: bytes) -> list[Json]:
    """What validation finds, as the API lists it."""
    seen: set[str] = set()
    models: set[str] = set()
    found = [] if len(requests) <= _MAX_BYTES else [_problem("file_too_large", None)]
    for number, line in enumerate(requests.splitlines(), start=1):
        try:
            request = json.loads(line)
            custom_id, url, body = request["custom_id"], request["url"], request["body"]
        except (ValueError, KeyError, TypeError):
            found.append(_problem("invalid_json_line", number))
            continue
        if custom_id in seen:
            found.append(_problem("duplicate_custom_id", number))
        if url != _ENDPOINT or request.get("method") != "POST":
            found.append(_problem("invalid_url", number))
        tools = {tool.get("type") for tool in body.get("tools") or ()}
        if tools & world.batch_refused_tools:
            found.append(_problem("unsupported_tool", number))
        seen.add(custom_id)
        models.add(str(body.get("model")))
    if len(models) > 1:
        found.append(_problem("mismatched_model", None))
    if len(seen) > _MAX_REQUESTS:
        found.append(_problem("too_many_tasks", None))
    return found


def _problem(code: str, line: int | None) -> Json:
    return {"code": code, "line": line, "message": f"Refused: {code}.", "param": None}


def _finish(world: World, batch: BatchJob) -> None:
    answered, failed, expired = _answers(world, batch)
    about = batch.about
    ending = "expired" if expired else "completed"
    about.update({"status": ending, f"{ending}_at": now()})
    about["request_counts"].update(completed=len(answered), failed=len(failed) + len(expired))
    about["output_file_id"] = _keep(world, answered, "output")
    about["error_file_id"] = _keep(world, failed + expired, "error")


def _answers(world: World, batch: BatchJob) -> tuple[list[Json], list[Json], list[Json]]:
    answered: list[Json] = []
    failed: list[Json] = []
    expired: list[Json] = []
    for request in map(json.loads, batch.requests.splitlines()):
        line: Json = {"id": new_id("batch_req_"), "custom_id": request["custom_id"]}
        text = last_input_text(request["body"])
        if world.batch_expires_on and world.batch_expires_on in text:
            error = {"code": "batch_expired", "message": "The request did not run in time."}
            expired.append(line | {"response": None, "error": error})
            continue
        response = _respond(world, batch.call, request["body"], text)
        right = response["status_code"] == 200
        (answered if right else failed).append(line | {"response": response, "error": None})
    for lines in (answered, failed, expired):
        random.Random(len(lines)).shuffle(lines)
    return answered, failed, expired


def _respond(world: World, call: Call, body: Any, text: str) -> Json:
    if world.batch_fails_on and world.batch_fails_on in text:
        reply = ApiError(500, "The server had an error.", code="server_error").reply()
    else:
        try:
            reply = create_response(world, replace(call, record=replace(call.record, json=body)))
        except ApiError as error:
            reply = error.reply()
    data = reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)
    return {"status_code": reply.status, "request_id": new_id("req_"), "body": json.loads(data)}


def _keep(world: World, lines: list[Json], kind: str) -> str | None:
    if not lines:
        return None
    data = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
    about: Json = {
        "id": new_id("file-"), "object": "file", "bytes": len(data), "created_at": now(),
        "expires_at": now() + 30 * _DAY, "filename": f"batch_{kind}.jsonl",
        "purpose": "batch_output", "status": "processed", "status_details": None,
    }  # fmt: skip
    world.files[about["id"]] = StoredFile(about, data)
    return str(about["id"])


def state(world: World) -> list[Json]:
    return [_current(world, batch) for batch in list(world.batches.values())]


ROUTES = (
    Route("POST", "/v1/batches", create),
    Route("GET", "/v1/batches", list_batches),
    Route("GET", "/v1/batches/{id}", retrieve),
    Route("POST", "/v1/batches/{id}/cancel", cancel),
)
