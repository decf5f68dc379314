"""The boundary where errors become output, and the options that stand anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gptasst import __version__
from tests.conftest import Cli, Write
from tests.on_terminal import on_terminal
from tests.processes import Process


@pytest.fixture
def damaged(cli: Cli, home: Path) -> None:
    """Something unexpected: a stored definition that no version ever wrote."""
    import sqlite3
    from contextlib import closing

    cli("assistant", "create", "W", "-i", "DocWriter")
    with closing(sqlite3.connect(home / "data/assistants.sqlite3")) as connection:
        connection.execute("UPDATE assistants SET created_at = 'yesterday'")
        connection.commit()


class TestErrors:
    def test_wrong_usage(self, cli: Cli) -> None:
        ran = cli("assistant", "shwo")
        assert (ran.code, ran.text) == (2, "")
        assert ran.stderr.splitlines()[0] == "error: `gptasst assistant` has no command `shwo`"
        assert ran.stderr.splitlines()[1] == ("hint: did you mean `gptasst assistant show`?")

    @pytest.mark.parametrize(
        ("words", "hint"),
        [
            ("assistant rename", "`gptasst assistant --help` shows all"),
            ("version", "did you mean `gptasst --version`?"),
            ("assistant help", "did you mean `gptasst assistant --help`?"),
            ("version2", "`gptasst --help` shows all"),
            ("rnu", "did you mean `gptasst run`?"),
            ("hlep", "did you mean `gptasst --help`?"),
            ("modle", "did you mean `gptasst model`?"),
            ("assistant eidt", "did you mean `gptasst assistant edit`?"),
            ("file delte", "did you mean `gptasst file delete`?"),
            ("json", "`gptasst --help` shows all"),
            ("lint", "did you mean `gptasst run`?"),
            ("MarkdownLinter", "did you mean `gptasst run MarkdownLinter`?"),
            ("create", "did you mean `gptasst assistant create`?"),
            ("login", "did you mean `gptasst auth login`?"),
            ("list", "`gptasst --help` shows all"),  # of what?
        ],
    )
    def test_only_what_is_near_is_suggested(self, cli: Cli, words: str, hint: str) -> None:
        ran = cli(*words.split())
        assert (ran.code, ran.stderr.splitlines()[1]) == (2, f"hint: {hint}")

    @pytest.mark.parametrize(
        ("words", "typed", "meant"),
        [
            ("run --hlep", "--hlep", "--help"),
            ("run --out x", "--out", "--output"),
            ("auth login --helpp", "--helpp", "--help"),
        ],
    )
    def test_the_nearest_option_is_suggested(
        self, cli: Cli, words: str, typed: str, meant: str
    ) -> None:
        ran = cli(*words.split())
        assert ran.code == 2
        assert ran.stderr == f"error: no such option: {typed}\nhint: did you mean `{meant}`?\n"

    @pytest.mark.parametrize("where", ["before", "after"])
    def test_json(self, cli: Cli, where: str) -> None:
        words = ["instruction", "show", "Nope"]
        ran = cli(*(["--json", *words] if where == "before" else [*words, "--json"]))
        assert (ran.code, ran.stderr) == (3, "")
        assert ran.json == {
            "error": {
                "code": "not_found",
                "message": "no instruction `Nope`",
                "hint": "`gptasst instruction list` shows what there is",
            }
        }

    def test_json_of_wrong_usage(self, cli: Cli) -> None:
        ran = cli("--json", "instruction", "list", "--nope")
        assert (ran.code, ran.error["code"], ran.stderr) == (2, "usage", "")

    def test_a_word_after_the_dashes_is_no_option(self, cli: Cli) -> None:
        ran = cli("instruction", "show", "--", "--json")
        assert (ran.code, ran.text) == (3, "")
        assert ran.stderr.startswith("error: no instruction `--json`")

    def test_no_traceback(self, cli: Cli) -> None:
        assert "Traceback" not in cli("instruction", "show", "Nope").stderr

    def test_a_traceback_where_it_is_asked_for(self, cli: Cli) -> None:
        ran = cli("instruction", "show", "Nope", "--verbose")
        assert ran.stderr.startswith("error: no instruction `Nope`\n")
        assert "Traceback (most recent call last)" in ran.stderr

    @pytest.mark.usefixtures("damaged")
    def test_unexpected(self, cli: Cli) -> None:
        ran = cli("assistant", "show", "W")
        assert (ran.code, ran.text) == (1, "")
        first, second = ran.stderr.splitlines()
        assert first.startswith("error: unexpected: ValueError: ")
        assert second == "hint: --verbose shows where; please report it"

    @pytest.mark.usefixtures("damaged")
    def test_unexpected_as_json(self, cli: Cli) -> None:
        ran = cli("assistant", "show", "W", "--json", "-v")
        assert (ran.code, ran.error["code"]) == (1, "internal_error")
        assert "fromisoformat" in ran.stderr

    def test_a_reader_that_went_away(self, write: Write) -> None:
        write("instructions/Long.toml", f"instructions = '''{'x' * 200_000}'''")
        shown = Process("instruction", "show", "Long")
        assert shown.stdout is not None
        shown.stdout.close()
        _, stderr = shown.communicate()
        assert (shown.returncode, b"Traceback" in stderr, b"error" in stderr) == (141, False, False)


class TestGlobalOptions:
    @pytest.mark.parametrize(
        "words",
        [
            ["--quiet", "instruction", "list"],
            ["-q", "instruction", "list"],
            ["instruction", "list", "-q"],
            ["-q", "instruction", "list", "--quiet"],
            ["instruction", "-q", "list"],
            ["instruction", "--quiet", "list", "-q"],
        ],
        ids=" ".join,
    )
    def test_stand_anywhere(self, cli: Cli, words: list[str]) -> None:
        assert cli(*words).lines == cli("instruction", "list", "--quiet").lines

    @pytest.mark.parametrize(
        "words",
        [
            ["--profile", "nope", "run", "MarkdownLinter", "-t", "x"],
            ["run", "--profile", "nope", "MarkdownLinter", "-t", "x"],
            ["run", "MarkdownLinter", "-t", "x", "--profile=nope"],
            ["assistant", "--profile", "nope", "list"],
            ["assistant", "--profile=nope", "files", "list", "X"],
            ["assistant", "files", "--profile", "nope", "list", "X"],
        ],
        ids=" ".join,
    )
    def test_profile(self, cli: Cli, words: list[str]) -> None:
        ran = cli(*words, "--json")
        assert (ran.code, ran.error["message"]) == (3, "no profile `nope`")

    def test_the_nearer_profile_counts(self, cli: Cli) -> None:
        ran = cli("--profile", "one", "run", "MarkdownLinter", "-t", "x", "--profile", "two")
        assert "no profile `two`" in ran.stderr
        words = ("--profile", "one", "assistant", "--profile", "two", "files", "list", "X")
        assert "no profile `two`" in cli(*words).stderr
        assert "no profile `three`" in cli(*words, "--profile", "three").stderr

    def test_between_a_group_and_its_command(self, cli: Cli) -> None:
        assert cli("assistant", "--json", "list").json == {"assistants": []}
        ran = cli("assistant", "--verbose", "show", "X")
        assert (ran.code, "Traceback" in ran.stderr) == (3, True)


class TestHelp:
    @pytest.mark.parametrize("words", [["--version"], ["--json", "--version"]], ids=" ".join)
    def test_version(self, cli: Cli, words: list[str]) -> None:
        assert cli(*words).text == f"gptasst {__version__}\n"

    @pytest.mark.parametrize(
        "group", [[], ["assistant"], ["assistant", "files"], ["instruction"], ["local"]], ids=str
    )
    def test_a_group_shows_its_help(self, cli: Cli, group: list[str]) -> None:
        ran, asked = cli(*group), cli(*group, "--help")
        assert (ran.code, asked.code, asked.stderr) == (0, 0, "")
        assert ran.stderr == "" or not group  # `gptasst` alone says what to type next, too
        assert ran.text.strip() == asked.text.strip()
        assert ran.text.startswith(f"Usage: gptasst {' '.join([*group, ''])}[OPTIONS]")

    def test_options_stand_in_sections(self, cli: Cli) -> None:
        sections = [line for line in cli("run", "--help").lines if line.endswith(":")]
        assert sections == [
            "Arguments:", "Options:", "Many files:", "Options of every command:", "Examples:",
        ]  # fmt: skip
        assert "Options:" not in cli("auth", "status", "--help").lines  # it has none of its own

    @pytest.mark.parametrize("columns", ["20", "80"])
    def test_examples_are_not_broken(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: str
    ) -> None:
        monkeypatch.setenv("COLUMNS", columns)
        example = "  gptasst config set profiles.ollama.base_url http://127.0.0.1:11434/v1"
        assert cli("config", "set", "--help").lines[-2:] == ["Example:", example]

    def test_a_list_of_commands_has_whole_sentences(self, cli: Cli) -> None:
        _, _, commands = cli("file", "--help").text.partition("Commands:")
        assert "upload" in commands
        assert "..." not in commands


class TestConfirm:
    @pytest.fixture
    def writer(self, cli: Cli) -> str:
        cli("assistant", "create", "W", "-i", "DocWriter")
        return "W"

    @pytest.mark.parametrize(
        ("typed", "code", "left"),
        [("y\n", 0, []), ("YES\n", 0, []), ("n\n", 130, ["W"]), ("\n", 130, ["W"])],
    )
    def test_asks(self, cli: Cli, writer: str, typed: str, code: int, left: list[str]) -> None:
        ran = on_terminal("assistant", "delete", writer, typed=typed)
        assert "delete assistant `W` with 0 knowledge files? [y/N] " in ran.screen
        assert (ran.code, cli("assistant", "list", "-q").lines) == (code, left)
        assert ran.screen.endswith("nothing was done\n" if left else "deleted `W`\n")

    def test_interrupted(self, cli: Cli, writer: str) -> None:
        ran = on_terminal("assistant", "delete", writer, typed="\x03", after="[y/N] ")
        assert (ran.code, "Traceback" in ran.screen) == (130, False)
        assert ran.screen.endswith("\n")  # the shell's prompt has a line of its own
        assert cli("assistant", "list", "-q").lines == [writer]

    def test_yes_asks_nothing(self, writer: str) -> None:
        ran = on_terminal("assistant", "delete", writer, "--yes")
        assert (ran.code, ran.screen) == (0, "deleted `W`\n")


class TestTerminal:
    def test_a_table_has_heads(self, cli: Cli) -> None:
        ran = on_terminal("instruction", "list", TERM="dumb")
        assert ran.screen.splitlines()[0].split() == ["name", "from", "description"]

    def test_an_encoding_that_lacks_a_character(self, write: Write) -> None:
        write("instructions/Ü.toml", "description = '🙂'\ninstructions = 'x'\n")
        ran = on_terminal("instruction", "list", PYTHONIOENCODING="ascii")
        assert (ran.code, "Traceback" in ran.screen) == (0, False)
        assert "MarkdownLinter" in ran.screen

    def test_control_characters_of_a_file_are_harmless(self, write: Write) -> None:
        write("instructions/X.toml", "instructions = 'a\\u001b[2Jb'\n# \x9b2J")
        ran = on_terminal("instruction", "show", "X", TERM="dumb")
        assert (ran.code, "\x1b" in ran.screen, "\x9b" in ran.screen) == (0, False, False)


def test_environment_of_tests_is_clean() -> None:
    assert not {"OPENAI_API_KEY", "OPENAI_BASE_URL", "GPTASST_PROFILE"} & set(os.environ)


class TestFirstSteps:
    """On a machine where nothing is set up, one thing to type next."""

    def test_with_the_embedded_model(self, cli: Cli, home: Path) -> None:
        ran = cli()
        assert ran.code == 0
        assert ran.stderr == (
            "next: `gptasst auth login` stores an OpenAI key; until then a tiny model answers,"
            " which is good for small corrections only\n"
        )
        assert "Commands:" in ran.text
        assert not home.exists()

    def test_with_nothing(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gptasst.embedded.service.is_installed", lambda: False)
        assert cli().stderr == "next: `gptasst auth login` stores an OpenAI key\n"

    def test_with_a_key(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        assert cli().stderr == "next: `gptasst run MarkdownLinter -f FILE`\n"

    def test_with_a_broken_configuration(self, cli: Cli, home: Path) -> None:
        (home / "config").mkdir(parents=True)
        (home / "config" / "config.toml").write_text("profile =")
        ran = cli()
        assert (ran.code, "`gptasst doctor`" in ran.stderr) == (0, True)

    @pytest.mark.parametrize(
        ("words", "next_step"),
        [
            (["assistant", "list"], "`gptasst assistant create NAME -i INSTRUCTION`"),
            (["conversation", "list"], "`gptasst chat NAME`"),
        ],
        ids=" ".join,
    )
    def test_empty_lists(self, cli: Cli, words: list[str], next_step: str) -> None:
        ran = cli(*words)
        assert (ran.code, ran.text) == (0, "")
        assert next_step in ran.stderr
        assert cli(*words, "--quiet").stderr == ""

    @pytest.mark.parametrize("words", ["file list", "batch list", "file upload x"])
    def test_what_needs_a_server(self, cli: Cli, write: Write, words: str) -> None:
        write("x", "text")
        ran = cli(*words.split())
        assert ran.code == 4
        assert ran.stderr == (
            "error: no key is set, and the embedded model has no files and no assistants on a"
            " server\n"
            "hint: `gptasst auth login` stores an OpenAI key; use --profile NAME for a server\n"
        )
