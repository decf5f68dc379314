"""Many processes at once on one cache and one project: nothing is there twice."""

from __future__ import annotations

import contextlib
import os
import sys

import pytest

from gptasst.context import AppContext
from gptasst.storage.locks import alone
from gptasst.uploads.types import TransferState
from tests.assistants.project import contents, knowledge, only_store
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

if sys.platform == "win32":
    pytest.skip("there is no forkserver", allow_module_level=True)

from tests.faults.forked import Ended, Forked


@pytest.fixture(autouse=True)
def slow(project: LoopbackServer) -> None:
    """So that requests of many are under way at the same time."""
    project.latency = 0.02


def at_once(*commands: str) -> list[Ended]:
    running = [Forked(command.split()) for command in commands]
    ended = [process.end() for process in running]
    assert not any("Traceback" in one.stderr for one in ended)
    return ended


@pytest.mark.parametrize("count", [2, 20])
def test_one_file(project: LoopbackServer, write: Write, count: int) -> None:
    write("a.md", "the same\n")
    ended = at_once(*["file upload a.md -q"] * count)
    assert [one.code for one in ended] == [0] * count
    (file_id,) = project.files
    assert {one.stdout.decode().strip() for one in ended} == {file_id}


def test_another_that_uploads_is_waited_for_and_that_is_said(
    project: LoopbackServer, write: Write
) -> None:
    write("a.md", "the same\n")
    seen: list[str] = []
    with contextlib.ExitStack() as other, AppContext(os.environ) as context:
        locks = context.paths.data / "locks"
        locks.mkdir(parents=True)
        for digit in "0123456789abcdef":
            other.enter_context(alone(locks / f"upload-{digit}.lock", 1))

        def report(state: TransferState) -> None:
            seen.append(state.phase)
            other.close()

        plan = context.uploads.plan(["a.md"], "user_data")
        assert context.uploads.carry_out(plan, report).failed == ()
    assert seen[0] == "waiting"
    assert seen[-1] == "uploading"
    assert contents(project) == [b"the same\n"]


def test_one_name(project: LoopbackServer, write: Write) -> None:
    """One of them has it, the others are told; no conversation is left over."""
    write("a.md", "the same\n")
    ended = at_once(*["assistant create Docs -i DocWriter -f a.md"] * 8)
    assert {one.code for one in ended} <= {0, 2, 3}
    assert [one.code for one in ended].count(0) >= 1
    assert only_store(project, "Docs").about["metadata"]["state"] == "ready"
    assert len(project.conversations) == 1
    assert contents(project) == [b"the same\n"]


@pytest.mark.usefixtures("server")
def test_names_in_a_local_store_that_is_new(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them may be the one that makes it."""
    monkeypatch.setenv("GPTASST_STORE", "local")
    names = [f"Docs{number}" for number in range(10, 30)]
    ended = at_once(*(f"assistant create {name} -i DocWriter" for name in names))
    assert [one.code for one in ended] == [0] * 20, {one.stderr for one in ended}
    assert cli("assistant", "list", "-q").lines == names


def test_files_of_one_assistant(cli: Cli, project: LoopbackServer, write: Write) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    expected = {}
    for number in range(8):
        expected[f"{number}.md"] = f"number {number}\n".encode()
        write(f"{number}.md", expected[f"{number}.md"])
    ended = at_once(*(f"assistant files add Docs {number}.md" for number in range(8)))
    assert [one.code for one in ended] == [0] * 8
    assert knowledge(project, "Docs") == expected
    assert contents(project) == sorted(expected.values())
    assert cli("assistant", "files", "sync", "Docs").stderr == "`Docs`: 8 unchanged\n"
