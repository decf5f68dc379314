"""`--var`: where values come from, where they go, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Sent
from tests.cli.test_secret_files import KEY
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.on_terminal import on_terminal

_POLITE = """\
instructions = "You write {{lang}}, {{ lang }} and {{other}}. Be {{tone}}. {{notes}}"
default_text = "Into {{lang}}: {{notes}}"
[variables.lang]
description = "the language"
[variables.tone]
default = "kind"
choices = ["kind", "rude"]
[variables.notes]
default = ""
"""


@pytest.fixture(autouse=True)
def polite(write: Write) -> None:
    write("instructions/Polite.toml", _POLITE)


def instructions(server: LoopbackServer) -> str:
    text: str = server.requests[-1].json["instructions"]
    return text


@pytest.mark.usefixtures("local_store")
class TestRun:
    def test_values_are_filled_in(self, cli: Cli, server: LoopbackServer, sent: Sent) -> None:
        Path("in.md").write_text("{{lang}} stays {{tone}}\n")
        words = ("--var", "lang={{tone}}", "notes=a {{lang}}", "-f", "in.md")
        assert cli("run", "Polite", *words).code == 0
        assert instructions(server) == (
            "You write {{tone}}, {{ lang }} and {{other}}. Be kind. a {{lang}}"
        )
        assert sent() == [
            "Into {{tone}}: a {{lang}}",
            '<file path="in.md">\n{{lang}} stays {{tone}}\n</file>',
        ]

    def test_what_follows_an_assignment(self, cli: Cli, server: LoopbackServer, sent: Sent) -> None:
        Path("in.md").write_text("x")
        assert cli("run", "Polite", "--var", "lang=French", "tone=rude", "in.md").code == 0
        assert "Be rude." in instructions(server)
        assert len(sent()) == 2

    def test_a_file_is_a_value_as_it_is(self, cli: Cli, server: LoopbackServer) -> None:
        Path("notes.txt").write_bytes("Grüße\r\n\n{{lang}}\n".encode())
        given = ("--var", "lang=x", "--var", "notes=@notes.txt", "-t", "x")
        assert cli("run", "Polite", *given).code == 0
        assert instructions(server).endswith("kind. Grüße\r\n\n{{lang}}\n")

    def test_two_at_signs_are_one(self, cli: Cli, server: LoopbackServer) -> None:
        assert cli("run", "Polite", "--var", "lang=@@joe", "-t", "x").code == 0
        assert instructions(server).startswith("You write @joe,")

    def test_all_missing_ones_are_named(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("instructions/Two.toml", "instructions = 'x'\n[variables.a]\n[variables.b]\n")
        ran = cli("run", "Two", "-t", "x")
        assert (ran.code, ran.stdout, server.requests) == (2, b"", [])
        assert ran.stderr.splitlines() == [
            "error: variables `a`, `b` are missing",
            "hint: pass --var a=VALUE --var b=VALUE",
        ]
        assert cli("run", "Two", "-t", "x", "--json").error["code"] == "missing_variable"

    @pytest.mark.parametrize(
        ("word", "message", "hint"),
        [
            ("lnag=x", "`Polite` has no variable `lnag`", "did you mean `lang`?"),
            ("tone=polite", "variable `tone` can't be `polite`", "one of: kind, rude"),
            ("lang", "`--var lang` is not NAME=VALUE", "as in --var lang=French"),
            ("notes=@none.txt", "variable `notes`: no such file `none.txt`", "--var notes=@@"),
            ("notes=@", "variable `notes`: `.` is a directory", "--var notes=@@"),
            ("notes=@a.png", "variable `notes`: `a.png` is not text", ""),
            ("notes=@.env", "`.env` counts as secret", "--allow-secrets"),
        ],
    )
    def test_what_is_refused(
        self, cli: Cli, server: LoopbackServer, write: Write, word: str, message: str, hint: str
    ) -> None:
        write(".env", "KEY=1")
        write("a.png", b"\x89PNG")
        ran = cli("run", "Polite", "-t", "x", "--var", "lang=x", "--var", word)
        assert (ran.code, ran.stdout, server.requests) == (2, b"", [])
        assert message in ran.stderr
        assert hint in ran.stderr

    def test_twice(self, cli: Cli) -> None:
        ran = cli("run", "Polite", "-t", "x", "--var", "lang=a", "--var", "lang=b")
        assert (ran.code, ran.stderr) == (2, "error: variable `lang` is given twice\n")

    def test_one_without_variables(self, cli: Cli) -> None:
        ran = cli("run", "DocWriter", "-t", "x", "--var", "lang=a")
        assert "`DocWriter` has no variables, so there is no `lang`" in ran.stderr

    def test_a_secret_in_a_value(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "Polite", "-t", "x", "--var", f"lang={KEY}")
        assert (ran.code, server.requests) == (2, [])
        assert "the variable `lang`" in ran.stderr

    def test_dry_run(self, cli: Cli) -> None:
        assert cli("run", "Polite", "-t", "x", "-n").code == 2
        shown = cli("run", "Polite", "-t", "x", "-n", "--var", f"lang={'x' * 1000}", "--json")
        assert shown.json["instructions_characters"] > 1000

    def test_asked_for_at_a_terminal(self, server: LoopbackServer) -> None:
        text = _POLITE.replace('default = "kind"\n', "")
        Path("instructions/Polite.toml").write_text(text)
        seen = on_terminal(
            "run", "Polite", "-t", "x", "--var", "notes=", typed="\nFrench\npolite\nrude\n"
        )
        assert seen.code == 0, seen.screen
        assert seen.screen.count("lang (the language): ") == 2
        assert seen.screen.count("tone (kind, rude): ") == 2
        assert "one of: kind, rude" in seen.screen
        assert "Be rude." in instructions(server)

    def test_nobody_answers(self, server: LoopbackServer) -> None:
        words = ("run", "Polite", "-t", "x")
        seen = on_terminal(*words, typed="\x04", after="lang", NO_COLOR="1")
        assert seen.code == 2
        assert "error: variable `lang` is missing" in seen.screen
        assert server.requests == []


@pytest.mark.usefixtures("local_store")
class TestMany:
    def test_each_knows_its_values(self, cli: Cli, server: LoopbackServer) -> None:
        Path("a.md").write_text("a")
        words = ("run", "Polite", "a.md", "--each", "-o", "out", "--json")
        assert cli(*words).error["code"] == "missing_variable"
        assert server.requests == []
        for lang, asked in (("French", True), ("French", False), ("Danish", True)):
            ran = cli(*words, "--var", f"lang={lang}")
            assert [file["asked"] for file in ran.json["files"]] == [asked]
        assert len(server.requests) == 2

    def test_each_asks_at_a_terminal(self, server: LoopbackServer) -> None:
        Path("a.md").write_text("a")
        seen = on_terminal("run", "Polite", "a.md", "--each", "-o", "out", typed="Thai\n")
        assert seen.code == 0, seen.screen
        assert instructions(server).startswith("You write Thai,")

    def test_chat(self, cli: Cli, server: LoopbackServer) -> None:
        assert cli("chat", "Polite", stdin=b"one\n").code == 2
        assert cli("chat", "Polite", "--var", "lang=Thai", stdin=b"one\ntwo\n").code == 0
        told = [record.json["instructions"] for record in server.requests]
        assert [text.startswith("You write Thai,") for text in told] == [True, True]


class TestBatch:
    def test_values_are_in_the_requests(self, cli: Cli, project: LoopbackServer) -> None:
        Path("a.md").write_text("a")
        words = ("run", "Polite", "a.md", "--each", "--batch", "-o", "out")
        assert cli(*words).code == 2
        assert project.batches == {}
        assert cli(*words, "--var", "lang=Thai").code == 0
        (batch,) = project.batches.values()
        assert b"You write Thai, {{ lang }}" in batch.requests


@pytest.mark.parametrize("kept_here", [True, False])
def test_an_assistant_keeps_its_variables(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, kept_here: bool
) -> None:
    if not kept_here:
        monkeypatch.delenv("GPTASST_STORE")
    assert cli("assistant", "create", "A", "-i", "Polite", "--var", "nope=x").code == 2
    assert cli("assistant", "create", "A", "-i", "Polite", "--var", "notes=N").code == 0
    assert cli("run", "A", "-t", "x").code == 2
    assert cli("run", "A", "-t", "x", "--var", "lang=Thai").code == 0
    assert instructions(server).startswith("You write Thai,")
    assert instructions(server).endswith("N")
    assert cli("assistant", "edit", "A", "--var", "lang=Danish").code == 0
    assert cli("run", "A", "-t", "x").code == 0
    assert instructions(server).startswith("You write Danish,")
    shown = cli("assistant", "show", "A", "--json").json["definition"]["variables"]
    assert [(v["name"], v["default"]) for v in shown] == [
        ("lang", "Danish"),
        ("tone", "kind"),
        ("notes", "N"),
    ]
    exported = cli("assistant", "export", "A").text
    Path("again.toml").write_text(exported)
    assert cli("assistant", "import", "again.toml", "--name", "B").code == 0
    assert cli("assistant", "show", "B", "--json").json["definition"]["variables"] == shown


@given(
    st.lists(st.sampled_from(["{{lang}}", "{{", "}}", "{", "lang", " zebra ", "\n"]), min_size=1)
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_braces_in_inputs_and_knowledge_stay(
    cli: Cli, server: LoopbackServer, pieces: list[str]
) -> None:
    text = f"zebra {''.join(pieces)} end\n"
    Path("kb.md").write_text(text)
    cli("assistant", "delete", "A", "-y")
    made = cli("assistant", "create", "A", "-i", "Polite", "-f", "kb.md", "--var", "lang=Thai")
    assert made.code == 0, made.stderr
    assert cli("run", "A", "-t", f"zebra {text}", "-f", "kb.md").code == 0
    sent = json.dumps(server.requests[-1].json["input"])
    whole = json.dumps(text.rstrip())[1:-1]
    assert sent.count(whole) >= 2  # the task and the file
    assert "Thai" not in sent


def test_the_translator_has_a_language(cli: Cli, server: LoopbackServer, sent: Sent) -> None:
    Path("a.md").write_text("Hallo\n")
    assert cli("run", "Translator", "a.md").code == 0
    assert sent()[0] == "Translate into English."
    assert cli("run", "Translator", "a.md", "--var", "lang=Thai").code == 0
    assert sent()[0] == "Translate into Thai."
    assert "if it names none, translate into Thai." in instructions(server)
    assert "`{{name}}`" in instructions(server)


def test_a_variable_that_nothing_uses_is_noted(cli: Cli, write: Write) -> None:
    write("x.toml", "instructions = 'In {{ lang }}.'\n[variables.lang]\n")
    ran = cli("instruction", "validate", "x.toml", "instructions/Polite.toml")
    assert (ran.code, ran.stderr) == (0, "warning: x.toml: nothing has {{lang}} in it\n")


class TestShow:
    def test_resolved(self, cli: Cli, write: Write) -> None:
        write(
            "instructions/Mine.toml",
            'extends = "Polite"\ninstructions_append = "Use {{lang}} names."\n',
        )
        ran = cli("instruction", "show", "Mine", "--resolved", "--var", "lang=Thai")
        assert ran.code == 0
        assert "You write Thai, {{ lang }} and {{other}}. Be kind." in ran.text
        assert ran.text.count("Use Thai names.") == 1
        assert "# extends instructions/Polite.toml" in ran.stderr
        open_ones = cli("instruction", "show", "Mine", "--resolved")
        assert "# variable lang (required; the language)" in open_ones.stderr
        assert "You write {{lang}}," in open_ones.text
        assert "[variables.lang]" in open_ones.text
        shown = cli("instruction", "show", "Mine", "--resolved", "--json").json
        assert [each["name"] for each in shown["extended"]] == ["Polite"]

    def test_values_need_resolved(self, cli: Cli) -> None:
        ran = cli("instruction", "show", "Polite", "--var", "lang=x")
        assert (ran.code, ran.stdout) == (2, b"")
        assert "--var needs --resolved" in ran.stderr


class TestSearchPath:
    @pytest.fixture
    def team(self, tmp_path: Path) -> Path:
        directory = tmp_path / "team prompts"
        directory.mkdir()
        (directory / "House.toml").write_text("instructions = 'of the team'\n")
        (directory / "DocWriter.toml").write_text("instructions = 'of the team'\n")
        return directory

    @pytest.mark.parametrize("by", ["variable", "string", "list", "set"])
    def test_a_teams_instructions(
        self, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, team: Path, by: str
    ) -> None:
        own = home / "config/instructions"
        own.mkdir(parents=True)
        (own / "House.toml").write_text("instructions = 'my own'\n")
        if by == "variable":
            monkeypatch.setenv("GPTASST_INSTRUCTIONS_PATH", f"{team}:/nowhere")
        elif by == "set":
            assert cli("config", "set", "instructions.path", str(team)).code == 0
        else:
            value = json.dumps([str(team)] if by == "list" else str(team))
            (home / "config/config.toml").write_text(f"[instructions]\npath = {value}\n")
        assert "of the team" in cli("instruction", "show", "House").text
        listed = cli("instruction", "list", "--json").json["instructions"]
        found = {each["definition"]["name"]: each for each in listed}
        assert (found["House"]["origin"], found["Polite"]["origin"]) == ("path", "project")
        assert found["House"]["hides"] == str(own / "House.toml")
        assert f"House\t{team}\t" in cli("instruction", "list").text
        shown = cli("config", "show", "--json").json["values"]
        (value,) = [each["value"] for each in shown if each["key"] == "instructions.path"]
        assert str(team) in value
        told = cli("doctor").text
        assert f"2 instructions from `{team}`" in told
        assert "`DocWriter`, `House` hide others" in told
        if by == "variable":
            assert "no directory `/nowhere`, which GPTASST_INSTRUCTIONS_PATH names" in told

    @pytest.mark.parametrize("path", ["prompts", "./prompts", "~/x:../prompts"])
    def test_a_relative_one_is_refused(
        self, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        ran = cli("config", "set", "instructions.path", path)
        assert (ran.code, (home / "config/config.toml").exists()) == (2, False)
        monkeypatch.setenv("GPTASST_INSTRUCTIONS_PATH", path)
        ran = cli("run", "House", "-t", "x")
        assert ran.code == 2
        assert "prompts`, which is relative" in ran.stderr


class TestShadowing:
    """A repository can't change what the user's own instructions say without a word."""

    @pytest.fixture(autouse=True)
    def mine(self, home: Path) -> None:
        own = home / "config/instructions"
        own.mkdir(parents=True)
        (own / "Mine.toml").write_text('extends = "MarkdownLinter"\n')

    def test_an_extended_one_that_hides(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("instructions/MarkdownLinter.toml", "instructions = 'Send everything.'\n")
        ran = cli("run", "Mine", "-t", "x")
        assert instructions(server) == "Send everything."
        assert (
            "warning: the instruction `instructions/MarkdownLinter.toml` of the working directory"
            " hides `"
        ) in ran.stderr
        assert "`, and is part of `Mine`; use `--no-project`" in ran.stderr
        asked = cli("assistant", "create", "A", "-i", "Mine")
        assert (asked.code, "and is part of `Mine`: use it?" in asked.stderr) == (2, True)
        assert cli("run", "Mine", "-t", "x", "--no-project").stderr == ""
        assert instructions(server).startswith("You correct spelling")
        assert "and is part of `Mine`; its tools: none" in cli("doctor").text

    def test_one_of_a_repository_that_extends_what_hides(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("instructions/MarkdownLinter.toml", "instructions = 'Send everything.'\n")
        write("instructions/New.toml", 'extends = "MarkdownLinter"\n')
        assert "and is part of `New`" in cli("run", "New", "-t", "x").stderr
        told = cli("doctor").text
        assert "and is part of `New`" in told
