"""What completion offers, through the command that shells call."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tomllib
from pathlib import Path

import pytest

from gptasst.completion.profiles import chosen_profile, plain_tables
from gptasst.config.known_keys import KNOWN_KEYS
from gptasst.config.settings import Settings
from gptasst.config.stored_keys import StoredKeys
from gptasst.config.urls import is_openai
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.processes import completed


def complete(*words: str, shell: str = "zsh") -> tuple[str, dict[str, str]]:
    """What the shell is told: may paths stand there, and the candidates with their meaning."""
    done = completed("__complete", shell, *words)
    assert (done.returncode, done.stderr) == (0, b"")
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
    assert found["--text"] == "The task, as text."
    assert {"-f", "--file", "--json", "--help"} <= set(found)


def test_assistants_of_the_local_store_and_instructions_of_the_project(cli: Cli) -> None:
    assert (
        cli("assistant", "create", "Doc Wr: ü", "-i", "DocWriter", "--profile", "local").code == 0
    )
    cli("instruction", "new", "DocHouse", "--project")
    assert names("run", "Doc") == ["Doc Wr: ü", "DocHouse", "DocWriter"]
    assert names("assistant", "show", "") == ["Doc Wr: ü"]


def test_assistants_of_the_profile(
    cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("assistant", "create", "Far", "-i", "DocWriter")
    cli("assistant", "create", "Near", "-i", "DocWriter", "--profile", "local")
    project.requests.clear()
    show = ("assistant", "show", "")
    assert names(*show) == ["Far"]
    assert names("--profile", "local", *show) == ["Near"]
    assert names("assistant", "show", "--profile=local", "") == ["Near"]
    assert "Far" not in names("--profile", "local", "run", "")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_other")
    assert names(*show) == []
    monkeypatch.setenv("GPTASST_STORE", "local")
    assert names(*show) == ["Near"]
    monkeypatch.delenv("GPTASST_STORE")
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):  # given to the command alone, perhaps
        monkeypatch.delenv(name)
    assert names(*show) == ["Far", "Near"]
    assert not project.requests


CONFIG = """\
# People write more than keys.
profile = "house"

[profiles.house]
base_url = "https://me:pa%20ss@llm.example:8443/v1/?a=1"
timeout = 30
store = "openai"

[profiles.ours]
base_url = "https://eu.api.openai.com/v1/"

