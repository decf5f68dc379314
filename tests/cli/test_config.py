"""`gptasst config`."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.conftest import Cli

OLLAMA = (
    'profile = "ollama" # what I use\n\n[profiles.ollama]\nbase_url = "http://127.0.0.1:1/v1"\n'
)


@pytest.fixture
def config(home: Path) -> Path:
    path = home / "config" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(OLLAMA)
    return path


def sources(cli: Cli, *words: str) -> dict[str, tuple[object, str]]:
    shown = cli("config", "show", "--json", *words).json["values"]
    return {value["key"]: (value["value"], value["source"]) for value in shown}


def test_path(cli: Cli, home: Path) -> None:
    assert cli("config", "path").text == f"{home / 'config' / 'config.toml'}\n"


def test_show_says_where_each_value_comes_from(
    cli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_MODEL", "qwen3")
    monkeypatch.setenv("GPTASST_TIMEOUT", "5")
    shown = sources(cli)
    assert shown["profile"] == ("ollama", f"{config}:1")
    assert shown["base_url"] == ("http://127.0.0.1:1/v1", f"{config}:4")
    assert shown["model"] == ("qwen3", "GPTASST_MODEL")
    assert shown["timeout"] == (5.0, "GPTASST_TIMEOUT")
    assert shown["store"] == ("local", "default")
    assert shown["local.context"] == (8192, "default")


@pytest.mark.parametrize(
    ("variables", "words", "source"),
    [
        ({}, ["--profile", "openai"], "--profile"),
        ({"GPTASST_PROFILE": "openai"}, [], "GPTASST_PROFILE"),
        ({"OPENAI_API_KEY": "sk-secret-value-here"}, [], "a key or base URL for OpenAI"),
    ],
)
def test_show_says_why_a_profile_is_used(
    cli: Cli,
    variables: dict[str, str],
    words: list[str],
    source: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sources(cli, *words)["profile"] == ("openai", source)


def test_show_never_shows_a_key_or_a_header(
    cli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret-value-here")
    config.write_text(OLLAMA + 'api_key_env = "MY_KEY"\nheaders = { X-Pass = "hidden-value" }\n')
    for mode in ([], ["--json"], ["-q"]):
        ran = cli("config", "show", *mode)
        assert "headers.X-Pass" in ran.text
        assert "secret" not in ran.text + ran.stderr
        assert "hidden-value" not in ran.text + ran.stderr


def test_set_keeps_comments_and_everything_else(cli: Cli, config: Path) -> None:
    ran = cli("config", "set", "profiles.ollama.model", "qwen3:8b")
    assert ran.code == 0
    assert config.read_text() == OLLAMA + 'model = "qwen3:8b"\n'
    assert sources(cli)["model"] == ("qwen3:8b", f"{config}:5")


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("local.context", "4096", "context = 4096"),
        ("profiles.ollama.timeout", "2.5", "timeout = 2.5"),
        ("profiles.ollama.input_file", "true", "input_file = true"),
        ("profiles.ollama.context", "4096", "context = 4096"),
        ("profiles.ollama.batch_file_search", "true", "batch_file_search = true"),
        ("profiles.ollama.headers.X-Team", "docs", 'X-Team = "docs"'),
        ("profile", "local", 'profile = "local" # what I use'),
    ],
)
def test_set_writes_a_value_of_its_kind(
    cli: Cli, config: Path, key: str, value: str, line: str
) -> None:
    assert cli("config", "set", key, value).code == 0
    assert line in config.read_text().splitlines()


def test_set_makes_a_private_file(cli: Cli, home: Path) -> None:
    assert cli("config", "set", "profiles.a.b.base_url", "http://127.0.0.1:1/v1").code == 0
    path = home / "config" / "config.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sources(cli, "--profile", "a.b")["base_url"][0] == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("local.context", "many", "`local.context` is a whole number, not `many`"),
        ("local.context", "1", "key `local.context` must be at least 512, not 1"),
        ("local.model.x", "1", "there is no key `local.model.x`"),
        ("profiles.ollama.input_file", "yes", "`profiles.ollama.input_file` is true or false"),
        ("profiles.ollama.store", "cloud", "is `cloud`, which is not allowed"),
        ("profiles.ollama.base_url", "nowhere", "`nowhere` is not a base URL"),
        ("profiles.new.model", "m", "missing key `profiles.new.base_url`"),
        ("profiles.ollama", "m", "there is no key `profiles.ollama`"),
        ("profile", "olama", "no profile `olama`"),
        ("modle", "m", "there is no key `modle`"),
    ],
)
def test_what_would_not_be_valid_is_not_written(
    cli: Cli, config: Path, key: str, value: str, problem: str
) -> None:
    ran = cli("config", "set", key, value)
    assert ran.code in (2, 3)
    assert problem in ran.stderr
    assert config.read_text() == OLLAMA
    assert list(config.parent.iterdir()) == [config]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("timeout", "profiles.ollama.timeout"),
        ("modle", "profiles.ollama.model"),
        ("profil", "profile"),
        ("profiles.other.modle", "profiles.other.model"),
        ("profile.other.model", "profiles.other.model"),
        ("local.contxt", "local.context"),
        ("record", "usage.record"),
    ],
)
def test_a_key_as_show_lists_it_is_suggested_in_full(
    cli: Cli, config: Path, key: str, meant: str
) -> None:
    ran = cli("config", "set", key, "1")
    assert (ran.code, config.read_text()) == (2, OLLAMA)
    assert f"hint: did you mean `{meant}`?\n" in ran.stderr


def test_without_a_profile_it_is_that_of_openai(cli: Cli, home: Path) -> None:
    assert "did you mean `profiles.openai.timeout`?" in cli("config", "set", "timeout", "9").stderr


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("profiles.ollama.api_key", "abc"),
        ("profiles.ollama.headers.Authorization", "Bearer abc"),
        ("profiles.ollama.headers.api-key", "abc"),
        ("profiles.ollama.model", "sk-1234567890abcdef"),
    ],
)
def test_a_key_is_never_written(cli: Cli, config: Path, key: str, value: str) -> None:
    ran = cli("config", "set", key, value)
    assert ran.code == 2
    assert value not in ran.stderr
    assert "`gptasst --profile ollama auth login` keeps it" in ran.stderr
    assert config.read_text() == OLLAMA
