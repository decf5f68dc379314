"""/v1/responses and /v1/models with nothing scripted."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest
from openai import OpenAI

from . import LoopbackServer
from .driving import MODEL, TEXT_STREAM, ask, call, deltas, post, stream, valid


def test_echoes_the_last_input(client: OpenAI) -> None:
    response = ask(client, instructions="Be brief.", metadata={"a": "b"})

    assert response.output_text == "hello there"
    assert (response.status, response.model, response.metadata) == (
        "completed", MODEL, {"a": "b"},
    )  # fmt: skip
    assert response.usage.total_tokens == 5 + 3


def test_streams_in_the_order_of_the_api(client: OpenAI) -> None:
    events = stream(client)

    assert [event.type for event in events] == TEXT_STREAM
    assert [event.sequence_number for event in events] == list(range(10))
    assert deltas(events) == "hello there"
    assert {event.item_id for event in events[3:8]} == {events[2].item.id}
    assert events[-1].response.output[0].id == events[2].item.id


def test_the_sdk_accumulates_it(client: OpenAI) -> None:
    with client.responses.stream(model=MODEL, input="Grüße, 世界 🎉") as events:
        assert events.get_final_response().output_text == "Grüße, 世界 🎉"


def test_answers_what_it_is_told(server: LoopbackServer, client: OpenAI) -> None:
    server.answer = lambda body: body["instructions"].upper()
    server.delta_size = 1
    events = stream(client, instructions="abc")

    assert [event.delta for event in events if event.type.endswith(".delta")] == [*"ABC"]


def test_records_requests(server: LoopbackServer, client: OpenAI) -> None:
    ask(client)
    record = server.requests[0]

    assert (record.method, record.path) == ("POST", "/v1/responses")
    assert record.json == {"model": MODEL, "input": "hello there"}
    assert record.headers["authorization"] == "Bearer x"
    assert record.body_size > 10
    assert abs(record.at - time.time()) < 5


def test_waits_as_told(server: LoopbackServer, client: OpenAI) -> None:
    server.latency, server.delta_delay, server.delta_size = 0.1, 0.05, 4
    start = time.monotonic()
    stream(client)  # three deltas

    assert time.monotonic() - start >= 0.2


def test_keeps_responses(client: OpenAI) -> None:
    kept, streamed = ask(client), stream(client)[-1].response
    forgotten = ask(client, store=False)

    assert valid(client.responses.retrieve(kept.id)).output_text == "hello there"
    assert client.responses.retrieve(streamed.id).status == "completed"
    ask(client, previous_response_id=kept.id)
    client.responses.delete(kept.id)
    for gone in (kept, forgotten):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(gone.id)


def test_searches_stores(server: LoopbackServer, client: OpenAI) -> None:
    uploaded = client.files.create(file=("a.md", b"zebras have stripes"), purpose="assistants")
    store = client.vector_stores.create(name="s", file_ids=[uploaded.id])
    tool: Any = {"type": "file_search", "vector_store_ids": [store.id]}
    events = stream(client, "zebras", tools=[tool], include=["file_search_call.results"])

    kinds = [event.type for event in events]
    assert "response.file_search_call.completed" in kinds
    assert events[-1].response.output[0].results[0].filename == "a.md"
    tool["vector_store_ids"] = ["vs_none"]
    with pytest.raises(openai.NotFoundError):
        ask(client, tools=[tool])


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_output_tokens": 15},
        {"temperature": 1, "reasoning": {"effort": "low"}},
        {"previous_response_id": "resp_none"},
        {"previous_response_id": "resp_none", "conversation": "conv_none"},
    ],
)
def test_refuses_what_the_api_refuses(client: OpenAI, wrong: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError):
        ask(client, **wrong)


def test_refuses_missing_files(client: OpenAI) -> None:
    part: Any = {"type": "input_file", "file_id": "file-none"}
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model=MODEL, input=[{"role": "user", "content": [part]}])


def test_counts_tokens(client: OpenAI) -> None:
    assert valid(client.responses.input_tokens.count(model=MODEL, input="12345")).input_tokens == 2


def test_models(server: LoopbackServer, client: OpenAI) -> None:
    assert [valid(model).id for model in client.models.list()] == server.models
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(model="gpt-3", input="x")
    assert caught.value.body == {
        "message": "The model `gpt-3` does not exist or you do not have access to it.",
        "type": "invalid_request_error", "param": None, "code": "model_not_found",
    }  # fmt: skip


def test_key(server: LoopbackServer, client: OpenAI) -> None:
    server.api_key = "right"
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(client)
    assert caught.value.code == "invalid_api_key"
    assert ask(client.with_options(api_key="right")).output_text


def test_unknown_routes(server: LoopbackServer) -> None:
    status, body = call(server, "GET", "/v1/assistants")
    assert (status, body["error"]["type"]) == (404, "invalid_request_error")
    status, body = post(server, "/v1/responses", [1])
    assert status == 400
