"""A project with one of everything, and a client that does not wait long."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from openai import _base_client

from gptasst.api import retries
from gptasst.assistants import project_knowledge as openai_knowledge


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many retries as ever, with next to no time in between."""
    monkeypatch.setattr(_base_client, "INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr(_base_client, "MAX_RETRY_DELAY", 0.001)
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(openai_knowledge, "_FIRST_PAUSE", 0.001)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A command that fails leaves threads behind, which end with its process.

    Here the process goes on, and a connection that one of them was making is left open.
    """
    item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    """Such a connection is noticed here and not in the next test."""
    gc.freeze()  # what is here already takes long to look through
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join(30)
    gc.collect()
