"""How many connections a command makes: a new one costs a handshake, and servers count them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gptasst.uploads.uploader import DEFAULT_JOBS, KNOWLEDGE_JOBS
from tests.conftest import Cli
from tests.loopback import LoopbackServer

Write = Callable[[str, str | bytes], Path]
_FILES = 60
# What is only read goes over connections of its own, without the SDK.
_READING = 2


@pytest.fixture
def docs(write: Write) -> None:
    for number in range(_FILES):
        write(f"docs/{number}.md", f"# Guide {number}\n")


def made(server: LoopbackServer, cli: Cli, *words: str) -> int:
    """The connections that a command made."""
    before = server.connections
    assert cli(*words).code == 0
    return server.connections - before


def test_one_run_is_one_connection(cli: Cli, project: LoopbackServer, write: Write) -> None:
    write("style.md", "# Style\n")
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "style.md").code == 0
    before = len(project.requests)
    assert made(project, cli, "run", "Docs", "-t", "style") == 1
    assert len(project.requests) - before <= 3  # at most two before the answer


@pytest.mark.usefixtures("docs")
def test_uploads_share_connections(cli: Cli, project: LoopbackServer) -> None:
    assert 1 <= made(project, cli, "file", "upload", "docs") <= DEFAULT_JOBS + _READING


@pytest.mark.usefixtures("docs")
def test_so_do_uploads_of_knowledge(cli: Cli, project: LoopbackServer) -> None:
    create = ("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs")
    assert 1 <= made(project, cli, *create) <= KNOWLEDGE_JOBS + _READING


@pytest.mark.usefixtures("docs")
def test_and_runs_of_many_files(cli: Cli, server: LoopbackServer) -> None:
    each = ("run", "MarkdownLinter", "docs", "--each", "-j", "4", "-o", "linted")
    assert 1 <= made(server, cli, *each) <= 4
