"""Real servers: `scripts/servers` starts them and runs these tests; else they are deselected."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli, Ran

# Where `scripts/servers` writes the URL of each server that runs.
URLS = {name: f"SERVERS_{name.upper()}_URL" for name in ("ogx", "litellm", "llama", "vllm")}

Machine = Callable[..., Ran]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of servers that don't run."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        mark = item.get_closest_marker("servers")
        wanted = mark is None or os.environ.get(URLS[mark.args[0]])
        (kept if wanted else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """The base URL of the server that the test is about."""
    mark = request.node.get_closest_marker("servers")
    assert mark is not None
    return os.environ[URLS[mark.args[0]]]


@pytest.fixture
def name() -> str:
    """A name that no other assistant of the server has."""
    return f"Test {secrets.token_hex(4)}"


@pytest.fixture
def on(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Machine]:
    """Run commands on one of several machines: `on("one")("assistant", "list")`."""

    def machine(which: str) -> Machine:
        def run(*words: str | Path, stdin: bytes | None = None, code: int = 0) -> Ran:
            with monkeypatch.context() as patch:
                patch.setenv("GPTASST_HOME", str(tmp_path / which))
                ran = cli(*words, stdin=stdin)
            assert ran.code == code, (words, ran.code, ran.text, ran.stderr)
            return ran

        return run

    return machine
