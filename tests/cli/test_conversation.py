"""`run -c` and `gptasst conversation`, with conversations here and on the server."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.on_terminal import on_terminal, while_asked
from tests.openapi import assert_valid_request

MARK = "[this answer broke off here]"


@pytest.fixture(params=["local", "openai"])
def place(
    request: pytest.FixtureRequest, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Where conversations are kept."""
    place: str = request.param
    monkeypatch.setenv("GPTASST_STORE", place)
    return place


def say(cli: Cli, text: str, *words: str | Path) -> Any:
    ran = cli("run", "DocWriter", "-t", text, "-c", "--json", *words)
    assert ran.code == 0, ran.stdout
    return ran.json


def answered(server: LoopbackServer) -> list[dict[str, Any]]:
    """The bodies of the requests for an answer."""
    return [r.json for r in server.requests if (r.method, r.path) == ("POST", "/v1/responses")]


def told(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Who said what, in the input of a request."""
    return [(item["role"], _text(item["content"])) for item in body["input"]]


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def on_server(server: LoopbackServer, ident: str) -> list[tuple[str, str]]:
    items = server.conversations[ident].items
    return [(item["role"], _text(item["content"])) for item in items]


def shown(cli: Cli, ident: str) -> list[tuple[str, str]]:
    messages = cli("conversation", "show", ident, "--json").json["messages"]
    return [(message["role"], message["text"]) for message in messages]


class TestRun:
    def test_goes_on(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        first, second = say(cli, "one"), say(cli, "two")

        assert first["conversation"] == second["conversation"]
        assert shown(cli, first["conversation"]) == [
            ("user", "one"), ("assistant", "one"), ("user", "two"), ("assistant", "two"),
        ]  # fmt: skip

    def test_past_is_sent_along(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "Alpha.")
        say(cli, "one", "-f", "a.md")
        say(cli, "two")

        body = answered(server)[-1]
        alpha = '<file path="a.md">\nAlpha.\n</file>'
        assert told(body) == [("user", f"one{alpha}"), ("assistant", "Alpha.\n"), ("user", "two")]
        assert (body["store"], body.get("conversation")) == (False, None)

    def test_server_knows_the_past(self, cli: Cli, project: LoopbackServer) -> None:
        ident = say(cli, "one")["conversation"]
        say(cli, "two")

        body = answered(project)[-1]
        assert (told(body), body["conversation"]) == ([("user", "two")], ident)
        assert "store" not in body  # without it the server would add nothing
        assert body["instructions"]
        assert [text for _, text in on_server(project, ident)] == ["one", "one", "two", "two"]

    def test_requests_are_valid(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        say(cli, "one")
        server.outcomes.append(outcomes.stream_breaks_after(1, "two three"))
        cli("run", "DocWriter", "-c", "-t", "two")
        cli("conversation", "delete", say(cli, "four")["conversation"], "-y")

        for record in server.requests:
            assert_valid_request(record)

    def test_says_which(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        begins = cli("run", "DocWriter", "-c", "-t", "one two")
        ident = cli("conversation", "list", "-q").lines[0]
        goes_on = cli("run", "DocWriter", "-c", "-t", "three")

        assert begins.text == "one two"
        assert f"this is conversation `{ident}` (one two)" in begins.stderr
        assert f"continuing conversation `{ident}` (one two)" in goes_on.stderr
        assert cli("run", "DocWriter", "-c", "-q", "-t", "four").stderr == ""

    @pytest.mark.parametrize("asked", ["id", "title", "beginning"])
    def test_given_one(self, cli: Cli, server: LoopbackServer, place: str, asked: str) -> None:
        ident = say(cli, "the first words")["conversation"]
        cli("run", "DocWriter", "--conversation", "new", "-t", "another")
        word = {"id": ident, "title": "the first words", "beginning": "The F"}[asked]
        ran = cli("run", "DocWriter", "--conversation", word, "-t", "more", "--json")

        assert ran.json["conversation"] == ident
        assert len(cli("conversation", "list").lines) == 2

    def test_only_with_the_same_assistant(self, cli: Cli, server: LoopbackServer) -> None:
        say(cli, "one")
        ran = cli("run", "CommitMessage", "-c", "-t", "two", "--json")

        assert "no conversation with `CommitMessage` yet" in ran.stderr
        assert told(answered(server)[-1]) == [("user", "two")]

    def test_nothing_is_kept_without(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        assert cli("run", "DocWriter", "-t", "one", "--json").json["conversation"] is None
        assert cli("run", "DocWriter", "-c", "-t", "one", "--dry-run").code == 0
        assert (cli("conversation", "list").text, server.conversations) == ("", {})

    def test_dry_run_counts_the_past(self, cli: Cli, server: LoopbackServer) -> None:
        say(cli, "x" * 1000)
        plan = cli("run", "DocWriter", "-c", "-t", "two", "--dry-run", "--json").json
        assert plan["input_characters"] == 2003

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (["--conversation", "conv_none"], 3),
            (["--conversation", "a title"], 3),
            (["--conversation", "new", "-c"], 2),
            (["-c", "--each"], 2),
        ],
    )
    def test_refused(
        self, cli: Cli, server: LoopbackServer, place: str, words: list[str], code: int
    ) -> None:
        ran = cli("run", "DocWriter", "-t", "one", *words)
        assert (ran.code, ran.text, answered(server)) == (code, "", [])

    def test_ambiguous(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        for _ in range(2):
            cli("run", "DocWriter", "--conversation", "new", "-t", "one")
        ran = cli("conversation", "show", "one")
        assert (ran.code, "means 2 conversations" in ran.stderr) == (2, True)

    def test_context_is_full(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The way out of it is named."""
        say(cli, "one")
        full = outcomes.http_error(400, "context_length_exceeded", "too many tokens")
        server.outcomes.append(full)
        ran = cli("run", "DocWriter", "-c", "-t", "two")
        assert (ran.code, "start a new conversation" in ran.stderr) == (2, True)


class TestBrokenOff:
    def test_what_came_is_kept(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        ident = say(cli, "one")["conversation"]
        server.outcomes.append(outcomes.stream_breaks_after(2, "an answer that is long"))
        ran = cli("run", "DocWriter", "-c", "-t", "two")

        assert (ran.code, ran.text) == (7, "an answer that")
        assert (
            f"the part of the answer that arrived is kept in conversation `{ident}`" in ran.stderr
        )
        messages = cli("conversation", "show", ident, "--json").json["messages"]
        assert [m["broken_off"] for m in messages] == [None, None, None, "broken_off"]
        assert messages[-1]["text"] == "an answer that"
        assert "*The answer broke off here: broken off.*" in cli("conversation", "show", ident).text

    def test_the_next_turn_knows(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        server.outcomes.append(outcomes.stream_breaks_after(2, "an answer that is long"))
        cli("run", "DocWriter", "-c", "-t", "one")
        ident = say(cli, "two")["conversation"]

        told_before = (
            told(answered(server)[-1])[:-1] if place == "local" else on_server(server, ident)[:2]
        )
        assert told_before == [("user", "one"), ("assistant", f"an answer that\n\n{MARK}")]

    def test_first_turn_that_fails_leaves_nothing(
        self, cli: Cli, server: LoopbackServer, place: str
    ) -> None:
        server.outcomes.append(outcomes.refusal("no"))
        assert cli("run", "DocWriter", "-c", "-t", "one").code == 7
        assert (cli("conversation", "list").text, server.conversations) == ("", {})

    def test_fenced_answer(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        """What is held back until it is clear whether a fence is around all of it."""
        server.outcomes.append(outcomes.stream_breaks_after(3, "```md\nalpha beta gamma\n```"))
        ran = cli("run", "DocWriter", "-c", "-t", "one")

        (ident,) = cli("conversation", "list", "-q").lines
        assert ran.text == ""
        assert shown(cli, ident)[-1] == ("assistant", "```md\nalpha beta gamm")

    def test_server_away_meanwhile(self, cli: Cli, project: LoopbackServer) -> None:
        ident = say(cli, "one")["conversation"]
        project.outcomes.append(outcomes.stream_breaks_after(1, "half of it"))
        project.disturb("POST", "/v1/conversations/*/items", outcomes.http_error(500))
        assert cli("run", "DocWriter", "-c", "-t", "two").code == 7
        assert len(on_server(project, ident)) == 2
        assert shown(cli, ident)[-2:] == [("user", "two"), ("assistant", "half of")]

        say(cli, "three")
        assert [text for _, text in on_server(project, ident)] == [
            "one", "one", "two", f"half of\n\n{MARK}", "three", "three",
        ]  # fmt: skip

    def test_lost_answer_of_the_server_is_not_doubled(
        self, cli: Cli, project: LoopbackServer
    ) -> None:
        ident = say(cli, "one")["conversation"]
        project.outcomes.append(outcomes.stream_breaks_after(1, "half of it"))
        project.disturb("POST", "/v1/conversations/*/items", done=True)
        cli("run", "DocWriter", "-c", "-t", "two")
        say(cli, "three")
        assert len(on_server(project, ident)) == 6


class TestList:
    def test_columns(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        ident = say(cli, "the first words")["conversation"]
        (line,) = cli("conversation", "list").lines
        fields = line.split("\t")
        assert [*fields[:3], *fields[4:]] == [
            ident, "DocWriter", "2", "here" if place == "local" else "openai", "the first words",
        ]  # fmt: skip

    def test_last_first(self, cli: Cli, server: LoopbackServer) -> None:
        first = say(cli, "one")["conversation"]
        cli("run", "CommitMessage", "-c", "-t", "two")
        say(cli, "three")
        assert cli("conversation", "list", "-q").lines[0] == first

    @pytest.mark.parametrize(
        ("text", "title"),
        [("word " * 30, "word " * 11 + "word…"), ("w" * 80, "w" * 59 + "…"), ("a\n b", "a b")],
    )
    def test_titles(self, cli: Cli, server: LoopbackServer, text: str, title: str) -> None:
        say(cli, text)
        assert cli("conversation", "list", "--json").json["conversations"][0]["title"] == title


class TestShow:
    def test_markdown(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "Alpha.")
        server.answer = "# Title\n\nText.\n"
        ident = say(cli, "one", "-f", "a.md")["conversation"]
        text = cli("conversation", "show", ident).text

        assert text.startswith(f"# one\n\nConversation `{ident}` with DocWriter\n\n## You (")
        assert "\n\none\n\nFiles: `a.md`\n\n## DocWriter (gpt-6-luna, " in text
        assert text.endswith(")\n\n# Title\n\nText.\n")

    @pytest.mark.parametrize("name", ["out.md", "out.json"])
    def test_export(self, cli: Cli, server: LoopbackServer, place: str, name: str) -> None:
        ident = say(cli, "one")["conversation"]
        assert cli("conversation", "show", ident, "-o", name).code == 0

        form = ["--json"] if name == "out.json" else []
        assert Path(name).read_bytes() == cli("conversation", "show", ident, *form).stdout

    @pytest.mark.parametrize("words", [["-o", "-"], ["-q"], ["--json", "-o", "-"]], ids=" ".join)
    def test_what_was_asked_for_is_data(
        self, cli: Cli, server: LoopbackServer, words: list[str]
    ) -> None:
        ident = say(cli, "one")["conversation"]
        whole = cli("conversation", "show", ident, *(["--json"] if "--json" in words else []))
        assert cli("conversation", "show", ident, *words).stdout == whole.stdout
        assert not Path("-").exists()

    def test_quiet_json_comes_without_notes(self, cli: Cli, server: LoopbackServer) -> None:
        words = ("run", "DocWriter", "-t", "one", "-c", "--json")
        assert "conversation" in cli(*words).stderr
        ran = cli(*words, "-q")
        assert (ran.code, ran.stderr, ran.json["answer"]) == (0, "", "one")

    def test_json_names_files_only(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.png", b"\x89PNG\r\n\x1a\n")
        ident = say(cli, "one", "-f", "a.png")["conversation"]
        message = cli("conversation", "show", ident, "--json").json["messages"][0]
        assert message["files"] == ["a.png"]

    def test_from_another_machine(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        ident = say(cli, "one")["conversation"]
        monkeypatch.setenv("GPTASST_HOME", str(tmp_path / "elsewhere"))

        assert shown(cli, ident) == [("user", "one"), ("assistant", "one")]
        cli("run", "DocWriter", "--conversation", ident, "-t", "two")
        assert cli("conversation", "list", "--json").json["conversations"][0]["title"] == "one"

    def test_kept_elsewhere(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ident = say(cli, "one")["conversation"]
        monkeypatch.setenv("GPTASST_STORE", "local")
        ran = cli("conversation", "show", ident)
        assert (ran.code, "--profile openai" in ran.stderr) == (2, True)


class TestLongOnes:
    @pytest.fixture
    def ident(self, cli: Cli, project: LoopbackServer) -> str:
        """A conversation of 500 turns on the server."""
        ident = str(say(cli, "turn 0")["conversation"])
        items = project.conversations[ident].items
        question, answer = items
        for turn in range(1, 500):
            for kept, text in ((question, f"turn {turn}"), (answer, f"turn {turn}")):
                part = {**kept["content"][0], "text": text}
                items.append({**kept, "id": f"msg_{len(items)}", "content": [part]})
        project.requests.clear()
        return ident

    def test_what_has_come_is_printed(self, cli: Cli, project: LoopbackServer, ident: str) -> None:
        project.disturb("GET", "*/items", outcomes.http_error(404), skip=3, times=99)
        ran = cli("conversation", "show", ident)
        assert ran.code != 0
        assert ran.text.count("\nturn ") == 300

    def test_one_that_is_gone_prints_nothing(
        self, cli: Cli, project: LoopbackServer, ident: str
    ) -> None:
        project.disturb("GET", "*/items", outcomes.http_error(404), times=99)
        ran = cli("conversation", "show", ident)
        assert ran.code != 0
        assert ran.stdout == b""

    def test_whole_it_is_read_from_both_ends(
        self, cli: Cli, project: LoopbackServer, ident: str
    ) -> None:
        with project.lock:
            project.conversations[ident].items[500:500] = [
                {"id": "fs_1", "type": "file_search_call", "status": "completed"}
            ]
        self._know(cli, ident)
        messages = cli("conversation", "show", ident, "--json").json["messages"]
        assert [m["text"] for m in messages] == [f"turn {n // 2}" for n in range(1000)]
        shown = cli("conversation", "show", ident).text
        assert re.findall(r"^turn \d+$", shown, re.MULTILINE) == [
            f"turn {n // 2}" for n in range(1000)
        ]
        orders = [r.query["order"] for r in project.requests if r.path.endswith("/items")]
        assert {"asc", "desc"} == set(orders)
        assert len(orders) <= 24

    def test_of_both_ends_the_older_one_is_printed_first(
        self, cli: Cli, project: LoopbackServer, ident: str
    ) -> None:
        self._know(cli, ident)
        with project.lock:
            project.conversations[ident].items[998]["content"] = 7  # of the last question
        ran = cli("conversation", "show", ident)
        assert ran.code != 0
        assert "\nturn 0\n" in ran.text
        assert "\nturn 499\n" not in ran.text

    def _know(self, cli: Cli, ident: str) -> None:
        """Let this machine count the messages, as it does from turn to turn."""
        database = Path(os.environ["GPTASST_HOME"]) / "data" / "conversations.sqlite3"
        with contextlib.closing(sqlite3.connect(database)) as file, file:
            file.execute("UPDATE conversations SET messages = 1000 WHERE id = ?", (ident,))


class TestDelete:
    def test_asks(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        ident = say(cli, "one")["conversation"]
        refused = cli("conversation", "delete", ident)
        assert (refused.code, len(cli("conversation", "list").lines)) == (2, 1)

        assert cli("conversation", "delete", "one", "-y", "-q").lines == [ident]
        assert (cli("conversation", "list").text, server.conversations) == ("", {})
        assert cli("conversation", "show", ident).code == 3

    def test_gone_on_the_server(self, cli: Cli, project: LoopbackServer) -> None:
        ident = say(cli, "one")["conversation"]
        project.conversations.clear()
        assert cli("conversation", "show", ident).code == 3
        assert cli("conversation", "delete", ident, "-y").code == 0
        assert cli("conversation", "list").text == ""

    def test_looks_again_after_the_yes(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        ident = say(cli, "one")["conversation"]
        words = ("conversation", "delete", ident)
        seen = while_asked(lambda: say(cli, "two"), *words, typed="y\nn\n", after="[y/N]")
        assert "this changed while the question was open" in seen.screen
        assert seen.screen.count("[y/N]") == 2
        assert len(cli("conversation", "show", ident, "--json").json["messages"]) == 4

    def test_that_is_gone_when_the_yes_comes(
        self, cli: Cli, server: LoopbackServer, place: str
    ) -> None:
        ident = say(cli, "one")["conversation"]
        words = ("conversation", "delete", ident)
        seen = while_asked(lambda: cli(*words, "-y"), *words, typed="y\n", after="[y/N]")
        assert seen.code == 3

    def test_of_others_is_left_alone(self, cli: Cli, project: LoopbackServer) -> None:
        ident = _made_by_somebody(project, {})
        cli("run", "DocWriter", "--conversation", ident, "-t", "one")
        ran = cli("conversation", "delete", ident, "-y")

        assert (ran.code, "the server keeps it" in ran.stderr) == (0, True)
        assert len(on_server(project, ident)) == 2

    def test_failed_turn_in_that_of_others(self, cli: Cli, project: LoopbackServer) -> None:
        ident = _made_by_somebody(project, {})
        project.outcomes.append(outcomes.refusal("no"))
        assert cli("run", "DocWriter", "--conversation", ident, "-t", "one").code == 7
        assert ident in project.conversations

    @pytest.mark.parametrize("words", [["show"], ["delete", "-y"]])
    def test_definitions_are_no_conversation(
        self, cli: Cli, project: LoopbackServer, words: list[str]
    ) -> None:
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        (ident,) = project.conversations
        before = json.dumps(project.conversations[ident].items)
        ran = cli("conversation", *words, ident)

        assert (ran.code, "holds the definitions" in ran.stderr) == (2, True)
        assert cli("run", "Docs", "--conversation", ident, "-t", "one").code == 2
        assert json.dumps(project.conversations[ident].items) == before


def _made_by_somebody(project: LoopbackServer, metadata: dict[str, str]) -> str:
    from openai import OpenAI

    with OpenAI(base_url=project.base_url, api_key="sk-test") as client:
        return client.conversations.create(metadata=metadata).id


def test_on_a_terminal_what_is_said_of_it_begins_a_line(server: LoopbackServer) -> None:
    server.answer = "no line end"
    seen = on_terminal("run", "DocWriter", "-t", "hi", "-c", TERM="dumb")
    assert "no line end\nthis is conversation" in seen.screen
