"""`assistant files sync --watch`: knowledge that follows its files."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gptasst.inputs.watching import Places
from tests.conftest import Cli, Write
from tests.knowledge import documents
from tests.loopback import LoopbackServer, outcomes
from tests.processes import Process, processes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

Watch = Callable[[], Process]


@pytest.fixture
def watch(cli: Cli, write: Write) -> Iterator[Watch]:
    """Start to watch an assistant that was made from a directory and a file."""
    write("kb/a.md", "alpha\n")
    write("notes/one.md", "one\n")

    def begin() -> Process:
        made = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb", "notes/one.md")
        assert made.code == 0
        process = start("assistant", "files", "sync", "W", "--watch")
        said(process, "watching")
        return process

    with processes() as start:
        yield begin


def said(process: Process, words: str) -> str:
    """The next line on stderr that has these words; the test's own limit ends the wait."""
    assert process.stderr is not None
    while line := process.stderr.readline().decode():
        if words in line:
            return line
    raise AssertionError(f"it ended without a word of {words}")


def lines_until(process: Process, words: str) -> list[str]:
    """The lines on stderr up to the next one that has these words."""
    assert process.stderr is not None
    lines = []
    while line := process.stderr.readline().decode():
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"it ended without a word of {words}")


def paths(cli: Cli) -> list[str]:
    return cli("assistant", "files", "list", "W", "-q").lines


