"""`gptasst run --each`: what is sent, written, remembered and said."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.cli.each import asked_for, make_files, shout
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes

EACH = ("run", "DocWriter", "--each")


@pytest.fixture(autouse=True)
def _shouting(server: LoopbackServer) -> None:
    server.answer = shout


class TestOutputs:
    def test_every_file_is_its_own_run(self, cli: Cli, server: LoopbackServer) -> None:
        files = make_files(20)
        ran = cli(*EACH, "in", "-o", "out", "-j", "4")

        assert (ran.code, ran.text) == (0, "")
        assert ran.stderr.startswith("20 files: 20 written; 20 requests, ")
        assert [Path("out", path.name).read_text() for path in files] == [
            f"FILE NUMBER {number}\n" for number in range(20)
        ]
        assert set(asked_for(server).values()) == {1}

    def test_task_and_model_go_to_each(self, cli: Cli, server: LoopbackServer) -> None:
        make_files(2)
        assert cli(*EACH, "in", "-o", "out", "-t", "Only this.", "-m", "gpt-6.2-sol").code == 0
        for record in server.requests:
            assert record.json["model"] == "gpt-6.2-sol"
            assert record.json["input"][0]["content"][0]["text"] == "Only this."

    def test_equal_contents_share_a_request(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        for name in ("a.md", "b.md", "c.md"):
            write(name, "the same\n")
        assert cli(*EACH, "a.md", "b.md", "c.md", "-o", "out").code == 0
        assert len(server.requests) == 1
        assert [Path("out", f"{n}.md").read_text() for n in "abc"] == ["THE SAME\n"] * 3

    def test_empty_files_are_skipped(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("in/a.md", "text\n")
        write("in/b.md", "")
        write("in/c.md", " \n")
        ran = cli(*EACH, "in", "-o", "out")
        assert ran.code == 0
        assert ran.stderr.startswith("3 files: 1 written, 2 empty; 1 request, ")
        assert not Path("out/b.md").exists()

    def test_a_file_that_is_no_text_is_named(self, cli: Cli, write: Write) -> None:
        write("in/a.md", "text\n")
        write("in/b.md", b"\0\1\2")
        ran = cli(*EACH, "in", "-o", "out")
        assert ran.code == 6
        assert "`in/b.md` failed: `in/b.md` is not text" in ran.stderr
        assert "error: 1 of 2 files failed\n" in ran.stderr
        assert Path("out/a.md").read_text() == "TEXT\n"

    def test_json(self, cli: Cli) -> None:
        make_files(1)
        ran = cli(*EACH, "in", "-o", "out", "--json")
        assert (ran.code, ran.stderr, set(ran.json)) == (0, "", {"files", "summary", "error"})
        (file,) = ran.json["files"]
        assert set(file) == {
            "path", "output", "status", "asked", "usage", "cost", "error", "diff", "answer", "kept",
        }  # fmt: skip
        assert (file["path"], file["output"], file["status"], file["asked"]) == (
            "in/0.md", "out/0.md", "written", True,
        )  # fmt: skip
        assert set(ran.json["summary"]) == {
            "files", "written", "unchanged", "would_change", "answered", "skipped", "failed",
            "not_run", "requests", "input_tokens", "cached_tokens", "written_tokens",
            "output_tokens", "reasoning_tokens", "seconds", "cost",
        }  # fmt: skip
        assert ran.json["summary"]["input_tokens"] > 0

    def test_tokens_add_up(
        self,
        cli: Cli,
        server: LoopbackServer,
        write: Write,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make_files(2)
        Path("in/9.md").write_bytes(Path("in/0.md").read_bytes())  # shares what one of them took
        write("long.toml", f'name = "Long"\ninstructions = "{"Keep it. " * 900}"\n')
        monkeypatch.setenv("GPTASST_PROMPT_CACHE", "explicit")
        each = ["run", "long.toml", "--each", "--jobs", "1", "-f"]
        ran = cli(*each, "in", "-o", "out", "--json")
        used = [file["usage"] for file in ran.json["files"] if file["usage"]]
        assert len(used) == len(server.prompt_cache) + 1 == 2
        total = {key: sum(usage[key] for usage in used) for key in used[0]}
        assert total["cached"] == total["written"] > 2000
        assert total["reasoning"] == sum(usage["output"] // 2 for usage in used) > 0
        summary = ran.json["summary"]
        assert total == {
            key: summary[f"{key}_tokens"]
            for key in ("input", "output", "cached", "reasoning", "written")
        }
        server.prompt_cache.clear()
        Path("in/9.md").unlink()
        said = cli(*each, "in", "-o", "again", "--force", "-v").stderr
        assert (
            f"{total['input']:,} tokens in"
            f" ({total['cached']:,} cached, {total['written']:,} written),"
            f" {total['output']:,} out ({total['reasoning']:,} reasoning)"
        ) in said

    def test_json_takes_the_answers_where_no_output_is_named(self, cli: Cli) -> None:
        make_files(2)
        ran = cli(*EACH, "in", "--json")
        assert [(f["status"], f["answer"]) for f in ran.json["files"]] == [
            ("answered", "FILE NUMBER 0\n"),
            ("answered", "FILE NUMBER 1\n"),
        ]

    def test_quiet_names_what_was_written(self, cli: Cli) -> None:
        make_files(2)
        ran = cli(*EACH, "in", "-o", "out", "--quiet")
        assert (ran.code, ran.lines, ran.stderr) == (0, ["out/0.md", "out/1.md"], "")

    def test_dry_run(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        make_files(1)
        assert cli(*EACH, "in", "-o", "out").code == 0
        write("in/1.md", "new\n")
        write("in/2.md", "")
        before = len(server.requests)
        ran = cli(*EACH, "in", "-o", "out2", "--dry-run", "--json")
        assert [(f["output"], f["state"]) for f in ran.json["files"]] == [
            ("out2/0.md", "finished"), ("out2/1.md", "to_do"), ("out2/2.md", "skipped"),
        ]  # fmt: skip
        assert len(server.requests) == before
        assert not Path("out2").exists()


class TestUnforeseen:
    """What nobody thought of happens in the thread of one file."""

    @pytest.fixture(autouse=True)
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise ZeroDivisionError("by nobody")

        monkeypatch.setattr("gptasst.each.journal.RunJournal.record", fail)

    @pytest.mark.usefixtures("server")
    @pytest.mark.parametrize(("options", "shown"), [((), False), (("-v",), True)])
    def test_says_where_under_verbose(
        self, cli: Cli, options: tuple[str, ...], shown: bool
    ) -> None:
        make_files(1)
        ran = cli(*EACH, "in", "-o", "out", *options)
        assert ran.code == 6
        warning = "warning: `in/0.md` failed: unexpected: ZeroDivisionError: by nobody"
        assert f"{warning} (--verbose shows where; please report it)" in ran.stderr.splitlines()
        assert ("in _receive" in ran.stderr) is shown


class TestResume:
    def test_the_same_command_sends_nothing(self, cli: Cli, server: LoopbackServer) -> None:
        make_files(5)
        assert cli(*EACH, "in", "-o", "out").code == 0
        server.requests.clear()
        ran = cli(*EACH, "in", "-o", "out")
        assert ran.stderr.startswith("5 files: 5 unchanged; 0 requests, ")
        assert server.requests == []

    def test_also_without_a_server(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_files(2)
        assert cli(*EACH, "in", "-o", "out").code == 0
        server.close()
        Path("out/1.md").unlink()
        assert cli(*EACH, "in", "-o", "out").code == 0
        assert Path("out/1.md").read_text() == "FILE NUMBER 1\n"

    def test_after_files_moved(self, cli: Cli, server: LoopbackServer) -> None:
        make_files(3)
        assert cli(*EACH, "in", "-o", "out").code == 0
        server.requests.clear()
        Path("in").rename("elsewhere")
        assert cli(*EACH, "elsewhere", "-o", "other").code == 0
        assert server.requests == []
        assert Path("other/2.md").read_text() == "FILE NUMBER 2\n"

    def test_only_what_failed_is_sent_again(self, cli: Cli, server: LoopbackServer) -> None:
        make_files(3)
        server.outcomes.extend([outcomes.answer(), outcomes.refusal("no"), outcomes.answer()])
        ran = cli(*EACH, "in", "-o", "out", "-j", "1")
        assert ran.code == 6
        assert "warning: `in/1.md` failed: the model refused: no" in ran.stderr
        assert "hint: the same command does only what is missing" in ran.stderr
        assert not Path("out/1.md").exists()

        server.requests.clear()
        assert cli(*EACH, "in", "-o", "out").code == 0
        assert list(asked_for(server)) == ["file number 1\n"]

    @pytest.mark.parametrize(
        "words",
        [("-m", "gpt-6.2-sol"), ("-t", "Something else."), ("--force",)],
        ids=["model", "task", "force"],
    )
    def test_other_options_are_other_runs(
        self, cli: Cli, server: LoopbackServer, words: tuple[str, ...]
    ) -> None:
        make_files(2)
        assert cli(*EACH, "in", "-o", "out").code == 0
        server.requests.clear()
        assert cli(*EACH, "in", "-o", "out", *words).code == 0
        assert len(server.requests) == 2

    def test_a_changed_input_is_another_run(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        make_files(2)
        assert cli(*EACH, "in", "-o", "out").code == 0
        server.requests.clear()
        write("in/0.md", "new words\n")
        assert cli(*EACH, "in", "-o", "out").code == 0
        assert list(asked_for(server)) == ["new words\n"]
        assert Path("out/0.md").read_text() == "NEW WORDS\n"

    def test_definition_and_knowledge_count_and_the_name_does_not(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "words\n")
        write("k.md", "knowledge\n")
        run = ("run", "--each", "a.md", "-o", "out")

        def requests_of(name: str) -> int:
            server.requests.clear()
            assert cli(run[0], name, *run[1:]).code == 0
            return len(server.requests)

        assert cli("assistant", "create", "X", "-i", "DocWriter").code == 0
        assert requests_of("X") == 1
        assert cli("assistant", "edit", "X", "--rename", "Y").code == 0
        assert requests_of("Y") == 0
        assert cli("assistant", "files", "add", "Y", "k.md").code == 0
        assert requests_of("Y") == 1
        assert cli("assistant", "edit", "Y", "--reasoning-effort", "low").code == 0
        assert requests_of("Y") == 1
        assert requests_of("Y") == 0

    def test_what_is_old_is_forgotten(self, cli: Cli, server: LoopbackServer, home: Path) -> None:
        make_files(2)
        assert cli(*EACH, "in", "-o", "out").code == 0
        runs = home / "data" / "runs.sqlite3"
        with contextlib.closing(sqlite3.connect(runs)) as connection, connection:
            connection.execute("UPDATE answers SET answered_at = answered_at - 200 * 86400")
        connection.close()
        assert cli(*EACH, "in", "-o", "out").code == 0  # which prunes at its end
        server.requests.clear()
        assert cli(*EACH, "in", "-o", "out").code == 0
        assert len(server.requests) == 2

    def test_an_answer_whose_text_is_gone_still_counts(
        self, cli: Cli, server: LoopbackServer, home: Path
    ) -> None:
        make_files(2)
        assert cli(*EACH, "in", "-o", "out").code == 0
        runs = home / "data" / "runs.sqlite3"
        with contextlib.closing(sqlite3.connect(runs)) as connection, connection:
            connection.execute("UPDATE answers SET answer = NULL")
        connection.close()
        Path("out/1.md").unlink()
        server.requests.clear()
        assert cli(*EACH, "in", "-o", "out").code == 0
        assert list(asked_for(server)) == ["file number 1\n"]

    def test_a_damaged_journal_is_set_aside(
        self, cli: Cli, server: LoopbackServer, home: Path
    ) -> None:
        make_files(1)
        (home / "data").mkdir(parents=True)
        (home / "data" / "runs.sqlite3").write_bytes(b"no database " * 500)
        ran = cli(*EACH, "in", "-o", "out")
        assert ran.code == 0
        assert "the journal of finished runs is damaged" in ran.stderr
        assert cli(*EACH, "in", "-o", "out").stderr.startswith("1 file: 1 unchanged; 0 requests")

    def test_without_a_journal(self, cli: Cli, home: Path) -> None:
        make_files(3)
        home.mkdir()
        (home / "data").write_text("in the way of a directory")
        ran = cli(*EACH, "in", "-o", "out")
        assert ran.code == 0
        assert ran.stderr.count("the journal of finished runs") == 1
        assert Path("out/2.md").read_text() == "FILE NUMBER 2\n"


class TestUsage:
    @pytest.mark.parametrize("option", ["--in-place", "--check", "--diff", "--force", "--jobs=3"])
    def test_options_need_each(self, cli: Cli, write: Write, option: str) -> None:
        write("a.md", "text")
        ran = cli("run", "DocWriter", "a.md", option)
        assert (ran.code, ran.text) == (2, "")
        assert f"error: {option.partition('=')[0]} needs --each\n" in ran.stderr

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ((), "--each needs a place for the answers"),
            (("-o", "out", "--in-place"), "-o and --in-place can't be combined"),
            (("-o", "out", "--check"), "-o and --check can't be combined"),
            (("--in-place", "--check"), "--in-place and --check can't be combined"),
            (("-o", "out", "--diff"), "--diff compares answers with their files"),
            (("-o", "-"), "--each reads files and writes files"),
            (("-", "-o", "out"), "--each reads files and writes files"),
            (("-o", "out", "-j", "0"), "0 is not in the range"),
        ],
    )
    def test_refused(
        self,
        cli: Cli,
        server: LoopbackServer,
        write: Write,
        words: tuple[str, ...],
        message: str,
    ) -> None:
        write("a.md", "text")
        ran = cli(*EACH, "a.md", *words)
        assert (ran.code, ran.text) == (2, "")
        assert message in ran.stderr
        assert server.requests == []

    def test_no_files(self, cli: Cli) -> None:
        ran = cli(*EACH, "-o", "out", stdin=b"not read")
        assert ran.code == 2
        assert "--each has no files to work on" in ran.stderr
