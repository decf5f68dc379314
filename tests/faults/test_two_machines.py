"""Two homes of one project run commands at random, with faults and kills, against a plain model.

By default two short seeds run. `GPTASST_RANDOM_SEEDS=50` runs fifty long ones, of some hundred
commands each; `GPTASST_RANDOM_SEEDS=7,` runs the seed 7 alone.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Cli, Ran
from tests.loopback import LoopbackServer, outcomes
from tests.uploads.test_proven_contents import on_server

ASKED = os.environ.get("GPTASST_RANDOM_SEEDS", "")
NAMES = ("A", "B")
FILES = ("a.md", "b.md", "c.md")
COMMANDS = 200 if ASKED else 25  # of each seed
KILLS = sys.platform != "win32"  # a fork is cheap; there is none on Windows
_Contents = dict[str, bytes]


def seeds() -> list[int]:
    """Two of them, or what the environment asks for."""
    first, comma, _ = ASKED.partition(",")
    return [int(first)] if comma else list(range(int(first or 2)))


@dataclass
class Model:
    """What must be there: each assistant's knowledge, or those that it may be after a fault."""

    may_be: dict[str, list[_Contents | None]] = field(default_factory=dict)

    def now(self, name: str, actual: _Contents | None) -> None:
        """Hold what is there to what may be there."""
        allowed = self.may_be.get(name, [None])
        assert actual in allowed, f"{name}: {actual} is none of {allowed}"
        self.may_be[name] = [actual]


class Machines:
    """Commands of two homes in one working directory."""

    def __init__(self, cli: Cli, server: LoopbackServer, home: Path) -> None:
        self._cli = cli
        self.server = server
        self._homes = [home, home.parent / "second"]

    def run(self, number: int, *words: str) -> Ran:
        with self._at(number):
            return self._cli(*words)

    def run_killed(self, number: int, spot: int, *words: str) -> Ran:
        """Run a command in a process that is killed at its request of that number.

        The server carries the request out. A command of fewer requests ends as usual.
        """
        from tests.faults.forked import Forked

        process: list[Forked] = []

        def kill() -> None:
            process[0].kill()

        self.server.meanwhile("*", "*", kill, skip=spot)
        with self._at(number):
            process.append(Forked(words))
        ended = process[0].end(self.server)
        return Ran(ended.code, ended.stdout, ended.stderr)

    @contextmanager
    def _at(self, number: int) -> Iterator[None]:
        before = os.environ["GPTASST_HOME"]
        os.environ["GPTASST_HOME"] = str(self._homes[number])
        try:
            yield
        finally:
            os.environ["GPTASST_HOME"] = before

    def knowledge(self, name: str) -> _Contents | None:
        """What an assistant knows that is ready; `None`: there is none."""
        found = [s for s in self.server.stores.values() if s.about["name"] == name]
        assert len(found) < 2, f"two assistants are called {name}"
        if not found or found[0].about["metadata"]["state"] == "creating":
            return None
        return dict(self.attached(name))

    def attached(self, name: str) -> list[tuple[str, bytes]]:
        """All that is attached: a killed command leaves an old content beside a new one."""
        found = [s for s in self.server.stores.values() if s.about["name"] == name]
        files = [one for store in found for one in store.files.values()]
        return [(str(one.attributes["path"]), one.file.data) for one in files]

    def is_half_deleted(self, name: str) -> bool:
        """Whether a delete was cut off; the same command finishes it, and others say so."""
        found = (store.about for store in self.server.stores.values())
        return any(one["metadata"]["state"] == "deleting" for one in found if one["name"] == name)


def disturb(choice: random.Random, server: LoopbackServer) -> bool:
    """Sometimes put a fault in the way of the next command."""
    kind = choice.choice(["none", "none", "lost", "refused", "broken"])
    if kind == "none":
        return False
    method = choice.choice(["POST", "DELETE", "GET"])
    faults: dict[str, outcomes.HttpAnswer | None] = {
        "lost": None, "broken": outcomes.http_error(403), "refused": outcomes.http_error(403),
    }  # fmt: skip
    times = 99 if kind == "broken" else 1
    skip = choice.randrange(6)
    server.disturb(method, "*", faults[kind], done=kind == "lost", times=times, skip=skip)
    return True