@pytest.fixture(params=["local", "openai"])
def store(
    request: pytest.FixtureRequest, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> LoopbackServer:
    monkeypatch.setenv("GPTASST_STORE", request.param)
    return server


def test_changes_are_taken_over_until_it_is_interrupted(
    cli: Cli, write: Write, store: LoopbackServer, watch: Watch
) -> None:
    process = watch()
    write("kb/b.md", "beta\n")
    assert "1 added" in said(process, "`W`")
    write("kb/a.md", "alpha, changed\n")
    assert "1 replaced" in said(process, "`W`")
    write("notes/one.md", "one, changed\n")
    assert "1 replaced" in said(process, "`W`")
    write("notes/two.md", "is nothing of it\n")
    write("kb/deep/er/c.md", "gamma\n")
    assert "1 added" in said(process, "`W`")
    Path("kb/b.md").unlink()
    assert "1 removed" in said(process, "`W`")
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert sorted(paths(cli)) == ["kb/a.md", "kb/deep/er/c.md", "notes/one.md"]
    assert cli("assistant", "files", "sync", "W", "-n", "-q").text == ""


def test_a_server_that_is_down_is_asked_again(
    cli: Cli, write: Write, project: LoopbackServer, watch: Watch
) -> None:
    process = watch()
    for method in ("GET", "POST"):
        project.disturb(method, "/v1/*", outcomes.http_error(503, message="down"), times=4)
    write("kb/b.md", "beta\n")
    assert "trying again in" in said(process, "down")
    assert "1 added" in said(process, "`W`")
    assert "kb/b.md" in paths(cli)


def test_a_directory_that_goes_and_comes_back(
    cli: Cli, write: Write, server: LoopbackServer, watch: Watch
) -> None:
    process = watch()
    shutil.rmtree("kb")
    assert "1 removed" in said(process, "`W`")
    write("kb/new.md", "new\n")
    assert "1 added" in said(process, "`W`")
    write("kb/newer.md", "newer\n")
    assert "1 added" in said(process, "`W`")


def test_another_directory_in_its_place_is_watched(
    cli: Cli, write: Write, server: LoopbackServer, watch: Watch
) -> None:
    """Renamed there at once, so that the place was never empty for long."""
    process = watch()
    write("other/b.md", "beta\n")
    Path("kb").rename("old")
    Path("other").rename("kb")
    assert "1 added" in said(process, "`W`")
    write("kb/newer.md", "newer\n")
    assert "1 added" in said(process, "`W`")


def test_a_file_that_can_not_be_taken_is_named(
    cli: Cli, write: Write, server: LoopbackServer, watch: Watch
) -> None:
    process = watch()
    write("kb/bad.md", b"\0binary")
    write("kb/b.md", "beta\n")
    assert "kb/bad.md" in said(process, "left out")
    assert "1 added" in said(process, "`W`")


def test_a_file_that_can_not_be_read_is_named_once(
    cli: Cli, write: Write, server: LoopbackServer, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_STORE", "local")
    process = watch()
    write("kb/x.docx", b"PK no zip")
    assert "`kb/x.docx` can't be read as DOCX" in said(process, "left out")
    write("kb/old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert "`kb/old.doc`" in said(process, "left out")
    write("kb/x.docx", documents.docx())
    assert "1 added" in said(process, "`W`: ")


def test_what_is_left_out_is_named_once(
    cli: Cli, write: Write, store: LoopbackServer, watch: Watch
) -> None:
    process = watch()
    write("kb/bad.md", b"\0binary")
    assert "kb/bad.md" in said(process, "left out")
    write("kb/b.md", "beta\n")
    assert lines_until(process, "1 added") == ["`W`: 1 added, 2 unchanged\n"]
    write("kb/bad.md", "text\n")
    assert "1 added" in said(process, "`W`")
    write("kb/bad.md", b"\0binary again")
    assert "kb/bad.md" in said(process, "left out")


def test_a_file_that_was_named_comes_back(
    cli: Cli, write: Write, store: LoopbackServer, watch: Watch
) -> None:
    """As after a checkout of a branch without it; no directory of the knowledge has it."""
    process = watch()
    Path("notes").rename("elsewhere")
    assert "1 removed" in said(process, "`W`")
    Path("elsewhere").rename("notes")
    assert "1 added" in said(process, "`W`")
    write("notes/one.md", "one, changed\n")
    assert "1 replaced" in said(process, "`W`")
    assert sorted(paths(cli)) == ["kb/a.md", "notes/one.md"]


def test_a_file_that_somebody_removed_from_the_knowledge_stays_away(
    cli: Cli, write: Write, store: LoopbackServer, watch: Watch
) -> None:
    process = watch()
    assert cli("assistant", "files", "remove", "W", "notes/one.md").code == 0
    write("notes/one.md", "one, changed\n")
    write("kb/b.md", "beta\n")
    assert "1 added" in said(process, "`W`")
    assert sorted(paths(cli)) == ["kb/a.md", "kb/b.md"]


def test_another_machine_that_changes_the_knowledge_at_the_same_time(
    cli: Cli, write: Write, project: LoopbackServer, watch: Watch
) -> None:
    process = watch()
    (store,) = project.stores.values()
    project.meanwhile("POST", "/v1/vector_stores/*/files", store.files.clear)
    write("kb/b.md", "beta\n")
    assert "changed by somebody else" in said(process, "trying again in")
    assert "added" in said(process, "`W`: ")
    assert sorted(paths(cli)) == ["kb/a.md", "kb/b.md", "notes/one.md"]


def test_a_file_that_is_not_indexed_is_named_at_once(
    cli: Cli, write: Write, project: LoopbackServer
) -> None:
    write("kb/a.md", "alpha\n")
    write("kb/b.md", "beta\n")
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb").code == 0
    project.index_delays["a.md"] = 9_999.0
    with processes() as start:
        process = start("assistant", "files", "sync", "W", "--watch")
        assert "`kb/a.md`: not indexed by the server yet" in said(process, "warning")
        said(process, "watching")


def test_an_assistant_that_is_deleted_ends_it(
    cli: Cli, write: Write, server: LoopbackServer, watch: Watch
) -> None:
    process = watch()
    assert cli("assistant", "delete", "W", "-y").code == 0
    write("kb/b.md", "beta\n")
    assert "no assistant `W`" in said(process, "error")
    assert process.wait() == 3


@pytest.mark.parametrize("option", ["--json", "--dry-run"])
def test_options_that_do_not_fit(cli: Cli, server: LoopbackServer, option: str) -> None:
    assert cli("assistant", "files", "sync", "W", "--watch", option).code == 2


def test_places(write: Write) -> None:
    here = Path.cwd()
    write("kb/deep/a.md", "")
    write("notes/b.md", "")
    trees = [Path("kb"), Path("kb/deep"), Path("gone/away")]
    places = Places.of(trees, [Path("notes"), Path("kb/deep"), Path("notes/none")])
    assert places == Places(frozenset({here / "kb"}), frozenset({here, here / "notes"}))


def test_places_below_a_directory_that_may_not_be_entered(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is root may enter any."""
    write("kb/closed/deep/a.md", "")
    looked = os.stat

    def refusing(path: str | Path, **more: Any) -> os.stat_result:
        if "closed" in Path(path).parent.parts:
            raise PermissionError(13, "Permission denied")
        return looked(path, **more)

    monkeypatch.setattr(os, "stat", refusing)
    places = Places.of([Path("kb/closed/deep")], [Path("kb/closed/deep/er")])
    assert places == Places(frozenset(), frozenset({Path.cwd() / "kb/closed"}))
