"""How long the embedded model takes is told before it begins."""

from __future__ import annotations

import shlex

import pytest

from tests.conftest import Cli, Ran, Write

pytestmark = pytest.mark.embedded

TEXT = "This is a sentence of the guide. " * 700


@pytest.fixture
def run(cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs on a file as large as the default model that is none, so that nothing is answered."""
    model = write("../model.gguf", b"GGUF").absolute()
    with model.open("r+b") as file:
        file.truncate(98_000_000)
    monkeypatch.setenv("GPTASST_LOCAL_MODEL", str(model))

    def started(*words: str) -> Ran:
        ran = cli("run", *words, "--profile", "local")
        assert (ran.code, ran.stderr.count("can't load")) == (2, 1)
        return ran

    return started


def test_a_directory_is_better_run_file_by_file(run: Cli, cli: Cli, write: Write) -> None:
    for number in range(3):
        write(f"my docs/{number}.md", TEXT)
    note = run("MarkdownLinter", "my docs", "-t", "Correct it.").stderr.splitlines()[0]
    told, _, rest = note.partition("; ")
    assert told.startswith("this takes about ")
    assert told.endswith(" minutes on the embedded model, more on a busy machine")
    command = rest.partition("` ")[0].removeprefix("`")
    words = shlex.split(command)
    assert words[1:] == [
        "--profile", "local", "run", "MarkdownLinter", "my docs", "--each", "-t", "Correct it.",
        "-o", "answers",
    ]  # fmt: skip
    assert cli(*words[1:], "--dry-run").code == 0


def test_one_file(run: Cli, write: Write) -> None:
    write("long.md", TEXT)
    note = run("MarkdownLinter", "long.md").stderr.splitlines()[0]
    assert note.startswith("this takes about ")
    assert "--each" not in note


@pytest.mark.parametrize("length", [1, 40])
def test_what_is_short_is_not_worth_a_word(run: Cli, write: Write, length: int) -> None:
    write("a.md", TEXT[: 33 * length])
    write("b.md", "# Two\n")
    assert run("MarkdownLinter", "a.md", "b.md").stderr.startswith("error: ")


def test_not_under_quiet(run: Cli, write: Write) -> None:
    write("long.md", TEXT)
    assert run("MarkdownLinter", "long.md", "-q").stderr.startswith("error: ")


def test_outputs_do_not_land_where_inputs_are_read(run: Cli, write: Write) -> None:
    for number in range(3):
        write(f"{number}.md", TEXT)
    assert "-o ../answers`" in run("MarkdownLinter", ".").stderr