@pytest.mark.parametrize("seed", seeds())
def test_what_is_there_is_what_the_model_has(
    cli: Cli, project: LoopbackServer, home: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_TIMEOUT", "1")  # faults are given up soon
    choice = random.Random(seed)  # nothing is secret here
    machines, model = Machines(cli, project, home), Model()
    for name in FILES:
        Path(name).write_text(f"{name} 0\n")
    theirs = {on_server(project, Path(name).read_bytes(), name): name for name in FILES}
    held = {file_id: project.files[file_id].data for file_id in theirs}
    for number in range(COMMANDS):
        step(choice, machines, model, number)
        for file_id, data in held.items():
            assert project.files[file_id].data == data
    heal(machines, model)
    ours = [f.data for i, f in project.files.items() if i not in held]
    known = [c for name in NAMES for c in (machines.knowledge(name) or {}).values()]
    assert sorted(set(ours)) == sorted(set(known))


def step(choice: random.Random, machines: Machines, model: Model, number: int) -> None:
    """One command of one machine, disturbed or not; then what is there is looked at."""
    name = choice.choice(NAMES)
    if choice.random() < 0.3:
        changed = choice.choice(FILES)
        Path(changed).write_text(f"{changed} {number}\n")
    before, attached = machines.knowledge(name), machines.attached(name)
    files = choice.sample(FILES, choice.randint(1, len(FILES)))
    words, after = command(choice, name, files, before)
    if machines.is_half_deleted(name):
        words, after = ["assistant", "delete", name, "-y"], None
    if KILLS and choice.random() < 0.2:
        disturbed, spot = True, choice.randrange(12)
        ran = machines.run_killed(choice.randrange(2), spot, *words)
    else:
        disturbed = disturb(choice, machines.server)
        ran = machines.run(choice.randrange(2), *words)
    machines.server.disturbances.clear()
    assert "Traceback" not in ran.stderr, ran.stderr
    if ran.code == 0:
        model.may_be[name] = [after]
    elif disturbed and ran.code != 2:
        model.may_be[name] = [before, after, *mixtures(attached, after)]
    model.now(name, machines.knowledge(name))


def command(
    choice: random.Random, name: str, files: list[str], before: _Contents | None
) -> tuple[list[str], _Contents | None]:
    """A command's words, and what its assistant knows where it ends well."""
    given = {file: Path(file).read_bytes() for file in files}
    if before is None:
        return ["assistant", "create", name, "-i", "DocWriter", "-f", *files], given
    gone = choice.choice(sorted(before) or FILES)
    left = {path: data for path, data in before.items() if path != gone}
    on_disk = {file: Path(file).read_bytes() for file in before}
    model = choice.choice(["gpt-6-luna", "gpt-6.2-sol"])
    possible: list[tuple[list[str], _Contents | None]] = [
        (["assistant", "files", "set", name, *files], given),
        (["assistant", "files", "add", name, *files], {**before, **given}),
        (["assistant", "edit", name, "-m", model], before),
        (["assistant", "files", "sync", name], on_disk),
        (["assistant", "delete", name, "-y"], None),
        (["file", "prune", "-y"], before),
    ]
    if before:
        possible.append((["assistant", "files", "remove", name, gone], left))
    return choice.choice(possible)


def mixtures(attached: list[tuple[str, bytes]], after: _Contents | None) -> list[_Contents]:
    """What may be there where the connection broke for good in the middle of a change."""
    found: list[_Contents] = [{}]
    may_be = [*attached, *(after or {}).items()]
    for path in sorted({path for path, _ in may_be}):
        options = [None, *dict.fromkeys(data for of, data in may_be if of == path)]
        found = [f if value is None else {**f, path: value} for f in found for value in options]
    return found


def heal(machines: Machines, model: Model) -> None:
    """Doing it again without faults brings all in order."""
    for name in NAMES:
        if machines.is_half_deleted(name):
            assert machines.run(0, "assistant", "delete", name, "-y").code == 0
        if machines.knowledge(name) is not None:
            assert machines.run(0, "assistant", "files", "set", name, *FILES).code == 0
        else:
            machines.run(0, "assistant", "create", name, "-i", "DocWriter", "-f", *FILES)
        model.may_be[name] = [{file: Path(file).read_bytes() for file in FILES}]
        model.now(name, machines.knowledge(name))
    for number in (0, 1):
        assert machines.run(number, "file", "prune", "-y", "--min-age", "0").code == 0