[profiles.near]
base_url = "http://127.0.0.1:11434/v1"
model = "qwen3:8b"
input_image = false
"""
UNUSUAL = """\
profiles.house = {base_url = "http://h/v1"}
[profiles.ours]
base_url = 'http://o/v1' # theirs, once
[profiles.near]
base_url = "http://n/v1\\u0061"
"""


@pytest.mark.parametrize("profile", [None, "openai", "house", "ours", "near", "local"])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"GPTASST_PROFILE": "near"},
        {"OPENAI_BASE_URL": "http://u@h/v1"},
        {"OPENAI_PROJECT_ID": "proj_1", "OPENAI_API_KEY": "sk-x"},
        {"GPTASST_BASE_URL": "https://API.OpenAI.com/v1"},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("text", [CONFIG, CONFIG.partition("\n\n")[2], UNUSUAL])
def test_the_profile_is_the_one_that_the_settings_say(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    profile: str | None,
    variables: dict[str, str],
    text: str,
) -> None:
    (home / "config").mkdir(parents=True)
    config = home / "config" / "config.toml"
    config.write_text(text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = Settings(config, os.environ, StoredKeys(home / "config" / "keys.json")).profile(profile)
    chosen = chosen_profile([] if profile is None else ["--profile", profile])
    if said.chosen == "fallback":
        assert chosen is None
    else:
        assert chosen
        assert (chosen.name, chosen.store, chosen.scope) == (said.name, said.store, said.scope)
        assert chosen.on_openai == (said.base_url is not None and is_openai(said.base_url))


def test_a_kept_key_chooses_the_profile(cli: Cli, home: Path) -> None:
    assert chosen_profile([]) is None
    assert cli("auth", "login", "--profile", "openai", stdin=b"sk-kept\n").code == 0
    chosen = chosen_profile([])
    assert chosen
    assert chosen.name == "openai"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (CONFIG, True),
        ("a = 1\nb = true\n[t]\n  c = ''\n", False),
        ('a = "x" # comment\n', False),
        ('a = "x\\n"\n', False),
        ('a = """x"""\n', False),
        ("[[t]]\n", False),
        ("a = 0x1f\n", False),
        ("a.b = 1\n", False),
        ('a = ""\n[t.u]\nc-d = 10\n[t]\n_ = false\n', True),
    ],
)
def test_plain_tables_are_those_of_tomllib(text: str, plain: bool) -> None:
    assert plain_tables(text) == (tomllib.loads(text) if plain else None)


def test_models_that_the_server_listed(
    cli: Cli, server: LoopbackServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text(
        f'[profiles.near]\nbase_url = "{server.base_url}"\nmodel = "llama3.2:1b"\n'
        '[profiles.other]\nbase_url = "http://127.0.0.1:9/v1"\n'
    )
    for name in ("OPENAI_BASE_URL", "GPTASST_MODEL"):
        monkeypatch.delenv(name)
    server.models = ["llama3.2:3b"]
    words = ("run", "X", "-m", "")
    assert names("--profile", "near", *words) == ["llama3.2:1b"]
    assert cli("model", "list", "--profile", "near").code == 0
    assert names("--profile", "near", *words) == ["llama3.2:1b", "llama3.2:3b"]
    assert names("--profile", "other", *words) == []
    assert "gpt-6-luna" in names("--profile", "openai", *words)
    assert names("config", "set", "profiles.near.model", "llama3.2:3") == ["llama3.2:3b"]
    server.models = ["qwen3:8b", "nomic-embed-text", "whisper-1", "gpt-image-2", "tts-1-hd"]
    cli("model", "list", "--profile", "near")
    assert names("--profile", "near", *words) == ["llama3.2:1b", "qwen3:8b"]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("profile", ["local", "openai"]),
        ("profiles.openai.store", ["local", "openai"]),
        ('profiles."a.b".input_file', ["false", "true"]),
        ("profiles.openai.model", ["gpt-6-luna", "gpt-6.2-astra", "gpt-6.2-sol"]),
        ("profiles.openai.base_url", []),
        ("local.model", []),
        ("store", []),
    ],
)
def test_values_of_the_configuration(cli: Cli, key: str, values: list[str]) -> None:
    assert names("config", "set", key, "") == values
    for value in values:
        assert cli("config", "set", key, value).code == 0 or "a.b" in key


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
    known = {key.replace("NAME", "openai") for key in KNOWN_KEYS}
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
    done = completed("__complete")
    assert (done.returncode, done.stderr) == (0, b"")


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


class TestVariables:
    @pytest.fixture(autouse=True)
    def instructions(self, write: Write) -> None:
        write(
            "instructions/Base.toml",
            "instructions = 'x'\n[variables.tone]\nchoices = ['kind', 'rude']\n"
            "[variables.lang]\ndescription = 'the language'\n",
        )
        write("instructions/Mine.toml", "extends = 'Base'\n[variables.own]\n")

    def test_names_and_choices(self) -> None:
        offered = {"lang=": "the language", "own=": "", "tone=kind": "", "tone=rude": ""}
        assert complete("run", "Mine", "a.md", "--var", "") == ("words", offered)
        assert names("chat", "Mine", "--var", "tone=r") == ["tone=rude"]
        assert names("run", "Mine", "--var=l") == ["--var=lang="]
        assert names("assistant", "create", "A", "-i", "Base", "--var", "l") == ["lang="]
        assert names("run", "Mine", "--var", "tone=r", shell="bash") == ["tone=rude"]

    def test_after_an_assignment_files_follow(self) -> None:
        assert complete("run", "Mine", "--var", "lang=x", "")[0] == "files"

    @pytest.mark.parametrize("kept_here", [True, False])
    def test_of_an_assistant(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, kept_here: bool
    ) -> None:
        if not kept_here:
            monkeypatch.delenv("GPTASST_STORE")
        assert cli("assistant", "create", "A", "-i", "Mine").code == 0
        shutil.rmtree("instructions")
        assert names("run", "A", "--var", "") == ["lang=", "own=", "tone=kind", "tone=rude"]

    def test_one_that_cannot_be_read(self, write: Write) -> None:
        write("instructions/Bad.toml", "extends = 'Bad'\n[variables.a")
        assert names("run", "Bad", "--var", "") == []

    def test_of_a_teams_directory(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "team").mkdir()
        Path("instructions/Mine.toml").rename(tmp_path / "team/House.toml")
        monkeypatch.setenv("GPTASST_INSTRUCTIONS_PATH", str(tmp_path / "team"))
        assert names("run", "Hou") == ["House"]
        assert "own=" in names("run", "House", "--var", "")
