"""The content of a file on the server, line by line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import OpenAI

from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import Endpoint
from gptasst.errors import NotFound, ServiceError
from tests.loopback import LoopbackServer


@pytest.fixture
def gateway(server: LoopbackServer) -> Iterator[OpenAIGateway]:
    gateway = OpenAIGateway(Endpoint(server.base_url, "loopback", api_key="sk-test"))
    yield gateway
    gateway.close()


def upload(server: LoopbackServer, content: bytes) -> str:
    with OpenAI(base_url=server.base_url, api_key="sk-test") as client:
        return client.files.create(file=("a.jsonl", content), purpose="batch").id


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"one", [b"one"]),
        (b"one\ntwo\n", [b"one", b"two"]),
        (b"one\n\ntwo", [b"one", b"two"]),
        (b'{"a": "\xe2\x80\xa8 \x0c"}\r\n[]', [b'{"a": "\xe2\x80\xa8 \x0c"}\r', b"[]"]),
        (b"x" * 3_000_000 + b"\ny", [b"x" * 3_000_000, b"y"]),
        (b"line\n" * 100_000, [b"line"] * 100_000),
    ],
    ids=["empty", "blank", "no end", "two", "gap", "other line ends", "long", "many"],
)
def test_lines(
    server: LoopbackServer, gateway: OpenAIGateway, content: bytes, lines: list[bytes]
) -> None:
    assert list(gateway.files.lines(upload(server, content))) == lines


def test_lost_connection(server: LoopbackServer, gateway: OpenAIGateway) -> None:
    file_id = upload(server, b"one\n")
    server.disturb("GET", "/v1/files/*/content", times=3)
    with pytest.raises(ServiceError):
        list(gateway.files.lines(file_id))
    assert list(gateway.files.lines(file_id)) == [b"one"]


def test_no_such_file(gateway: OpenAIGateway) -> None:
    with pytest.raises(NotFound):
        list(gateway.files.lines("file-none"))
