"""kill -9 at any point of a change that waits for its cases, and the same command again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.assistants.project import calls
from tests.conftest import Cli, Write
from tests.faults.operations import Operation
from tests.faults.project_state import Checkpoint
from tests.loopback import LoopbackServer

if sys.platform == "win32":
    pytest.skip("signals of POSIX", allow_module_level=True)

from tests.faults.test_kills import killed_at

CASES = '[[case]]\nname = "a"\ntext = "What is in a?"\ncites = "docs/a.md"\n'


def desk(server: LoopbackServer) -> Any:
    return next(s for s in server.stores.values() if s.about["name"] == "Desk")


def known(server: LoopbackServer) -> dict[str, bytes]:
    return {a.attributes["path"]: a.file.data for a in desk(server).files.values()}


@pytest.mark.parametrize("words", ["edit Desk -m gpt-6.2-sol", "files sync Desk"])
def test_killed_at_any_request(
    cli: Cli, project: LoopbackServer, home: Path, write: Write, words: str
) -> None:
    write("Desk.toml", "instructions = 'x'\n")
    write("Desk.cases.toml", CASES)
    for name in "ab":
        write(f"docs/{name}.md", f"All about {name}.\n")
    assert cli("assistant", "create", "Desk", "-i", "Desk.toml", "-f", "docs").code == 0
    write("docs/b.md", "All new.\n")
    write("docs/c.md", "All about c.\n")
    old = known(project)
    operation = Operation(("assistant", *words.split(), "--tested"))
    begun = Checkpoint(project, home)
    begun.restore()
    project.requests.clear()
    assert operation.run(cli).code == 0
    made = calls(project)
    wanted, model = known(project), desk(project).about["metadata"]["model"]
    for spot, request in enumerate(made):
        if request.startswith("GET"):
            continue
        begun.restore()
        killed_at(request, made[:spot], project, operation)
        there = known(project)
        assert all(there.get(path) in (old[path], wanted[path]) for path in old), request
        assert operation.run(cli).code == 0, request
        assert (request, known(project)) == (request, wanted)
        assert desk(project).about["metadata"]["model"] == model
