"""Requests as the tests here make them, by the SDK or by plain HTTP."""

from __future__ import annotations

import http.client
import json
from typing import Any

from openai import OpenAI

from . import LoopbackServer

MODEL = "gpt-6-luna"
TEXT_STREAM = [
    "response.created", "response.in_progress", "response.output_item.added",
    "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
    "response.output_text.done", "response.content_part.done", "response.output_item.done",
    "response.completed",
]  # fmt: skip


def valid(thing: Any) -> Any:
    """The SDK takes anything; this holds it to its own types."""
    type(thing).model_validate(thing.to_dict())
    return thing


def ask(client: OpenAI, text: str = "hello there", **more: Any) -> Any:
    return valid(client.responses.create(model=MODEL, input=text, **more))


def stream(client: OpenAI, text: str = "hello there", **more: Any) -> list[Any]:
    with client.responses.create(model=MODEL, input=text, stream=True, **more) as events:
        return [valid(event) for event in events]


def deltas(events: list[Any]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def post(server: LoopbackServer, path: str, body: object) -> tuple[int, Any]:
    return call(server, "POST", path, body)


def call(server: LoopbackServer, method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, {"Content-Type": "application/json"})
    response = connection.getresponse()
    try:
        return response.status, json.loads(response.read())
    finally:
        connection.close()
