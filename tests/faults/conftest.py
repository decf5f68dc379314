"""A project with one of everything, and a client that does not wait long."""

from __future__ import annotations

import pytest
from openai import _base_client

from gptasst.openai_gateway import retries
from gptasst.stores import openai_knowledge


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many retries as ever, with next to no time in between."""
    monkeypatch.setattr(_base_client, "INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr(_base_client, "MAX_RETRY_DELAY", 0.001)
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(openai_knowledge, "_FIRST_PAUSE", 0.001)
