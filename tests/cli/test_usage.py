"""`gptasst usage`: what this machine ran."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import gptasst
from gptasst.api.types import Usage
from gptasst.models.usage import UsageJournal, UsedNow
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer


def shown(cli: Cli, *words: str) -> dict[str, Any]:
    return {line["key"]: line for line in cli("usage", "--json", *words).json["usage"]}


def kinds(home: Path) -> dict[str, int]:
    connection = sqlite3.connect(home / "data" / "usage.sqlite3")
    found = dict(connection.execute("SELECT kind, SUM(runs) FROM usage GROUP BY kind").fetchall())
    connection.close()
    return found


def used(name: str, cost: float | None = 0.5, model: str = "m") -> UsedNow:
    return UsedNow(name, model, "openai", "run", 2, Usage(10, 5, 3, 2, 1), cost)


def test_every_way_to_run_is_counted(
    cli: Cli, server: LoopbackServer, home: Path, write: Write
) -> None:
    write("in/a.md", "one")
    write("in/b.md", "two")
    cli("run", "DocWriter", "-t", "x")
    cli("run", "DocWriter", "--each", "-f", "in", "-o", "out")
    batch = cli("run", "DocWriter", "--each", "--batch", "--force", "-f", "in", "-o", "b", "-q")
    for _ in range(2):  # counted once
        assert cli("batch", "fetch", batch.text.strip(), "--wait").code == 0
    cli("chat", "DocWriter", stdin=b"hello\n")
    with gptasst.Client() as client:
        client.run("DocWriter", "in/a.md")
    assert kinds(home) == {"run": 1, "each": 2, "batch": 2, "chat": 1, "client": 1}
    line = shown(cli)["DocWriter"]
    assert (line["runs"], line["requests"], line["unpriced"]) == (7, 7, 0)
    assert line["cost"] > 0
    assert set(shown(cli, "--by", "model")) == {"gpt-6-luna"}
    assert len(shown(cli, "--by", "day")) == 1


def test_for_people(cli: Cli, server: LoopbackServer) -> None:
    cli("run", "DocWriter", "-t", "x")
    ran = cli("usage")
    assert ran.text.startswith("DocWriter\t1\t")
    assert ran.stderr.startswith("1 run: $0.0000")
    assert cli("usage", "-q").text == "DocWriter\n"


def test_nothing_yet(cli: Cli) -> None:
    ran = cli("usage")
    assert (ran.code, ran.text, ran.stderr) == (0, "", "no runs were counted yet\n")
    assert cli("usage", "--json").json["usage"] == []


def test_nothing_since(cli: Cli, server: LoopbackServer) -> None:
    cli("run", "DocWriter", "-t", "x")
    ran = cli("usage", "--since", "2199-01-01")
    assert (ran.code, ran.stderr) == (0, "no run was counted since 2199-01-01\n")


def test_what_is_paid_for_in_vain_is_counted(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    server.longest_answer = 3
    assert cli("run", "DocWriter", "-t", "a longer text").code == 7
    assert shown(cli)["DocWriter"]["input_tokens"] > 0


def test_no_content_is_kept(cli: Cli, server: LoopbackServer, home: Path, write: Write) -> None:
    write("secretive-name.md", "very private words")
    cli("run", "DocWriter", "secretive-name.md", "-t", "confidential task")
    kept = b"".join(path.read_bytes() for path in (home / "data").glob("usage.sqlite3*"))
    assert b"DocWriter" in kept
    for content in (b"private", b"secretive", b"confidential"):
        assert content not in kept


def test_it_can_be_turned_off(cli: Cli, server: LoopbackServer, home: Path) -> None:
    assert cli("config", "set", "usage.record", "false").code == 0
    cli("run", "DocWriter", "-t", "x")
    assert not (home / "data" / "usage.sqlite3").exists()
    assert "`gptasst config set usage.record true` counts them" in cli("usage").stderr
    assert cli("config", "set", "usage.record", "perhaps").code == 2


def test_what_is_wrong_with_options(cli: Cli) -> None:
    ran = cli("usage", "--since", "yesterday")
    assert (ran.code, "a date looks like 2026-11-29" in ran.stderr) == (2, True)
    assert cli("usage", "--by", "week").code == 2


def test_a_damaged_journal_harms_nothing(cli: Cli, server: LoopbackServer, home: Path) -> None:
    cli("run", "DocWriter", "-t", "x")
    path = home / "data" / "usage.sqlite3"
    path.write_bytes(b"no database" * 100)
    ran = cli("run", "DocWriter", "-t", "x")
    assert (ran.code, ran.text) == (0, "x")
    assert shown(cli)["DocWriter"]["runs"] == 1


class TestJournal:
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Any:
        journal = UsageJournal(tmp_path / "usage.sqlite3")
        yield journal
        journal.close()

    def test_the_dearest_comes_first(self, journal: UsageJournal) -> None:
        for name, cost in (("a", 0.1), ("b", 2.0), ("c", None), ("b", None)):
            journal.record(used(name, cost))
        lines = journal.sums("assistant")
        assert [(line.key, line.runs, line.cost, line.unpriced) for line in lines] == [
            ("b", 2, 2.0, 1), ("a", 1, 0.1, 0), ("c", 1, 0.0, 1),
        ]  # fmt: skip
        assert lines[0].cached_tokens == 6

    def test_days(self, journal: UsageJournal, monkeypatch: pytest.MonkeyPatch) -> None:
        from datetime import date

        for day in (date(2025, 1, 1), date(2026, 11, 1), date(2026, 11, 2)):
            monkeypatch.setattr("gptasst.models.usage._today", lambda day=day: day)
            journal.record(used("a"))
            journal.write()
        assert [line.key for line in journal.sums("day")] == ["2026-11-01", "2026-11-02"]
        assert [line.runs for line in journal.sums("assistant", date(2026, 11, 2))] == [1]

    def test_what_earlier_runs_took(self, journal: UsageJournal) -> None:
        assert journal.typical("a", "m") is None
        journal.record(used("a"))
        journal.record(used("a", model="other"))
        journal.write()
        assert journal.typical("a", "m") == (2, 10, 5)

    def test_threads_share_one_connection(
        self, journal: UsageJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal.record(used("a"))
        journal.close()
        from gptasst.storage import disposable_database as module

        opened, opening = [], threading.Barrier(2)
        real = module.DisposableDatabase

        def open_slowly(*args: Any) -> Any:
            opened.append(args)
            with contextlib.suppress(threading.BrokenBarrierError):
                opening.wait(0.2)  # for another thread that opens it, too
            return real(*args)

        monkeypatch.setattr(module, "DisposableDatabase", open_slowly)
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda _: journal.typical("a", "m"), range(2)))
        assert found == [(2, 10, 5)] * 2
        assert len(opened) == 1
