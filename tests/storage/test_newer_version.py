"""A newer version changes the tables while this one runs, as after an upgrade in between."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

import gptasst
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.processes import processes

CHANGED = "was changed by a newer gptasst while this one was running"
MAIN_TABLES = {
    "assistants": "assistants",
    "conversations": "conversations",
    "runs": "answers",
    "usage": "usage",
}


@pytest.fixture
def upgrade(home: Path) -> Any:
    """Change the tables of databases as a newer version would, to ones that this can't use."""

    def change(*names: str) -> None:
        for name in names:
            path = home / "data" / f"{name}.sqlite3"
            with contextlib.closing(sqlite3.connect(path, timeout=60)) as database, database:
                database.execute(f"ALTER TABLE {MAIN_TABLES[name]} RENAME TO newer")
                database.execute("PRAGMA user_version = 99")

    return change


def version(home: Path, name: str) -> int:
    with contextlib.closing(sqlite3.connect(home / "data" / f"{name}.sqlite3")) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.parametrize("name", ["assistants", "conversations"])
def test_chat(cli: Cli, server: LoopbackServer, upgrade: Any, write: Write, name: str) -> None:
    write("kb/a.md", "alpha\n")
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb").code == 0
    server.meanwhile("POST", "/v1/responses", lambda: upgrade(name), skip=1)
    ran = cli("chat", "W", stdin=b"one\ntwo\nthree\n")
    assert (ran.code, ran.lines[:2]) == (1, ["one", "two"])
    assert f"/{name}.sqlite3` {CHANGED}\n" in ran.stderr
    assert "hint: start it again\n" in ran.stderr
    assert "no such" not in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.usefixtures("server")
def test_watch(cli: Cli, upgrade: Any, write: Write) -> None:
    write("kb/a.md", "alpha\n")
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb").code == 0
    with processes() as start:
        process = start("assistant", "files", "sync", "W", "--watch")
        assert process.stderr is not None
        while b"watching" not in (line := process.stderr.readline()):
            assert line
        upgrade("assistants")
        write("kb/b.md", "beta\n")
        said = process.stderr.read().decode()
        assert process.wait() == 1
    assert CHANGED in said
    assert "hint: start it again\n" in said
    assert "no such" not in said


def test_each(cli: Cli, server: LoopbackServer, upgrade: Any, home: Path, write: Write) -> None:
    """Every answer is written, and the journals stay those of the newer version."""
    for number in range(3):
        write(f"in/{number}.md", f"{number}\n")
    assert cli("run", "DocWriter", "-t", "x").code == 0
    server.meanwhile("POST", "/v1/responses", lambda: upgrade("runs", "usage"), skip=1)
    ran = cli("run", "DocWriter", "in", "--each", "-j", "1", "-o", "out")
    assert ran.code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["0.md", "1.md", "2.md"]
    for name in ("runs", "usage"):
        said = f"/{name}.sqlite3` can't be used and is not used: it was written by a newer gptasst"
        assert ran.stderr.count(said) == 1
        assert version(home, name) == 99
    assert not list((home / "data").glob("*.damaged-*"))


def test_each_with_knowledge(cli: Cli, server: LoopbackServer, upgrade: Any, write: Write) -> None:
    """What is done is kept, and the rest says why it is not."""
    write("kb/a.md", "alpha\n")
    for number in range(3):
        write(f"in/{number}.md", f"alpha {number}\n")
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb").code == 0
    server.meanwhile("POST", "/v1/responses", lambda: upgrade("assistants"), skip=1)
    ran = cli("run", "W", "in", "--each", "-j", "1", "-o", "out")
    assert ran.code in (1, 6)
    assert Path("out/0.md").read_text() == "alpha 0\n"
    assert CHANGED in ran.stderr
    assert "no such" not in ran.stderr


@pytest.mark.usefixtures("server")
def test_the_library(cli: Cli, upgrade: Any) -> None:
    assert cli("assistant", "create", "W", "-i", "DocWriter").code == 0
    with gptasst.Client() as client:
        assert client.run("W", text="x").answer == "x"
        upgrade("assistants")
        with pytest.raises(gptasst.StateError, match=CHANGED) as failure:
            client.run("W", text="x")
        assert failure.value.code == "newer_store"
