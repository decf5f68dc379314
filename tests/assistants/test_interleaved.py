"""Another machine's command runs in the middle of a command that writes.

By default these are the pairs that met in practice, at every write, and others before the last
write, which settles what was begun. `GPTASST_EVERY_PAIR=1` runs every pair of commands at every
write, which takes long.
"""

from __future__ import annotations

import functools
import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from gptasst.knowledge.types import KnowledgeFile, knowledge_sha256
from tests.conftest import Cli, Ran, Write
from tests.faults.project_state import Checkpoint
from tests.loopback import LoopbackServer

COMMANDS = {
    "create": "assistant create New -i DocWriter -f a.md",
    "create, with other files": "assistant create New -i DocWriter -f b.md",
    "rename": "assistant edit Docs --rename New",
    "rename another": "assistant edit Other --rename New",
    "set": "assistant files set Docs a.md b.md",
    "set others": "assistant files set Docs b.md c.md",
    "add": "assistant files add Docs d.md",
    "remove": "assistant files remove Docs kept.md",
    "edit": "assistant edit Docs -m gpt-6.2-sol",
    "sync": "assistant files sync Docs",
    "rollback": "assistant rollback Docs 1 -y",
    "import": "assistant import docs.toml --name New",
    "delete": "assistant delete Docs -y",
}
EVERY_PAIR = bool(os.environ.get("GPTASST_EVERY_PAIR"))
_State = frozenset[tuple[str, str, frozenset[tuple[str, bytes]]]]


def state(server: LoopbackServer) -> _State:
    """The assistants by name, with model and knowledge."""
    return frozenset(
        (
            store.about["name"],
            store.about["metadata"]["model"],
            frozenset((str(a.attributes["path"]), a.file.data) for a in store.files.values()),
        )
        for store in server.stores.values()
    )


def check(server: LoopbackServer) -> None:
    """No name is there twice, and what the metadata says of the knowledge is true."""
    names = [store.about["name"] for store in server.stores.values()]
    assert len(names) == len(set(names))
    for store in server.stores.values():
        paths = [str(a.attributes["path"]) for a in store.files.values()]
        assert len(paths) == len(set(paths))
        known = [_known(a) for a in store.files.values()]
        assert store.about["metadata"]["knowledge_sha256"] == knowledge_sha256(known)
        assert store.about["metadata"]["state"] == "ready"


def _known(attached: Any) -> KnowledgeFile:
    path, sha256 = (str(attached.attributes[key]) for key in ("path", "sha256"))
    return KnowledgeFile(attached.file.about["id"], path, 0, sha256, None)  # type: ignore[arg-type]


class Machines:
    """Two homes of one project."""

    def __init__(self, cli: Cli, home: Path) -> None:
        self._cli = cli
        self._homes = [home, home.parent / "second"]

    def run(self, number: int, line: str) -> Ran:
        before = os.environ["GPTASST_HOME"]
        os.environ["GPTASST_HOME"] = str(self._homes[number])
        try:
            return self._cli(*line.split())
        finally:
            os.environ["GPTASST_HOME"] = before


@pytest.fixture
def machines(cli: Cli, project: LoopbackServer, home: Path, write: Write) -> Machines:
    """With an assistant that knows `kept.md` and `a.md`, and another one."""
    for name in ("a", "b", "c", "d", "kept"):
        write(f"{name}.md", f"This is {name}.\n")
    both = Machines(cli, home)
    assert both.run(0, "assistant create Docs -i DocWriter -f kept.md a.md").code == 0
    assert both.run(0, "assistant edit Docs -m gpt-6-luna").code == 0
    assert both.run(0, "assistant export Docs -o docs.toml").code == 0
    assert both.run(1, "assistant create Other -i DocWriter").code == 0
    for name in ("a", "kept"):
        write(f"{name}.md", f"This is {name}, changed.\n")
    return both


OFTEN = [
    ("create", "create, with other files"),
    ("create", "rename"),
    ("rename", "create"),
    ("rename", "rename another"),
    ("set", "set others"),
    ("set", "add"),
    ("add", "set"),
    ("set", "remove"),
    ("add", "edit"),
    ("edit", "add"),
    ("edit", "rename"),
    ("delete", "add"),
    ("delete", "rename"),
    ("remove", "sync"),
]
SELDOM = [
    ("sync", "set others"),
    ("sync", "delete"),
    ("set", "sync"),
    ("rollback", "edit"),
    ("edit", "rollback"),
    ("rollback", "add"),
    ("import", "create"),
    ("import", "rename"),
    ("rename", "delete"),
    ("create", "import"),
    ("remove", "remove"),
]
PAIRS = list(itertools.product(COMMANDS, COMMANDS)) if EVERY_PAIR else OFTEN + SELDOM


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_commands_at_once_are_as_one_after_the_other_or_one_is_refused(
    machines: Machines,
    project: LoopbackServer,
    home: Path,
    first: str,
    second: str,
    subtests: pytest.Subtests,
) -> None:
    begun = Checkpoint(project, home)
    allowed = _allowed(machines, project, begun, first, second)
    spots = _writes(machines, project, begun, first)
    for spot in spots if EVERY_PAIR or (first, second) in OFTEN else spots[-1:]:
        begun.restore()
        others: list[int] = []
        meanwhile = functools.partial(_run_other, machines, second, others)
        project.meanwhile("*", "*", meanwhile, skip=spot)
        ran = machines.run(0, COMMANDS[first])
        with subtests.test(f"{spot}"):
            assert "Traceback" not in ran.stderr
            codes = (ran.code == 0, others == [0])
            assert state(project) in allowed[codes], ran.stderr
            check(project)


def test_a_rival_at_any_request_of_a_whole_set(
    machines: Machines, project: LoopbackServer, home: Path
) -> None:
    """Also while the new files are waited for: what a rival takes away has not failed."""
    begun, line = Checkpoint(project, home), "assistant files set Docs a.md b.md d.md"
    allowed = _allowed(machines, project, begun, "set", "set others")[True, True]
    begun.restore()
    machines.run(0, line)
    allowed = {one for one in allowed if "c.md" in str(one)} | {state(project)}
    for spot in range(len(project.requests)):
        begun.restore()
        project.meanwhile("*", "*", lambda: machines.run(1, COMMANDS["set others"]), skip=spot)
        ran = machines.run(0, line)
        assert (spot, ran.code in (0, 2), state(project) in allowed) == (spot, True, True), ran
        check(project)


def _run_other(machines: Machines, name: str, codes: list[int]) -> None:
    codes.append(machines.run(1, COMMANDS[name]).code)


def _writes(machines: Machines, server: LoopbackServer, begun: Checkpoint, name: str) -> list[int]:
    """The numbers of those requests of a command that change something."""
    begun.restore()
    machines.run(0, COMMANDS[name])
    return [n for n, record in enumerate(server.requests) if record.method != "GET"]


def _allowed(
    machines: Machines, server: LoopbackServer, begun: Checkpoint, first: str, second: str
) -> dict[tuple[bool, bool], set[_State]]:
    """What may be there, by which of the two commands ended well."""
    outcomes: dict[tuple[bool, bool], set[_State]] = {}
    for order in ((0, 1), (1, 0), (0,), (1,), ()):
        begun.restore()
        codes = {0: False, 1: False}
        for number in order:
            codes[number] = machines.run(number, COMMANDS[(first, second)[number]]).code == 0
        outcomes.setdefault((codes[0], codes[1]), set()).add(state(server))
        if first == second and codes[0]:  # both may find done what both asked for
            outcomes.setdefault((True, True), set()).add(state(server))
    return outcomes
