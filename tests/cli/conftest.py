"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import LoopbackServer

Sent = Callable[[], list[str]]


@pytest.fixture
def sent(server: LoopbackServer) -> Sent:
    """The texts of the one message that the server got last."""

    def texts() -> list[str]:
        return [part["text"] for part in sent_parts(server) if part["type"] == "input_text"]

    return texts


def names() -> list[str]:
    """What is in the working directory."""
    return sorted(path.name for path in Path().iterdir())


def sent_parts(server: LoopbackServer) -> list[dict[str, Any]]:
    (message,) = server.requests[-1].json["input"]
    parts: list[dict[str, Any]] = message["content"]
    return parts


@pytest.fixture
def local_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Assistants are looked up on this machine, so that all requests are those of runs."""
    monkeypatch.setenv("GPTASST_STORE", "local")
