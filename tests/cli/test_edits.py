"""Edits: whatever the answer is, only what may change does."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gptasst.each.files import moved
from gptasst.runs.types import Kept
from tests.cli.each import file_text
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import json_reply

pytestmark = pytest.mark.usefixtures("server")

TEXT = """# Teh tool

It dont run. See [the docs](https://example.com/a) or `./run.sh`.

```sh
echo teh
```

- one thign
- another thing
"""
RIGHT = TEXT.replace("# Teh", "# The").replace("dont", "does not").replace("thign", "thing")


class TestRun:
    def test_a_good_answer(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", TEXT)
        server.answer = f"```markdown\n{RIGHT}```\n"
        ran = cli("run", "MarkdownLinter", "a.md")
        assert (ran.code, ran.text, ran.stderr) == (0, RIGHT, "")
        assert len(server.requests) == 1

    def test_what_must_stay_is_asked_for_again_and_kept(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", TEXT)
        server.answer = RIGHT.replace("./run.sh", "./go.sh").replace("echo", "say")
        ran = cli("run", "MarkdownLinter", "a.md", "-o", "out.md")
        assert ran.code == 0
        assert Path("out.md").read_text() == RIGHT.replace("does not", "dont")
        assert (
            "kept 1 block unchanged because the answer's version was not safe; "
            "`--verbose` shows why\n" in ran.stderr
        )
        again = server.requests[1].json["input"][-1]["content"]
        assert "code changed: `./run.sh`" in again[1]["text"]
        assert file_text(server.requests[1].json).startswith("It dont run.")

    def test_json_and_verbose_say_why(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", TEXT)
        server.answer = RIGHT.replace("./run.sh", "./go.sh")
        kept = {"path": "a.md", "lines": "3", "reason": "code changed: `./run.sh`"}
        assert cli("run", "MarkdownLinter", "a.md", "--json").json["kept"] == [kept]
        ran = cli("run", "MarkdownLinter", "a.md", "-v")
        assert "kept a.md:3: code changed: `./run.sh`\n" in ran.stderr

    def test_nothing_that_can_be_taken_over(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", TEXT)
        write("out.md", "old")
        server.answer = "I am sorry, but I can't help with that.\n"
        ran = cli("run", "MarkdownLinter", "a.md", "-o", "out.md", "--json")
        assert (ran.code, ran.error["code"]) == (7, "nothing_taken")
        assert Path("out.md").read_text() == "old"

    def test_of_a_cut_off_answer_what_came_whole_is_used_and_the_rest_asked_for(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", TEXT)
        half = RIGHT[: RIGHT.index("See")]
        server.outcomes.append(outcomes.incomplete(text=half))
        server.answer = RIGHT[RIGHT.index("It does") :]
        ran = cli("run", "MarkdownLinter", "a.md")
        assert (ran.code, ran.text) == (0, RIGHT)
        assert "# Teh" not in file_text(server.requests[1].json)

    @pytest.mark.parametrize("answer", ["  \n", "```\n```", '<file path="a.md">\n</file>\n'])
    @pytest.mark.parametrize("each", [(), ("--each", "--in-place")])
    def test_an_empty_answer(
        self, cli: Cli, server: LoopbackServer, write: Write, answer: str, each: tuple[str, ...]
    ) -> None:
        write("a.md", TEXT)
        server.answer = answer
        ran = cli("run", "MarkdownLinter", "a.md", "--json", *each)
        error = ran.json["files"][0]["error"] if each else ran.error
        assert (ran.code, error["code"]) == (6 if each else 7, "empty")
        assert Path("a.md").read_text() == TEXT

    @pytest.mark.parametrize("end", ["`./run.sh`", "the docs](https://example.com/a) or"])
    def test_an_answer_that_ends_too_early_is_not_taken_as_whole(
        self, cli: Cli, server: LoopbackServer, write: Write, end: str
    ) -> None:
        write("a.md", TEXT)
        half = RIGHT[: RIGHT.index(end) + len(end)]
        server.answer = lambda body: half if "Teh" in file_text(body) else "No."
        assert cli("run", "MarkdownLinter", "a.md").text == TEXT.replace("Teh", "The")

    def test_a_translation_into_a_language_without_full_stops(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "It runs.\n")
        server.answer = "มันทำงาน\n"
        assert cli("run", "Translator", "a.md", "-t", "Thai").text == "มันทำงาน\n"

    def test_as_a_filter(self, cli: Cli, server: LoopbackServer) -> None:
        server.answer = RIGHT
        ran = cli("run", "MarkdownLinter", "-", stdin=TEXT.replace("\n", "\r\n").encode())
        assert ran.stdout == RIGHT.replace("\n", "\r\n").encode()

    def test_a_text_alone(self, cli: Cli, server: LoopbackServer) -> None:
        server.answer = "It does not run."
        assert cli("run", "MarkdownLinter", "-t", "It do not run.").text == "It does not run."

    def test_several_files_are_a_request_each(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "Teh first.\n")
        write("b.md", "Teh second.\n")
        server.answer = lambda body: file_text(body).replace("Teh", "The")
        assert cli("run", "MarkdownLinter", "a.md", "b.md").text == "The first.\n\nThe second.\n"
        assert len(server.requests) == 2

    @pytest.mark.parametrize("encoding", ["windows-1252", "utf-8-sig", "utf-16"])
    def test_the_encoding_stays(
        self, cli: Cli, server: LoopbackServer, write: Write, encoding: str
    ) -> None:
        write("a.md", "Teh café.\r\n".encode(encoding))
        server.answer = "The café.\n"
        assert cli("run", "MarkdownLinter", "a.md", "-o", "out.md").code == 0
        assert Path("out.md").read_bytes() == "The café.\r\n".encode(encoding)

    def test_more_than_a_request_takes(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        text = "".join(f"## Part {n}\n\nTeh {'words of it ' * 200}\n\n" for n in range(50))
        write("big.md", text)
        server.answer = lambda body: file_text(body).replace("Teh", "The")
        ran = cli("run", "MarkdownLinter", "big.md", "-o", "out.md")
        assert (ran.code, len(text) > 100_000) == (0, True)
        assert Path("out.md").read_text() == text.replace("Teh", "The")
        asked = [request.json for request in server.requests if request.json]
        assert max(len(file_text(body)) for body in asked) < 30_000

    def test_a_small_model_gets_sentences(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write(
            "Fix.toml",
            'edits = true\ninstructions = "x"\n[edit]\nunit = "sentence"\n[edit.sentences]\n'
            'instructions = "Correct it."\nexamples = [["He go.", "He goes."]]\n',
        )
        write("a.md", TEXT)
        server.answer = _tiny
        ran = cli("run", "Fix.toml", "a.md")
        assert (ran.code, ran.stderr) == (0, "")
        assert ran.text == TEXT.replace("# Teh", "# The").replace("thign", "thing")
        asked = {}  # side by side, so in any order
        for body in (request.json for request in server.requests):
            assert (body["instructions"], body["temperature"]) == ("Correct it.", 0)
            before, after, last = (item["content"] for item in body["input"])
            asked[last[0]["text"]] = (before[0]["text"], after)
        assert asked["Teh tool"] == ("He go.", "He goes.")

    def test_a_translation_keeps_placeholders(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "# Hello {name}\n\nRun `ls` now.\n\nGood bye, %s.\n")
        server.answer = "# Hallo {name}\n\nFühre jetzt `ls` aus.\n\nAuf Wiedersehen.\n"
        ran = cli("run", "Translator", "a.md", "-t", "German", "-v")
        assert ran.text == "# Hallo {name}\n\nFühre jetzt `ls` aus.\n\nGood bye, %s.\n"
        assert "kept a.md:5: a placeholder changed: `%s`" in ran.stderr


def _tiny(body: dict[str, Any]) -> str:
    """A model that corrects, makes up words, and drops others."""
    sentence = body["input"][-1]["content"][0]["text"]
    changed = sentence.replace("Teh", "The").replace("thign", "thing").replace("dont run", "runs")
    return f"{changed} Indeed." if changed.endswith(".") else str(changed)


class TestEach:
    def test_in_place(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("in/a.md", TEXT)
        write("in/b.md", "Teh end.")
        server.answer = lambda body: file_text(body).replace("Teh", "The").replace("./run", "go")
        ran = cli("run", "MarkdownLinter", "in", "--each", "--in-place")
        assert ran.code == 0
        assert Path("in/a.md").read_text() == TEXT.replace("# Teh", "# The")
        assert Path("in/b.md").read_text() == "The end."
        assert "kept 1 block unchanged" in ran.stderr

    def test_what_was_kept_is_said_by_the_next_run_as_well(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("in/a.md", TEXT)
        server.answer = RIGHT.replace("# The tool", "# The\n# tool").replace("./run.sh", "go")
        command = ("run", "MarkdownLinter", "in/a.md", "--each", "-v")
        assert "kept in/a.md:3: code changed" in cli(*command, "-o", "out").stderr
        asked = len(server.requests)
        assert "kept in/a.md:3: code changed" in cli(*command, "-o", "out").stderr
        assert "kept in/a.md:3: code changed" in cli(*command, "--in-place").stderr
        Path("in/a.md").rename("in/b.md")
        ran = cli(*command[:2], "in/b.md", *command[3:], "--in-place", "--json")
        (file,) = ran.json["files"]
        assert file["status"] == "unchanged"
        assert next((kept["path"], kept["lines"]) for kept in file["kept"]) == ("in/b.md", "3")
        assert len(server.requests) == asked

    def test_lines_of_what_was_kept_are_those_of_the_new_text(self) -> None:
        kept = (Kept("a.md", "3-4", "x"), Kept("a.md", "6", "y"))
        new = moved(kept, "a\n\nb\nc\n\nd\n", "A\nA\n\nb\nc\nD\n")
        assert [each.lines for each in new] == ["4-5", "6"]

    def test_one_bad_answer(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("in/a.md", TEXT)
        write("in/b.md", "Teh end.")
        server.answer = lambda body: "No!" if "tool" in file_text(body) else "The end."
        ran = cli("run", "MarkdownLinter", "in", "--each", "--in-place")
        assert ran.code == 6
        assert Path("in/a.md").read_text() == TEXT
        assert Path("in/b.md").read_text() == "The end."

    def test_json_and_diff(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", TEXT)
        server.answer = RIGHT.replace("./run.sh", "./go.sh")
        ran = cli("run", "MarkdownLinter", "a.md", "--each", "--diff", "--json")
        (file,) = ran.json["files"]
        assert [kept["lines"] for kept in file["kept"]] == ["3"]
        assert "go.sh" not in file["diff"]
        assert "+# The tool" in file["diff"]

    def test_batch(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", TEXT)
        server.answer = RIGHT.replace("./run.sh", "./go.sh")
        command = ("run", "MarkdownLinter", "a.md", "--each", "--in-place", "--batch", "--wait")
        ran = cli(*command)
        assert ran.code == 0
        assert Path("a.md").read_text() == RIGHT.replace("does not", "dont")
        assert "kept 1 block unchanged" in ran.stderr


def _props(server: LoopbackServer, context: int) -> None:
    body = {"default_generation_settings": {"n_ctx": context}}
    server.disturb("GET", "/props", HttpAnswer(json_reply(body)), times=9)


def _long(parts: int) -> str:
    return "".join(f"## Part {n}\n\nTeh {'words of it ' * 20}.\n\n" for n in range(parts))


def _sent(server: LoopbackServer) -> list[int]:
    """How long the texts were that the model was asked for."""
    return [len(file_text(request.json)) for request in server.requests if request.json]


class TestLimits:
    """What a model takes at once, and an answer that is cut off."""

    @pytest.mark.parametrize("where", ["server", "profile", "definition"])
    def test_groups_fit_the_model(
        self, cli: Cli, server: LoopbackServer, write: Write, home: Path, where: str
    ) -> None:
        text, name = _long(60), "MarkdownLinter"
        write("a.md", text)
        server.answer = lambda body: file_text(body).replace("Teh", "The")
        if where == "server":
            _props(server, 4096)
        elif where == "profile":
            write(str(home / "config/config.toml"), "[profiles.openai]\ncontext = 4096\n")
        else:
            write(
                "Fix.toml",
                'instructions = "x"\nedits = true\n[settings]\nmax_output_tokens = 2000\n',
            )
            name = "Fix.toml"
        ran = cli("run", name, "a.md", "-o", "out.md")
        assert (ran.code, ran.stderr) == (0, "wrote `out.md` (15.5 kB)\n")
        assert Path("out.md").read_text() == text.replace("Teh", "The")
        assert 3000 < max(_sent(server)) < 6200 < len(text)

    @pytest.mark.parametrize("each", [(), ("--each", "--in-place")])
    def test_what_was_answered_is_not_paid_for_again_where_a_group_fails(
        self, cli: Cli, server: LoopbackServer, write: Write, home: Path, each: tuple[str, ...]
    ) -> None:
        text = _long(60)
        write("a.md", text)
        write(str(home / "config/config.toml"), "[profiles.openai]\ncontext = 4096\n")
        server.answer = lambda body: file_text(body).replace("Teh", "The")
        server.outcomes += [outcomes.answer(), outcomes.answer()]
        server.outcomes.append(outcomes.http_error(403, "insufficient_permissions", "No."))
        ran = cli("run", "MarkdownLinter", "a.md", *each, "--json")
        error = ran.json["files"][0]["error"] if each else ran.error
        assert (error["code"], Path("a.md").read_text()) == ("no_permission", text)
        first = _sent(server)
        answered = len(first) - 1
        assert f"{answered} answers are kept for a day" in error["hint"]
        server.requests.clear()
        ran = cli("run", "MarkdownLinter", "a.md", *each)
        result = Path("a.md").read_text() if each else ran.text
        assert (ran.code, result) == (0, text.replace("Teh", "The"))
        groups = -(-len(text) // max(first))
        assert len(_sent(server)) <= groups + 1 - answered
        # What succeeded leaves nothing behind.
        with contextlib.closing(sqlite3.connect(home / "data" / "runs.sqlite3")) as kept:
            assert kept.execute("SELECT run FROM answers WHERE run GLOB 'piece:*'").fetchall() == []

    def test_a_large_context_takes_all_at_once(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        text = _long(200)
        write("a.md", text)
        _props(server, 100_000)
        server.answer = lambda body: file_text(body).replace("Teh", "The")
        assert cli("run", "MarkdownLinter", "a.md").text == text.replace("Teh", "The")
        assert _sent(server) == [len(text)]

    @pytest.mark.parametrize("each", [(), ("--each", "--in-place")])
    def test_what_is_cut_off_again_and_again_is_asked_for_in_smaller_groups(
        self, cli: Cli, server: LoopbackServer, write: Write, each: tuple[str, ...]
    ) -> None:
        text = _long(40)
        write("a.md", text)
        server.answer = lambda body: file_text(body).replace("Teh", "The")
        server.longest_answer = 1500
        ran = cli("run", "MarkdownLinter", "a.md", *each)
        assert ran.code == 0
        result = Path("a.md").read_text() if each else ran.text
        assert result == text.replace("Teh", "The")

    def test_what_the_server_refuses_as_too_long_goes_in_groups(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        text = _long(40)
        write("a.md", text)
        server.answer = lambda body: file_text(body).replace("Teh", "The")
        server.longest_input = 4000
        assert cli("run", "MarkdownLinter", "a.md").text == text.replace("Teh", "The")

    def test_too_long_whatever_is_sent(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", TEXT)
        server.longest_input = 5
        ran = cli("run", "MarkdownLinter", "a.md", "-o", "out.md", "--json")
        assert (ran.code, ran.error["code"]) == (2, "too_long")
        assert not Path("out.md").exists()
        assert len(server.requests) < 20

    def test_cut_off_before_anything_came_whole(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", TEXT)
        server.outcomes.extend([outcomes.incomplete(text="# Th")] * 50)
        ran = cli("run", "MarkdownLinter", "a.md", "-o", "out.md", "--json")
        assert (ran.code, ran.error["code"]) == (7, "incomplete")
        assert not Path("out.md").exists()
        assert len(server.requests) < 12

    def test_in_a_batch_what_came_whole_is_used(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", TEXT)
        server.outcomes.append(outcomes.incomplete(text=RIGHT[: RIGHT.index("ther thing")]))
        command = ("run", "MarkdownLinter", "a.md", "--each", "--in-place", "--batch", "--wait")
        ran = cli(*command, "-v")
        assert ran.code == 0
        assert Path("a.md").read_text() == RIGHT
        assert "kept a.md:10: it is missing in the answer" in ran.stderr

    def test_in_a_batch_a_full_context_is_no_answer(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "Teh text.\n")
        _props(server, 1100)
        server.answer = "word " * 1000
        command = ("run", "DocWriter", "a.md", "--each", "--in-place", "--batch", "--wait")
        ran = cli(*command)
        assert ran.code == 6
        assert "the context of 1,100 tokens is full" in ran.stderr
        assert Path("a.md").read_text() == "Teh text.\n"
