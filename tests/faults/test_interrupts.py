"""Ctrl-C, once and twice, while a server says nothing: the command ends, and can be done again."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.assistants.project import calls
from tests.conftest import Cli
from tests.faults.operations import Operation, prepare
from tests.faults.project_state import (
    Checkpoint,
    held,
    without_leftover,
)
from tests.loopback import LoopbackServer

if sys.platform == "win32":
    pytest.skip("signals of POSIX", allow_module_level=True)

from tests.faults.forked import Ended, Forked

FOR_EVER = 3600.0


def interrupted(
    server: LoopbackServer, operation: Operation, spot: int, *, signals: int = 1
) -> Ended:
    """A command whose request of that number, and every later one, is not answered."""

    def fall_silent() -> None:
        server.latency = FOR_EVER

    if spot == 0:
        fall_silent()
    else:
        server.meanwhile("*", "*", fall_silent, skip=spot - 1)
    process = Forked(operation.words, stdin=operation.stdin or b"")
    while len(server.requests) <= spot:
        time.sleep(0.002)
    for number in range(signals):
        time.sleep(0.1 * number)  # a person is not faster
        process.send(signal.SIGINT)
    ended = process.end(server)
    server.latency = 0.0
    server.disturbances.clear()
    return ended


@pytest.mark.parametrize("name", ["create", "files sync", "upload", "submit", "delete"])
def test_at_each_request_that_changes_something(
    cli: Cli, project: LoopbackServer, home: Path, name: str
) -> None:
    operation = prepare(cli, project)[name]
    begun = Checkpoint(project, home)
    begun.restore()
    assert operation.run(cli).code == 0
    made, wanted = calls(project), held(project)
    kinds = dict.fromkeys(request for request in made if not request.startswith("GET"))
    for request in kinds:
        begun.restore()
        ended = interrupted(project, operation, made.index(request))
        assert (request, ended.code, ended.stdout) == (request, 130, b"")
        assert "Traceback" not in ended.stderr
        assert operation.run(cli).code == 0
        state = held(project)
        if name == "create" and request in ("POST /conversations/*/items", "POST /vector_stores"):
            state = without_leftover(state)
        assert (request, state) == (request, wanted)


@pytest.mark.parametrize("name", ["run", "run --each", "file list", "prune", "fetch", "rebuild"])
def test_when_nothing_was_answered_yet(cli: Cli, project: LoopbackServer, name: str) -> None:
    operations = prepare(cli, project)
    before = held(project)
    ended = interrupted(project, operations[name], 0)
    assert (ended.code, ended.stdout) == (130, b"")
    assert "Traceback" not in ended.stderr
    assert held(project) == before
    assert operations[name].run(cli).code == 0


@pytest.mark.parametrize(("name", "spot"), [("chat", 3), ("run --each", 1), ("create", 4)])
def test_twice(cli: Cli, project: LoopbackServer, name: str, spot: int) -> None:
    """The second one also ends what is still to be done after the first."""
    ended = interrupted(project, prepare(cli, project)[name], spot, signals=2)
    assert ended.code in (130, -signal.SIGINT)
    assert "Traceback" not in ended.stderr
