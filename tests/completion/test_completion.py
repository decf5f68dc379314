"""What completion offers, through the command that shells call."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gptasst.services.configuration import known_keys
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer


def complete(*words: str, shell: str = "zsh") -> tuple[str, dict[str, str]]:
    """What the shell is told: may paths stand there, and the candidates with their meaning."""
    command = [sys.executable, "-m", "gptasst", "__complete", shell, *words]
    done = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    assert done.stderr == b""
    kind, *lines = done.stdout.decode("utf-8").splitlines()
    return kind, dict(line.split("\t") for line in lines)


def names(*words: str, shell: str = "zsh") -> list[str]:
    return list(complete(*words, shell=shell)[1])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["assis"], ["assistant"]),
        (["ASSIS"], ["assistant"]),
        (["assistant", "ro"], ["rollback"]),
        (["--quiet", "assistant", "ro"], ["rollback"]),
        (["--profile", "local", "assistant", "ro"], ["rollback"]),
        (["assistant", "files", "r"], ["remove"]),
        (["assistant", "--json", "ro"], ["rollback"]),
        (["assistant", "--profile", "local", "files", "-v", "r"], ["remove"]),
        (["assistant", "--profile", ""], ["local", "openai"]),
        (["assistant", "--pro"], ["--profile"]),
        (["assistant", "create", "X", "--no-f"], ["--no-file-search"]),
        (["assistant", "create", "X", "--reasoning-effort", "m"], ["max", "medium", "minimal"]),
        (["assistant", "create", "X", "--reasoning-effort=lo"], ["--reasoning-effort=low"]),
        (["assistant", "create", "X", "-i", "Doc"], ["DocWriter"]),
        (["run", "Mark"], ["MarkdownLinter"]),
        (["run", "--model", "m", "Mark"], ["MarkdownLinter"]),
        (["instruction", "show", "Tr"], ["Translator"]),
        (["run", "X", "-m", "gpt-6-"], ["gpt-6-luna"]),
        (["run", "X", "--profile", ""], ["local", "openai"]),
        (["--profile", ""], ["local", "openai"]),
        (["completion", "install", "f"], ["fish"]),
        (["config", "set", "local.c"], ["local.context"]),
        (["nonsense", "x", "y"], []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_names(words: list[str], expected: list[str]) -> None:
    assert complete(*words)[0] in ("words", "files")
    assert names(*words) == expected


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["run", "X", "-f", ""], "files"),
        (["run", "X", "-f", "a.md", "b.md", ""], "files"),
        (["run", "X", ""], "files"),
        (["run", "X", "--file=a"], "files"),
        (["run", "X", "-o", ""], "files"),
        (["run", "X", "--", "-"], "files"),
        (["assistant", "create", "X", "-i", ""], "files"),
        (["run", ""], "words"),
        (["run", "X", "-t", ""], "words"),
        (["assistant", "create", ""], "words"),
        (["assistant", "list", ""], "words"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_where_paths_can_stand(words: list[str], kind: str) -> None:
    assert complete(*words)[0] == kind


def test_every_option_of_a_command_with_what_it_does() -> None:
    kind, found = complete("run", "X", "-")
    assert kind == "words"
    assert found["--text"] == "The task in words."
    assert {"-f", "--file", "--json", "--help"} <= set(found)


def test_assistants_of_the_local_store_and_instructions_of_the_project(cli: Cli) -> None:
    assert (
        cli("assistant", "create", "Doc Wr: ü", "-i", "DocWriter", "--profile", "local").code == 0
    )
    cli("instruction", "new", "DocHouse", "--project")
    assert names("run", "Doc") == ["Doc Wr: ü", "DocHouse", "DocWriter"]
    assert names("assistant", "show", "") == ["Doc Wr: ü"]


def test_assistants_of_a_server_as_they_were_last_seen(home: Path) -> None:
    (home / "data").mkdir(parents=True)
    with sqlite3.connect(home / "data" / "cache.sqlite3") as cache:
        cache.execute("CREATE TABLE assistants (scope TEXT, name TEXT, id TEXT)")
        cache.executemany(
            "INSERT INTO assistants VALUES (?, ?, ?)",
            [("https://a/v1", "Far", "vs_1"), ("https://b/v1", "Far", "vs_2")],
        )
    cache.close()
    assert names("assistant", "show", "") == ["Far"]


def test_conversations_and_files_by_id(home: Path) -> None:
    (home / "data").mkdir(parents=True)
    for file, statements in {
        "conversations.sqlite3": [
            "CREATE TABLE conversations (id TEXT, assistant TEXT, title TEXT)",
            "INSERT INTO conversations VALUES ('conv_1', 'Doc', 'two\nlines')",
        ],
        "cache.sqlite3": [
            "CREATE TABLE uploads (file_id TEXT, filename TEXT)",
            "INSERT INTO uploads VALUES ('file-1', 'a.pdf')",
        ],
    }.items():
        connection = sqlite3.connect(home / "data" / file)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
    assert complete("conversation", "show", "")[1] == {"conv_1": "Doc: two lines"}
    assert complete("file", "show", "f") == ("files", {"file-1": "a.pdf"})


def test_batches_of_this_machine(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("a.md", "alpha")
    write("b.md", "beta")
    submit = ("run", "MarkdownLinter", "--each", "--batch", "-o", "out")
    (first,) = cli(*submit, "a.md").lines
    (second,) = cli(*submit, "b.md").lines
    assert cli("batch", "fetch", first).code == 0
    both = dict.fromkeys(sorted([first, second]), "MarkdownLinter")
    server.requests.clear()
    assert complete("batch", "show", "") == ("words", both)
    assert complete("batch", "fetch", first, "b") == ("words", both)
    assert complete("batch", "cancel", "") == ("words", {second: "MarkdownLinter"})
    assert not server.requests


def test_every_key_of_the_configuration_is_offered() -> None:
    known = {key.replace("NAME", "openai") for key in known_keys()}
    assert set(names("config", "set", "")) == known


def test_profiles_and_models_of_the_configuration(home: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text(
        '[profiles.ollama]\nbase_url = "http://127.0.0.1:11434/v1"\nmodel = "qwen3:8b"\n'
    )
    assert complete("run", "--profile", "o")[1]["ollama"] == "http://127.0.0.1:11434/v1"
    assert names("run", "X", "-m", "q") == ["qwen3:8b"]


@pytest.mark.parametrize("damage", ["[profiles", "\udcff", "profiles = 1"])
def test_a_broken_configuration_or_store_is_nothing_to_talk_about(home: Path, damage: str) -> None:
    for folder in ("config", "data"):
        (home / folder).mkdir(parents=True)
    config = home / "config" / "config.toml"
    config.write_bytes(damage.encode("utf-8", "surrogateescape"))
    (home / "data" / "assistants.sqlite3").write_bytes(b"no database at all")
    assert names("run", "X", "--profile", "") == ["local", "openai"]
    assert names("run", "Mark") == ["MarkdownLinter"]


def test_completion_never_fails() -> None:
    command = [sys.executable, "-m", "gptasst", "__complete"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", '"Mark'], ["MarkdownLinter"]),
        (["run", "X", "--model", "=", "gpt-6-"], ["gpt-6-luna"]),
        (["run", "X", "--model", "="], ["gpt-6-luna", "gpt-6.2-astra", "gpt-6.2-sol"]),
        (["run", "team", ":", "l"], ["linter one"]),
        (["run", "team", ":"], ["linter one"]),
        (["run", "team:linter\\ o"], ["team:linter one"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_words_as_bash_hands_them_over(cli: Cli, words: list[str], expected: list[str]) -> None:
    cli("assistant", "create", "team:linter one", "-i", "DocWriter", "--profile", "local")
    assert names(*words, shell="bash") == expected


def test_an_empty_word_of_powershell() -> None:
    assert "assistant" in names("=", shell="powershell")
    assert names("run", "=Mark", shell="powershell") == ["MarkdownLinter"]
