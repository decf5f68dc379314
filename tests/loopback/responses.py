"""/v1/responses and /v1/models: requests are checked, outcomes played."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

from . import events
from .conversations import find_conversation, input_items
from .outcomes import Ending, HttpAnswer, Outcome, Silence, Trouble
from .prompt_cache import use_cache
from .response_objects import count_tokens, output_items, response_object
from .routing import Route
from .search import search_stores
from .wire import ApiError, Call, ConnectionCut, Json, Reply, json_reply
from .world import World, last_input_text

_FOR_EVER = 1e9
_WINDOWS = ("soonest", "2h", "8h")


def create(world: World, call: Call) -> Reply:
    """Play the next outcome; an outcome that is no response comes before every check.

    A request without a model only asks what there is, and outcomes are not for it.
    """
    given = call.record.json
    asks = not isinstance(given, dict) or "model" in given or "tools" not in given
    with world.lock:
        outcome = world.outcomes.popleft() if world.outcomes and asks else Ending()
    if isinstance(outcome, HttpAnswer):
        return outcome.reply
    if isinstance(outcome, Silence):
        call.line.wait(_FOR_EVER)
    body = call.json_object()
    with world.lock:
        _check(world, body)
    if body.get("background") and world.background != "ignored":
        return _begin(world, call, body, outcome)
    turn = Turn(world, call, body, outcome)
    return turn.streamed() if body.get("stream") else turn.whole()


def _begin(world: World, call: Call, body: Json, outcome: Outcome) -> Reply:
    """Take a background run, whose answer can be retrieved later."""
    options = body.get("background_options") or {}
    if world.background == "refused":
        raise ApiError(
            400, "Unknown parameter: 'background_options'.", code="unknown_parameter",
            param="background_options",
        )  # fmt: skip
    if body.get("stream") or options.get("completion_window", "soonest") not in _WINDOWS:
        raise ApiError(400, "Invalid 'background_options'.", param="background_options")
    response = Turn(world, call, body, outcome).response | {"background": True}
    queued = response | {"status": "queued", "output": [], "usage": None, "completed_at": None}
    with world.lock:
        world.responses[response["id"]] = response
        world.pending[response["id"]] = (time.monotonic() + world.background_delay, queued)
    return json_reply(queued)


class Turn:
    """One request that gets a response."""

    def __init__(self, world: World, call: Call, body: Json, outcome: Outcome) -> None:
        self._world = world
        self._line = call.line
        self._body = body
        self._conversation = find_conversation(world, body)
        self._given = input_items(body)
        self._trouble = outcome if isinstance(outcome, Trouble) else None
        self._ending = outcome if isinstance(outcome, Ending) else self._ending_of_trouble()
        self._response = self._make_response()

    def _ending_of_trouble(self) -> Ending:
        return Ending(self._trouble.text if self._trouble else None)

    def _make_response(self) -> Json:
        ending = self._ending
        text = self._world.answer_to(self._body) if ending.text is None else ending.text
        most = self._world.longest_answer
        if most is not None and len(text) > most:
            text = text[:most]
            ending = replace(ending, status="incomplete", incomplete_reason="max_output_tokens")
        output = self._searches() + output_items(ending, text)
        earlier = self._conversation.items if self._conversation else ()
        with self._world.lock:
            use = use_cache(self._world.prompt_cache, self._body, earlier)
        tokenizer = self._world.tokenizer
        if tokenizer is not None:
            said = {"input": list(earlier)}
            given = count_tokens(self._body, tokenizer) + count_tokens(said, tokenizer)
            use = replace(use, given=given)
        return response_object(self._body, ending, output, use, tokenizer)

    def _searches(self) -> list[Json]:
        with self._world.lock:
            return search_stores(self._world, self._body)

    @property
    def response(self) -> Json:
        return self._response

    def _keep(self) -> None:
        with self._world.lock:
            if self._body.get("store") is not False:
                self._world.responses[self._response["id"]] = self._response
            if self._conversation is not None:
                self._conversation.items += self._given + self._response["output"]

    def whole(self) -> Reply:
        trouble = self._trouble
        if trouble is None:
            self._keep()
            return json_reply(self._response)
        if trouble.kind == "error":
            error = trouble.error.get("error", trouble.error)
            raise ApiError(500, error["message"], code=error["code"], type="server_error")
        if trouble.kind == "garbage":
            return Reply(b'{"id": "resp_1", "object": "respo')
        return Reply(self._half_a_body(trouble))

    def _half_a_body(self, trouble: Trouble) -> Iterator[bytes]:
        if trouble.kind == "cut":
            data = json.dumps(self._response).encode()
            yield data[: len(data) // 2]
            raise ConnectionCut
        yield from self._for_ever(trouble, b" ")

    def streamed(self) -> Reply:
        return Reply(self._stream(), content_type="text/event-stream; charset=utf-8")

    def _stream(self) -> Iterator[bytes]:
        plain = events.response_events(
            self._response,
            delta_size=self._world.delta_size,
            in_deltas=self._ending.in_deltas,
        )
        if self._trouble is None:
            yield from events.encode(self._paced(plain))
        else:
            yield from self._troubled(plain, self._trouble)

    def _paced(self, plain: Iterator[Json]) -> Iterator[Json]:
        """Events with pauses between deltas; the response is kept before its last event."""
        between = False
        for event in plain:
            if event["type"].endswith(".delta"):
                if between:
                    self._line.wait(self._world.delta_delay)
                between = True
            elif event.get("response") is self._response:
                self._keep()
            yield event

    def _troubled(self, plain: Iterator[Json], trouble: Trouble) -> Iterator[bytes]:
        begun = list(events.up_to_delta(plain, trouble.after))
        yield from events.encode(self._paced(iter(begun)))
        if trouble.kind == "error":
            last = {"type": "error", **trouble.error, "sequence_number": len(begun)}
            yield events.encode_one(last)
        elif trouble.kind == "cut":
            raise ConnectionCut
        elif trouble.kind == "garbage":
            yield b'event: response.output_text.delta\ndata: {"type": "respon\xff\n\n'
            yield b"<html>not a stream\n\n"
        else:
            yield from self._for_ever(trouble, b": keepalive\n\n")

    def _for_ever(self, trouble: Trouble, sign_of_life: bytes) -> Iterator[bytes]:
        while True:
            if trouble.keepalive is not None:
                yield sign_of_life
            self._line.wait(_FOR_EVER if trouble.keepalive is None else trouble.keepalive)


def _check(world: World, body: Json) -> None:
    _check_model(world, body)
    if body.get("conversation") and body.get("previous_response_id"):
        raise ApiError(400, "conversation and previous_response_id exclude each other.")
    find_conversation(world, body)
    _check_previous(world, body)
    _check_settings(body)
    if "prompt_cache_options" in body and not world.takes_prompt_cache:
        message = "Unknown parameter: 'prompt_cache_options'."
        raise ApiError(400, message, code="unknown_parameter", param="prompt_cache_options")
    _check_files(world, body)
    if world.longest_input is not None and len(last_input_text(body)) > world.longest_input:
        message = "Your input exceeds the context window of this model."
        raise ApiError(400, message, code="context_length_exceeded", param="input")


def _check_model(world: World, body: Json) -> None:
    model = body.get("model")
    if not model:
        raise ApiError(
            400, "Missing required parameter: 'model'.", code="missing_required_parameter",
            param="model",
        )  # fmt: skip
    if model not in world.models:
        raise _no_model(str(model))


def _no_model(model: str) -> ApiError:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return ApiError(404, message, code="model_not_found")


def _check_previous(world: World, body: Json) -> None:
    previous = body.get("previous_response_id")
    if previous and previous not in world.responses:
        raise ApiError(
            400, f"Previous response with id '{previous}' not found.",
            code="previous_response_not_found", param="previous_response_id",
        )  # fmt: skip


def _check_settings(body: Json) -> None:
    limit = body.get("max_output_tokens")
    if limit is not None and limit < 16:
        raise ApiError(
            400, "Invalid 'max_output_tokens': at least 16 is expected.",
            code="integer_below_min_value", param="max_output_tokens",
        )  # fmt: skip
    effort = (body.get("reasoning") or {}).get("effort")
    for name in ("temperature", "top_p"):
        if effort not in (None, "none") and body.get(name) is not None:
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            raise ApiError(400, message, code="unsupported_parameter", param=name)


def _check_files(world: World, body: Json) -> None:
    given = body.get("input")
    for item in given if isinstance(given, list) else []:
        content = item.get("content")
        for part in content if isinstance(content, list) else []:
            file_id = part.get("file_id")
            if file_id and file_id not in world.files:
                raise ApiError(404, f"File '{file_id}' not found.", param="input")


def retrieve(world: World, call: Call) -> Reply:
    return json_reply(_find(world, call))


def delete(world: World, call: Call) -> Reply:
    found = _find(world, call)
    del world.responses[found["id"]]
    world.pending.pop(found["id"], None)
    return json_reply({"id": found["id"], "object": "response", "deleted": True})


def cancel(world: World, call: Call) -> Reply:
    found = _find(world, call)
    if found["id"] not in world.pending:
        raise ApiError(400, "Only background responses that have not ended can be cancelled.")
    del world.pending[found["id"]]
    found["status"] = "cancelled"
    return json_reply(found)


def _find(world: World, call: Call) -> Json:
    response_id = call.params["id"]
    if response_id not in world.responses:
        raise ApiError(404, f"Response with id '{response_id}' not found.")
    ready, queued = world.pending.get(response_id, (0.0, {}))
    return queued if time.monotonic() < ready else world.responses[response_id]


def count_input(world: World, call: Call) -> Reply:
    body = call.json_object()
    _check(world, body)
    return json_reply(
        {"object": "response.input_tokens", "input_tokens": count_tokens(body, world.tokenizer)}
    )


def list_models(world: World, _call: Call) -> Reply:
    return json_reply({"object": "list", "data": [_model(name) for name in world.models]})


def retrieve_model(world: World, call: Call) -> Reply:
    if call.params["id"] not in world.models:
        raise _no_model(call.params["id"])
    return json_reply(_model(call.params["id"]))


def _model(name: str) -> Json:
    return {
        "id": name, "object": "model", "created": 1_760_000_000, "owned_by": "openai",
        "shutdown_date": None,
    }  # fmt: skip


ROUTES = (
    Route("POST", "/v1/responses", create, locked=False),
    Route("POST", "/v1/responses/input_tokens", count_input),
    Route("GET", "/v1/responses/{id}", retrieve),
    Route("POST", "/v1/responses/{id}/cancel", cancel),
    Route("DELETE", "/v1/responses/{id}", delete),
    Route("GET", "/v1/models", list_models),
    Route("GET", "/v1/models/{id}", retrieve_model),
)
