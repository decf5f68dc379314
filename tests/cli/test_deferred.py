"""`run --each --by 2h|8h`: handed over at once, waited for, and found again."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

import gptasst
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import Ending

EACH = ("run", "DocWriter", "--each", "-f", "in", "-o", "out", "--by", "8h")


@pytest.fixture
def files(write: Write) -> list[Path]:
    return [write(f"in/{number}.md", f"Text {number}.\n") for number in range(4)]


def created(server: LoopbackServer) -> list[Any]:
    posts = [r for r in server.requests if (r.method, r.path) == ("POST", "/v1/responses")]
    return [request.json for request in posts]


def test_answers_come_at_their_discount_and_nothing_stays_on_the_server(
    cli: Cli, server: LoopbackServer, files: list[Path]
) -> None:
    server.background_delay = 0.3
    ran = cli(*EACH, "--json")
    assert (ran.code, ran.stderr) == (0, "")
    assert [Path(f"out/{n}.md").read_text() for n in range(4)] == [f"Text {n}.\n" for n in range(4)]
    for body in created(server):
        assert (body["background"], body["store"]) == (True, True)
        assert body["background_options"] == {"completion_window": "8h"}
        assert "stream" not in body
    for file in ran.json["files"]:
        usage = file["usage"]
        plain = usage["input"] - usage["written"]
        full = (plain * 0.1 + usage["written"] * 0.125 + usage["output"] * 0.5) / 1e6
        assert file["cost"] == pytest.approx(0.6 * full)
    assert not server.responses
    assert cli("usage", "--json").json["usage"][0]["runs"] == 4


def test_the_same_command_sends_nothing_twice(
    cli: Cli, server: LoopbackServer, files: list[Path]
) -> None:
    assert cli(*EACH).code == 0
    assert cli(*EACH).code == 0
    assert len(created(server)) == 4


def test_after_an_interrupt_the_same_command_waits_for_what_is_under_way(
    cli: Cli, server: LoopbackServer, files: list[Path], home: Path
) -> None:
    server.background_delay = 1e6
    waiting = threading.Event()
    polls = iter(range(100))

    def interrupt() -> None:
        if next(polls) == 5 and not waiting.is_set():
            waiting.set()
            os.kill(os.getpid(), signal.SIGINT)

    for _ in range(20):
        server.meanwhile("GET", "/v1/responses/*", interrupt)
    ran = cli(*EACH)
    assert ran.code == 130
    assert "4 under way on the server; the same command waits for them" in ran.stderr
    assert not Path("out").exists()
    assert sum(body["background"] for body in created(server)) == 4
    server.disturbances.clear()
    for ident, (_, queued) in list(server.pending.items()):
        server.pending[ident] = (0.0, queued)
    assert cli(*EACH).code == 0
    assert (len(created(server)), len(list(Path("out").iterdir()))) == (4, 4)
    connection = sqlite3.connect(home / "data" / "deferred.sqlite3")
    assert connection.execute("SELECT COUNT(*) FROM deferred").fetchone() == (0,)
    connection.close()


def test_one_bad_answer_leaves_the_others_alone(
    cli: Cli, server: LoopbackServer, files: list[Path]
) -> None:
    server.outcomes.append(
        Ending("", status="failed", error={"code": "server_error", "message": "x"})
    )
    ran = cli(*EACH, "-j", "1", "--json")
    assert ran.code == 6
    states = [file["status"] for file in ran.json["files"]]
    assert (states.count("failed"), states.count("written")) == (1, 3)
    assert not server.responses
    assert cli(*EACH).code == 0
    assert len(created(server)) == 5


def test_an_answer_that_the_server_deleted(
    cli: Cli, server: LoopbackServer, files: list[Path]
) -> None:
    server.meanwhile("GET", "/v1/responses/*", server.responses.clear)
    ran = cli(*EACH)
    assert (ran.code, "the server has deleted the answer" in ran.stderr) == (6, True)
    assert cli(*EACH).code == 0


def test_an_edit(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("in/a.md", "A line.\n\n```\ncode\n```\n")
    server.answer = "A line!\n\n```\nother code\n```\n"
    ran = cli("run", "MarkdownLinter", "--each", "-f", "in", "--in-place", "--by", "2h")
    assert ran.code == 0
    assert Path("in/a.md").read_text() == "A line!\n\n```\ncode\n```\n"


@pytest.mark.parametrize("cut", [True, False])
def test_an_answer_that_can_not_be_used_is_counted(
    cli: Cli, server: LoopbackServer, write: Write, *, cut: bool
) -> None:
    """It is billed as well: a part of an edit that was cut off, or a blank answer."""
    write("in/a.md", "A line.\n\nAnother line.\n\nThe last line.\n")
    if cut:
        server.outcomes.append(
            Ending(
                "A line!\n\nAnother line.\n\nThe",
                status="incomplete",
                incomplete_reason="max_output_tokens",
            )
        )
    else:
        server.answer = " \n"
    words = ("run", "MarkdownLinter", "--each", "-f", "in", "--in-place", "--by", "2h")
    (file,) = cli(*words, "--json").json["files"]
    assert file["status"] == ("written" if cut else "failed")
    assert file["usage"]["input"] > 0
    assert file["cost"] > 0
    (line,) = cli("usage", "--json").json["usage"]
    assert (line["input_tokens"], line["unpriced"]) == (file["usage"]["input"], 0)
    assert line["cost"] == pytest.approx(file["cost"])


def test_force_takes_back_what_is_under_way(
    cli: Cli, server: LoopbackServer, files: list[Path]
) -> None:
    server.background_delay = 1e6
    polls = iter(range(100))

    def interrupt() -> None:
        if next(polls) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    for _ in range(20):
        server.meanwhile("GET", "/v1/responses/*", interrupt)
    assert cli(*EACH).code == 130
    server.disturbances.clear()
    old = set(server.pending)
    server.background_delay = 0.0
    assert cli(*EACH, "--force").code == 0
    assert len(old) == 4
    cancelled = {r.path.split("/")[3] for r in server.requests if r.path.endswith("/cancel")}
    assert (cancelled, dict(server.responses)) == (old, {})
    assert len(created(server)) == 8


class TestServersWithoutThem:
    def test_one_that_answers_at_once(
        self, cli: Cli, server: LoopbackServer, files: list[Path]
    ) -> None:
        server.background = "ignored"
        ran = cli(*EACH)
        assert ran.code == 0
        assert "the server answered at once and may have charged the full price" in ran.stderr
        assert len(list(Path("out").iterdir())) == 4
        again = cli(*EACH, "--force")
        assert (again.code, "has no deferred runs" in again.stderr) == (2, True)
        assert len(created(server)) == 4

    def test_one_that_refuses_the_parameter(
        self, cli: Cli, server: LoopbackServer, files: list[Path]
    ) -> None:
        server.background = "refused"
        ran = cli(*EACH)
        assert (ran.code, "takes no deferred runs" in ran.stderr) == (2, True)
        assert "run it without --by" in ran.stderr
        assert not Path("out").exists()

    def test_the_embedded_model(self, cli: Cli, files: list[Path]) -> None:
        ran = cli("--profile", "local", *EACH)
        assert (ran.code, "the embedded model has no deferred runs" in ran.stderr) == (2, True)


class TestOptions:
    def test_24h_is_a_batch(self, cli: Cli, server: LoopbackServer, files: list[Path]) -> None:
        assert cli(*EACH[:-1], "24h", "--wait").code == 0
        assert (len(server.batches), len(list(Path("out").iterdir()))) == (1, 4)

    def test_combinations(self, cli: Cli, server: LoopbackServer, files: list[Path]) -> None:
        assert cli(*EACH, "--batch").code == 2
        ran = cli("run", "DocWriter", "-t", "x", "--by", "2h")
        assert (ran.code, "--by needs --each" in ran.stderr) == (2, True)
        assert cli(*EACH[:-1], "3h").code == 2

    def test_the_limit_counts_the_discount(
        self, cli: Cli, server: LoopbackServer, files: list[Path]
    ) -> None:
        costs = cli(*EACH, "--dry-run", "--json").json["cost"]
        assert costs["8h"] == pytest.approx(0.6 * costs["now"])
        assert costs["2h"] == pytest.approx(0.7 * costs["now"])
        assert cli(*EACH, "--max-cost", str(costs["8h"] * 0.9)).code == 5
        assert not created(server)
        assert cli(*EACH, "--max-cost", str(costs["8h"] * 1.1)).code == 0

    def test_python(self, server: LoopbackServer, files: list[Path]) -> None:
        with gptasst.Client() as client:
            found = list(client.map("DocWriter", "in", by="2h"))
            assert sorted(each.answer or "" for each in found) == [f"Text {n}.\n" for n in range(4)]
            with pytest.raises(gptasst.UsageError):
                next(client.map("DocWriter", "in", by="3h"))
