"""A server of its own and a client for each test here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import OpenAI

from . import LoopbackServer


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(scope="session")
def any_client() -> Iterator[OpenAI]:
    """A client is slow to make, as it reads certificates."""
    with OpenAI(base_url="http://127.0.0.1:9/v1", api_key="x", max_retries=0, timeout=5) as made:
        yield made


@pytest.fixture
def client(any_client: OpenAI, server: LoopbackServer) -> OpenAI:
    return any_client.with_options(base_url=server.base_url)
