"""Every test runs on both stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apply.code import definition
from tests.conftest import Write
from tests.loopback import LoopbackServer


@pytest.fixture(params=["local", "project"], autouse=True)
def store(request: pytest.FixtureRequest, server: LoopbackServer) -> str:
    if request.param == "project":
        request.getfixturevalue("project")
    return str(request.param)


@pytest.fixture
def repository(write: Write) -> None:
    """Two assistants, one with knowledge, in a clone of a repository."""
    Path(".git").mkdir()
    write(".git/config", '[remote "origin"]\n\turl = git@github.com:acme/docs.git\n')
    write("docs/a.md", "alpha\n")
    write("docs/b.md", "beta\n")
    write("assistants/writer.toml", definition("Writer", 'knowledge = ["../docs"]'))
    write("assistants/linter.toml", definition("Linter", "[tools]", "web_search = true"))
