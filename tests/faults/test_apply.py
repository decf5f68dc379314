"""`gptasst apply` cut at any request, and two of them at once."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.apply.code import definition
from tests.assistants.project import calls, writes
from tests.assistants.test_interleaved import Machines, check
from tests.conftest import Cli, Ran, Write
from tests.faults.operations import Operation
from tests.faults.project_state import Checkpoint, held, without_leftover
from tests.faults.test_each_request import CHANGES, gone_after
from tests.loopback import LoopbackServer

WORDS = ("apply", "code", "--prune", "-y")
# A conversation without a vector store that leads to it can't be found again.
UNFINDABLE = ("POST /conversations", "POST /conversations/*/items")


@pytest.fixture
def begun(cli: Cli, project: LoopbackServer, home: Path, write: Write) -> Checkpoint:
    """A project for which an apply creates, changes, renames, takes over and deletes."""
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", f"This is {name}.\n")
    write("code/kept.toml", definition("Kept", 'knowledge = ["../docs"]'))
    write("code/named.toml", definition("Before"))
    write("code/gone.toml", definition("Gone", 'knowledge = ["../docs/a.md"]'))
    assert cli(*WORDS).code == 0
    assert cli("assistant", "create", "Mine", "-i", "DocWriter").code == 0
    write("docs/a.md", "This is a, changed.\n")
    Path("docs/b.md").unlink()
    write("docs/d.md", "This is d.\n")
    write("code/kept.toml", definition("Kept", 'model = "m"', 'knowledge = ["../docs"]'))
    write("code/named.toml", definition("After"))
    Path("code/gone.toml").unlink()
    write("code/mine.toml", definition("Mine"))
    write("code/new.toml", definition("New", 'knowledge = ["../docs/c.md"]'))
    return Checkpoint(project, home)


def undisturbed(
    cli: Cli, server: LoopbackServer, begun: Checkpoint
) -> tuple[Any, list[tuple[int, str]], list[str]]:
    """What is there in the end, which requests change something, and all of them.

    The numbers count the requests that change something.
    """
    begun.restore()
    assert cli(*WORDS).code == 0
    made = calls(server)
    assert {name for name, *_ in held(server)["assistants"]} == {"Kept", "After", "Mine", "New"}
    changing = [call for call in made if not call.startswith("GET")]
    return held(server), list(enumerate(changing)), changing


def finished(cli: Cli, server: LoopbackServer, wanted: Any, request: str) -> None:
    """The same command finishes it, and then there is nothing left to do."""
    ran = cli(*WORDS)
    assert (request, ran.code) == (request, 0), ran.stderr
    state = held(server)
    if state != wanted and request in UNFINDABLE:
        state = without_leftover(state)
    assert (request, state) == (request, wanted)
    check(server)
    server.requests.clear()
    assert cli("apply", "code", "--prune", "--check").code == 0
    assert cli(*WORDS).code == 0
    assert (request, writes(server)) == (request, [])


def test_the_connection_is_gone_at_any_request(
    cli: Cli, project: LoopbackServer, begun: Checkpoint
) -> None:
    wanted, spots, _ = undisturbed(cli, project, begun)
    for spot, request in spots:
        begun.restore()
        gone_after(spot)(project)
        ran = cli(*WORDS, "--json")
        project.disturbances.clear()
        assert (request, ran.code, ran.error["code"]) == (request, 1, "unreachable")
        finished(cli, project, wanted, request)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_at_any_request(cli: Cli, project: LoopbackServer, begun: Checkpoint) -> None:
    from tests.faults.test_kills import killed_at

    wanted, spots, made = undisturbed(cli, project, begun)
    for spot, request in spots:
        begun.restore()
        ended = killed_at(request, made[:spot], project, Operation(WORDS))
        project.disturbances.clear()
        assert (request, ended.code) == (request, -9)
        finished(cli, project, wanted, request)


def test_two_at_once(cli: Cli, project: LoopbackServer, home: Path, begun: Checkpoint) -> None:
    """At each request of one, the other runs from its beginning to its end."""
    wanted, spots, _ = undisturbed(cli, project, begun)
    machines, line = Machines(cli, home), " ".join(WORDS)
    for spot, request in spots:
        begun.restore()
        second: list[Ran] = []
        meanwhile = functools.partial(_run_other, machines, line, second)
        project.meanwhile(CHANGES, "*", meanwhile, skip=spot)
        first = machines.run(0, line)
        codes = {first.code, second[0].code}
        assert (request, codes <= {0, 2, 6}) == (request, True), (first, second)
        for ran in (first, *second):
            assert "Traceback" not in ran.stderr
            assert ran.code == 0 or _tells(ran), ran.stderr
        assert machines.run(0, line).code == 0
        check(project)
        assert _assistants(project) == _assistants_of(wanted)
        assert cli("apply", "code", "--prune", "--check").code == 0


def _run_other(machines: Machines, line: str, ended: list[Ran]) -> None:
    ended.append(machines.run(1, line))


def _tells(ran: Ran) -> bool:
    words = ("by somebody else", "already", "was interrupted, or goes on", "at the same time")
    return any(each in ran.stderr for each in words)


def _assistants(server: LoopbackServer) -> Any:
    return _assistants_of(held(server))


def _assistants_of(state: Any) -> Any:
    """Without the number of the revision: both may have saved the same."""
    return [(name, state, model, known) for name, state, _, model, known in state["assistants"]]
