"""Fixtures for pytest: `pytest-openai-loopback` registers them where it is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import LoopbackServer


@pytest.fixture
def openai_loopback_server() -> Iterator[LoopbackServer]:
    """A server on 127.0.0.1 that plays OpenAI's API; it ends with the test.

    Raises:
        RuntimeError: at the test's end, if something went wrong within the server.
    """
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def openai_loopback(
    openai_loopback_server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> LoopbackServer:
    """The same server, and the variables by which OpenAI's clients find it."""
    monkeypatch.setenv("OPENAI_BASE_URL", openai_loopback_server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback")
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    return openai_loopback_server
