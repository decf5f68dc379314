"""Odd surroundings: small, dumb and missing terminals, other locales and clocks, no home."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.assistants.project import knowledge, writes
from tests.conftest import Cli, Write
from tests.faults.operations import prepare
from tests.loopback import LoopbackServer
from tests.on_terminal import on_terminal

DAY = 86_400


class TestTerminals:
    @pytest.mark.parametrize("line", ["assistant list", "file list", "assistant show Docs"])
    def test_twenty_columns(self, cli: Cli, project: LoopbackServer, line: str) -> None:
        prepare(cli, project)
        seen = on_terminal(*line.split(), COLUMNS="20", TERM="xterm")
        assert seen.code == 0
        assert "Traceback" not in seen.screen
        assert "Docs" in seen.screen

    @pytest.mark.parametrize("line", ["assistant list", "chat DocWriter"])
    def test_dumb(self, cli: Cli, project: LoopbackServer, line: str) -> None:
        """Nothing moves, and nothing is coloured."""
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        typed = "spoken plainly\n\x04" if line.startswith("chat") else ""
        seen = on_terminal(*line.split(), typed=typed, after="> ", TERM="dumb")
        assert seen.code == 0
        assert ("spoken plainly" if typed else "Docs") in seen.screen
        assert "\x1b" not in seen.screen
        assert "Traceback" not in seen.screen


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}])
def test_a_locale_of_ascii(server: LoopbackServer, write: Write, locale: dict[str, str]) -> None:
    write("ünï.md", "tëxt 漢\n")
    done = subprocess.run(
        [sys.executable, "-m", "gptasst", "run", "CommitMessage", "-f", "ünï.md"],
        env={**os.environ, **locale, "PYTHONUTF8": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "tëxt 漢" in done.stdout.decode("utf-8")


class TestNoHome:
    @pytest.fixture(autouse=True)
    def nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pwd = pytest.importorskip("pwd", reason="Windows has other ways to find a home")

        def unknown(_: int) -> None:
            raise KeyError

        monkeypatch.setattr(pwd, "getpwuid", unknown)
        for name in ("HOME", "GPTASST_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)

    @pytest.mark.parametrize("line", ["assistant list", "run DocWriter -t x", "config path"])
    def test_says_what_to_set(self, cli: Cli, server: LoopbackServer, line: str) -> None:
        ran = cli(*line.split(), "--json")
        assert (ran.code, ran.error["code"]) == (1, "no_home")
        assert "GPTASST_HOME=" in ran.error["hint"]
        assert list(Path().iterdir()) == []

    def test_what_is_set_is_enough(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("GPTASST_HOME", str(tmp_path / "there"))
        assert cli("run", "DocWriter", "-t", "x").text == "x"


def test_the_clock_went_back_a_day(
    cli: Cli, project: LoopbackServer, home: Path, write: Write
) -> None:
    """All that was made by now is of tomorrow."""
    operations = prepare(cli, project)
    assert operations["run --each"].run(cli).code == 0
    for path in Path().rglob("*.md"):
        os.utime(path, (time.time() + DAY,) * 2)
    for stored in project.files.values():
        stored.about["created_at"] += DAY
    for store in project.stores.values():
        store.about["created_at"] += DAY
        metadata = store.about["metadata"]
        metadata["updated_at"] = str(float(metadata["updated_at"]) + DAY)
    with closing(sqlite3.connect(home / "data" / "runs.sqlite3")) as journal, journal:
        journal.execute("UPDATE answers SET answered_at = answered_at + ?", (DAY,))
    project.requests.clear()

    assert operations["run --each"].run(cli).code == 0
    assert writes(project) == []
    assert cli("file", "upload", "in/1.md").code == 0
    assert "POST /files" not in writes(project)
    assert cli("assistant", "edit", "Docs", "-m", "gpt-6.2-sol").code == 0
    assert cli("assistant", "files", "sync", "Docs").code == 0
    assert knowledge(project, "Docs") == {
        path.as_posix(): path.read_bytes() for path in Path("docs").iterdir()
    }
    assert cli("cache", "verify").code == 0
    shown = cli("assistant", "show", "Docs", "--json").json
    assert shown["definition"]["model"] == "gpt-6.2-sol"
