"""A small model that says the same again and again is stopped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import Endpoint, ModelAnswer, ModelRequest, TextPart
from gptasst.errors import NoAnswer
from tests.loopback import LoopbackServer

LOOP = (
    "It is a story of honor and of the unyielding will of those who fight against all odds. " * 60
)


@pytest.fixture
def loopback() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


def answer(server: LoopbackServer, task: str, *, embedded: bool) -> str:
    endpoint = Endpoint(server.base_url, "a model", api_key="x", embedded=embedded)
    request = ModelRequest("gpt-6-luna", "Tell.", (TextPart(task),), timeout=60.0)
    gateway = OpenAIGateway(endpoint)
    try:
        *_, last = gateway.stream(request)
    finally:
        gateway.close()
    assert isinstance(last, ModelAnswer)
    return last.text


def test_of_the_embedded_model(loopback: LoopbackServer) -> None:
    loopback.answer = LOOP
    with pytest.raises(NoAnswer, match="the embedded model repeats itself") as raised:
        answer(loopback, "Tell a story.", embedded=True)
    assert raised.value.hint
    assert "`gptasst auth login`" in raised.value.hint


def test_not_of_what_was_asked(loopback: LoopbackServer) -> None:
    loopback.answer = LOOP
    assert answer(loopback, LOOP, embedded=True) == LOOP


def test_not_of_a_server(loopback: LoopbackServer) -> None:
    loopback.answer = LOOP
    assert answer(loopback, "Tell a story.", embedded=False) == LOOP
