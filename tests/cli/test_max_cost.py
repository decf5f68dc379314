"""`--max-cost`: what is refused before, and what stops on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gptasst
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

# A long answer costs many times what is estimated for one that nobody has seen yet.
LONG = "word " * 40_000
EACH = ("run", "DocWriter", "--each", "-f", "in", "-o", "out", "--max-cost")


@pytest.fixture
def files(write: Write) -> list[Path]:
    return [write(f"in/{number:02}.md", f"Text {number}.\n") for number in range(12)]


def asked(server: LoopbackServer) -> int:
    return sum(request.path == "/v1/responses" for request in server.requests)


class TestRefusedBefore:
    def test_a_run(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-t", "x", "--max-cost", "0.0001", "--json")
        assert (ran.code, ran.error["code"]) == (5, "over_max_cost")
        assert "above the limit of $0.00010" in ran.error["message"]
        assert asked(server) == 0

    def test_a_job_as_a_whole(self, cli: Cli, server: LoopbackServer, files: list[Path]) -> None:
        """One file alone would be taken."""
        assert cli("run", "DocWriter", files[0], "--max-cost", "0.001").code == 0
        ran = cli(*EACH, "0.0004")
        assert (ran.code, "above the limit of" in ran.stderr) == (5, True)
        assert (asked(server), Path("out").exists()) == (1, False)

    def test_a_batch_counts_at_its_discount(
        self, cli: Cli, server: LoopbackServer, files: list[Path]
    ) -> None:
        whole = cli(*EACH[:-1], "--dry-run", "--json").json["cost"]
        assert whole["24h"] == pytest.approx(whole["now"] / 2)
        between = (whole["24h"] + whole["now"]) / 2
        assert cli(*EACH, str(between)).code == 5
        assert cli(*EACH, str(whole["24h"] * 0.9), "--batch").code == 5
        assert not server.batches
        assert cli(*EACH, str(between), "--batch").code == 0
        assert len(server.batches) == 1

    @pytest.mark.parametrize("words", [["-t", "x"], ["--each", "-f", "in", "-o", "out"]])
    def test_a_price_that_is_not_known(
        self, cli: Cli, server: LoopbackServer, files: list[Path], words: list[str]
    ) -> None:
        server.models.append("mystery")
        command = ("run", "DocWriter", "-m", "mystery", *words, "--max-cost", "1")
        ran = cli(*command, "--json")
        assert (ran.code, ran.error["code"], asked(server)) == (2, "price_unknown", 0)
        for key in ("input", "output"):
            assert f"`gptasst config set prices.mystery.{key} USD`" in ran.error["hint"]
            cli("config", "set", f"prices.mystery.{key}", "1")
        assert cli(*command).code == 0

    @pytest.mark.parametrize("cost", ["0", "-1", "nan", "1e12"])
    def test_what_is_no_amount(self, cli: Cli, server: LoopbackServer, cost: str) -> None:
        ran = cli("run", "DocWriter", "-t", "x", f"--max-cost={cost}")
        assert (ran.code, "an amount of US dollars above 0" in ran.stderr) == (2, True)

    def test_nothing_that_is_finished_counts(
        self, cli: Cli, server: LoopbackServer, files: list[Path]
    ) -> None:
        assert cli(*EACH, "1").code == 0
        assert cli(*EACH, "0.0000001").code == 0


class TestStopsOnTheWay:
    def test_what_is_under_way_is_finished_and_the_same_command_goes_on(
        self, cli: Cli, server: LoopbackServer, files: list[Path]
    ) -> None:
        server.answer = LONG
        ran = cli(*EACH, "0.01", "-j", "2", "--json")
        assert (ran.code, ran.error["code"]) == (5, "max_cost_reached")
        states = [file["status"] for file in ran.json["files"]]
        done = states.count("written")
        assert (done + states.count("not_run"), done == asked(server)) == (12, True)
        summary = ran.json["summary"]
        each = summary["cost"] / done
        assert summary["cost"] < 0.01 + 2 * each  # the two that were under way
        assert len(list(Path("out").iterdir())) == done
        assert cli(*EACH, "1").code == 0
        assert (asked(server), len(list(Path("out").iterdir()))) == (12, 12)

    def test_what_is_paid_for_in_vain_counts_too(
        self, cli: Cli, server: LoopbackServer, files: list[Path]
    ) -> None:
        server.answer, server.longest_answer = LONG, 100_000
        ran = cli(*EACH, "0.01", "-j", "1", "--json")
        assert (ran.code, ran.error["code"]) == (5, "max_cost_reached")
        failed = [file for file in ran.json["files"] if file["status"] == "failed"]
        assert len(failed) == asked(server) < 12
        assert ran.json["summary"]["cost"] == pytest.approx(sum(file["cost"] for file in failed))
        assert ran.json["summary"]["cost"] >= 0.01

    def test_for_people(self, cli: Cli, server: LoopbackServer, files: list[Path]) -> None:
        server.answer = LONG
        ran = cli(*EACH, "0.01", "-j", "1")
        assert "not done" in ran.stderr
        assert "error: stopped: $0.0" in ran.stderr
        assert "the same command with a higher --max-cost goes on from here" in ran.stderr

    def test_an_edit_in_groups_keeps_what_it_paid_for(
        self, cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("long.md", "\n\n".join(f"A line with the number {n} in it." for n in range(12_000)))
        edit = ("run", "MarkdownLinter", "-f", "long.md", "-o", "out.md", "--json")
        with monkeypatch.context() as patch:
            patch.setattr("gptasst.models.tokens.estimated", lambda _: 1)  # far too low
            patch.setattr("gptasst.models.tokens._tiktoken", lambda: None)
            ran = cli(*edit, "--max-cost", "0.01")
        assert (ran.code, ran.error["code"]) == (5, "max_cost_reached")
        assert not Path("out.md").exists()
        first = asked(server)
        assert cli(*edit).code == 0
        again = asked(server) - first
        assert cli(*edit, "-t", "once more").code == 0
        assert asked(server) - first - again == first + again  # what was paid was not asked again


class TestChat:
    def test_each_answer_is_looked_at_with_what_was_spent(
        self, cli: Cli, server: LoopbackServer
    ) -> None:
        server.answer = LONG
        ran = cli("chat", "DocWriter", "--max-cost", "0.01", "--json", stdin=b"one\ntwo\nthree\n")
        assert (ran.code, ran.error["code"]) == (5, "over_max_cost")
        assert len(ran.json["results"]) == asked(server) == 1
        assert ran.json["results"][0]["cost"] > 0.01


class TestPython:
    def test_run_and_map(self, server: LoopbackServer, files: list[Path]) -> None:
        with gptasst.Client() as client:
            assert (client.run("DocWriter", "in/00.md", max_cost=0.1).cost or 0) > 0
            with pytest.raises(gptasst.LimitReached) as refused:
                client.run("DocWriter", "in/01.md", max_cost=1e-6)
            assert refused.value.code == "over_max_cost"
            with pytest.raises(gptasst.UsageError):
                client.run("DocWriter", "in/01.md", max_cost=0.0)
            server.answer = LONG
            came: list[Any] = []
            with pytest.raises(gptasst.LimitReached) as stopped:
                came.extend(client.map("DocWriter", "in", max_cost=0.01, jobs=1))
            assert stopped.value.code == "max_cost_reached"
            first = next(client.map("DocWriter", ["in/05.md"], max_cost=1.0))
            assert (first.cost or 0) > 0


class TestCases:
    def test_cases_are_not_asked_beyond_the_limit(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("W.toml", 'name = "W"\ninstructions = "Write."\n')
        cases = "".join(f'[[case]]\nname = "{n}"\ninput = "text {n}"\n' for n in "abcdef")
        write(
            "W.cases.toml", cases.replace('"\n[[', '"\ncontains = "word"\n[[') + 'contains = "w"\n'
        )
        server.answer = LONG
        ran = cli("test", "W.toml", "--max-cost", "0.02", "-j", "1", "--json")
        assert (ran.code, ran.error["code"]) == (5, "max_cost_reached")
        assert asked(server) == 1
        usage = cli("usage", "--json").json
        assert usage["total"]["runs"] == 1
        assert cli("test", "W.toml", "--max-cost", "1").code == 0
        assert asked(server) == 6

    def test_those_under_way_count(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        """Eight at once never begin on what is left for one."""
        write("W.toml", 'name = "W"\ninstructions = "Write."\n')
        cases = [f'[[case]]\nname = "{n}"\ninput = "text {n}"\ncontains = "w"\n' for n in "abcdef"]
        write("W.cases.toml", "".join(cases))
        planned = cli("run", "W.toml", "-t", "text a", "-n", "--json").json["estimated_cost"]["now"]
        server.answer = LONG
        ran = cli("test", "W.toml", "--max-cost", f"{planned * 1.5:.8f}", "-j", "8", "--json")
        assert (ran.code, ran.error["code"]) == (5, "max_cost_reached")
        assert asked(server) == 1


def test_files_of_an_old_encoding_are_named_once(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    write("in/a.md", "Gr\u00fc\u00dfe aus M\u00fcnchen.\n".encode("cp1252"))
    ran = cli(*EACH, "1")
    assert ran.code == 0
    assert ran.stderr.count("`in/a.md`") == 1
