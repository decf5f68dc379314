"""`gptasst cache`, over a server that plays OpenAI and a real SQLite file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from tests.assistants.project import calls, contents, new_machine, writes
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer


@pytest.fixture
def cache(home: Path) -> Path:
    return home / "data" / "cache.sqlite3"


@pytest.fixture
def uploaded(cli: Cli, project: LoopbackServer, write: Write) -> list[str]:
    """The ids of `a.md` and `b.md`."""
    write("a.md", "content of a")
    write("b.md", "content of b")
    return cli("file", "upload", "a.md", "b.md", "-q").lines


def test_path(cli: Cli, cache: Path) -> None:
    assert cli("cache", "path").lines == [str(cache)]
    assert cli("cache", "path", "--json").json == {"path": str(cache)}


def test_show(cli: Cli, project: LoopbackServer, cache: Path, uploaded: list[str]) -> None:
    status = cli("cache", "show", "--json").json
    assert status == {
        "path": str(cache), "size": cache.stat().st_size, "scope": project.base_url, "files": 2,
        "uploads": 2, "assistants": 0, "synced": True,
    }  # fmt: skip
    assert "uploads\t2" in cli("cache", "show").lines


def test_show_asks_nobody(cli: Cli, project: LoopbackServer) -> None:
    assert cli("cache", "show").code == 0
    assert calls(project) == []


def test_without_a_server(cli: Cli, write: Write) -> None:
    write("a.md", "one")
    cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md")
    assert cli("cache", "show", "--json").json["scope"] is None
    assert cli("cache", "verify", "--json").json["files"] == 1
    assert cli("cache", "rebuild", "--json").json["files"] == 1


class TestVerify:
    def test_all_is_right(self, cli: Cli, project: LoopbackServer, uploaded: list[str]) -> None:
        calls(project)
        ran = cli("cache", "verify")
        assert (ran.code, ran.text) == (0, "")
        assert ran.stderr == "checked 2 uploads and 2 local files: all is right\n"
        assert calls(project) == ["GET /files"]

    def test_what_is_wrong_is_named_and_forgotten(
        self, cli: Cli, project: LoopbackServer, cache: Path, write: Write, uploaded: list[str]
    ) -> None:
        del project.files[uploaded[0]]
        write("c.md", "c")
        cli("file", "upload", "c.md")
        Path("c.md").unlink()
        with contextlib.closing(sqlite3.connect(cache)) as connection, connection:
            connection.execute(
                "UPDATE hashes SET sha256 = ? WHERE path = ?",
                ("0" * 64, os.fsencode(Path("b.md").absolute())),
            )
        result = cli("cache", "verify", "--json").json
        assert result == {
            "uploads": 3, "uploads_gone": [uploaded[0]], "files": 3,
            "files_changed": [str(Path("b.md").absolute())],
            "files_missing": [str(Path("c.md").absolute())],
        }  # fmt: skip
        assert cli("cache", "verify").stderr == (
            "checked 2 uploads and 2 local files: all is right\n"
        )

    def test_lines_for_people(self, cli: Cli, project: LoopbackServer, uploaded: list[str]) -> None:
        project.files.clear()
        ran = cli("cache", "verify")
        assert ran.lines == [f"not on the server\t{file_id}" for file_id in sorted(uploaded)]
        assert "2 wrong and forgotten" in ran.stderr


class TestRebuild:
    def test_second_machine_knows_all_knowledge(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path
    ) -> None:
        for number in range(5):
            write(f"docs/{number}.md", f"page {number}")
        cli("assistant", "create", "Writer", "-i", "DocWriter", "-f", "docs")
        new_machine(home)
        result = cli("cache", "rebuild", "--json").json
        assert result == {"files": 5, "knowledge": 5, "kept": 0, "matched": 0, "unknown": 0}
        assert cli("cache", "show", "--json").json["assistants"] == 1
        calls(project)
        cli("file", "upload", "docs", "--purpose", "assistants")
        assert writes(project) == []

    def test_other_uploads_are_recognized_on_disk(
        self, cli: Cli, project: LoopbackServer, home: Path, uploaded: list[str]
    ) -> None:
        new_machine(home)
        result = cli("cache", "rebuild", ".", "--json").json
        assert result == {"files": 2, "knowledge": 0, "kept": 0, "matched": 2, "unknown": 0}
        assert cli("file", "upload", "a.md", "b.md", "-q").lines == uploaded

    def test_what_is_not_marked_is_unknown(
        self, cli: Cli, project: LoopbackServer, home: Path, uploaded: list[str]
    ) -> None:
        for stored in project.files.values():  # as somebody else would have uploaded them
            stored.about["filename"] = stored.name
        new_machine(home)
        result = cli("cache", "rebuild", ".", "--json").json
        assert (result["matched"], result["unknown"]) == (0, 2)
        assert not set(uploaded) & set(cli("file", "upload", "a.md", "b.md", "-q").lines)

    def test_nothing_that_was_known_is_lost(
        self, cli: Cli, project: LoopbackServer, uploaded: list[str]
    ) -> None:
        Path("b.md").unlink()
        del project.files[uploaded[0]]
        result = cli("cache", "rebuild", "--json").json
        assert result == {"files": 1, "knowledge": 0, "kept": 1, "matched": 0, "unknown": 0}

    def test_server_that_fails_leaves_the_cache_as_it_is(
        self, cli: Cli, project: LoopbackServer, uploaded: list[str]
    ) -> None:
        project.api_key = "another"
        assert cli("cache", "rebuild").code == 4
        assert cli("cache", "show", "--json").json["uploads"] == 2

    def test_damaged_cache(
        self, cli: Cli, project: LoopbackServer, cache: Path, uploaded: list[str]
    ) -> None:
        cache.write_bytes(b"not a database" * 500)
        ran = cli("cache", "rebuild", ".")
        assert ran.code == 0
        assert "and replaced" in ran.stderr
        assert cli("file", "upload", "a.md", "b.md", "-q").lines == uploaded
        assert contents(project) == [b"content of a", b"content of b"]


class TestClear:
    def test_forgets_everything_and_deletes_nothing(
        self, cli: Cli, project: LoopbackServer, uploaded: list[str]
    ) -> None:
        assert cli("cache", "clear").code == 2
        assert cli("cache", "show", "--json").json["uploads"] == 2
        assert cli("cache", "clear", "--yes").code == 0
        status = cli("cache", "show", "--json").json
        assert (status["files"], status["uploads"], status["synced"]) == (0, 0, False)
        assert len(project.files) == 2
        assert Path("a.md").exists()


def test_cache_that_can_not_be_written_stops_nobody(
    cli: Cli, project: LoopbackServer, write: Write, home: Path
) -> None:
    home.mkdir()
    (home / "data").write_text("a file where the directory should be")
    write("a.md", "one")
    ran = cli("file", "upload", "a.md", "-q")
    assert (ran.code, ran.lines) == (0, list(project.files))
