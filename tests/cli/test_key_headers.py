"""Keys that a server wants in a header of its own, as Azure does: `header_env`, `auth login`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_auth import MemoryKeyring, system_keyring  # noqa: F401  # a fixture
from tests.conftest import Cli
from tests.loopback import LoopbackServer, outcomes

KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"


@pytest.fixture
def azure(
    cli: Cli, server: LoopbackServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> LoopbackServer:
    """A profile whose key goes into the header `api-key`."""
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable)
    config = home / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f'profile = "azure"\n[profiles.azure]\nbase_url = "{server.base_url}"\n'
        'header_env = { "api-key" = "AZURE_KEY" }\n'
    )
    return server


def run(cli: Cli, *words: str) -> int:
    return cli("run", "MarkdownLinter", "-t", "hello", *words).code


def sent(server: LoopbackServer) -> list[str | None]:
    assert all("authorization" not in request.headers for request in server.requests)
    return [request.headers.get("api-key") for request in server.requests]


def test_the_variable_is_sent(
    cli: Cli, azure: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_KEY", f"{KEY}\n")
    assert run(cli) == 0
    assert set(sent(azure)) == {KEY}


def test_config_set_writes_the_name_of_the_variable(
    cli: Cli, azure: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("config", "set", "profiles.azure.header_env.X-Gate", "GATE_KEY").code == 0
    monkeypatch.setenv("AZURE_KEY", KEY)
    monkeypatch.setenv("GATE_KEY", "gate-0123456789")
    assert run(cli) == 0
    assert azure.requests[-1].headers["x-gate"] == "gate-0123456789"


@pytest.mark.parametrize("key", ["api_key_env", "header_env.api-key"])
def test_config_set_takes_no_key_for_the_name(cli: Cli, azure: LoopbackServer, key: str) -> None:
    ran = cli("config", "set", f"profiles.azure.{key}", KEY, "--json")
    assert (ran.code, ran.error["code"]) == (2, "secret")
    assert KEY not in ran.text


def test_without_a_value_nothing_is_sent(cli: Cli, azure: LoopbackServer) -> None:
    ran = cli("run", "MarkdownLinter", "-t", "hello", "--json")
    assert (ran.code, ran.error["code"]) == (4, "no_key")
    assert "AZURE_KEY is not set" in ran.error["message"]
    assert "`gptasst auth login --header api-key` keeps one" in ran.error["hint"]
    assert azure.requests == []
    ran = cli("doctor", "--json")
    assert ran.code == 4
    (found,) = (f for f in ran.json["findings"] if f["severity"] == "problem")
    assert found["fix"] == "gptasst auth login --header api-key"
    words = found["fix"].split()[1:]
    assert cli(*words, stdin=KEY.encode()).code == 0
    assert run(cli) == 0
    assert set(sent(azure)) == {KEY}


@pytest.mark.parametrize("keyring", [True, False])
def test_a_kept_value_is_sent(
    cli: Cli,
    azure: LoopbackServer,
    home: Path,
    keyring: bool,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: MemoryKeyring | None = request.getfixturevalue("system_keyring") if keyring else None
    ran = cli("auth", "login", "--header", "Api-Key", stdin=KEY.encode())
    assert (ran.code, KEY in ran.stderr) == (0, False)
    keys = json.loads((home / "config" / "keys.json").read_text())
    assert list(keys) == [f"{azure.base_url} api-key"]
    if kept is not None:
        assert list(kept.kept.values()) == [KEY]
    assert run(cli) == 0
    assert set(sent(azure)) == {KEY}
    status = cli("auth", "status", "--json").json
    (header,) = status["headers"]
    assert (header["name"], header["value"], status["key"]) == ("api-key", "…8f90", None)
    monkeypatch.setenv("AZURE_KEY", "from-the-variable-0123")
    azure.requests.clear()
    assert run(cli) == 0
    assert set(sent(azure)) == {"from-the-variable-0123"}
    assert cli("auth", "logout", "--header", "api-key").code == 0
    ran = cli("auth", "logout", "--header", "api-key")
    assert (ran.code, "the one in AZURE_KEY is in the environment" in ran.stderr) == (4, True)


def test_a_header_without_a_table_is_sent_to_its_server_alone(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("auth", "login", "--header", "X-Gate", stdin=KEY.encode()).code == 0
    assert run(cli) == 0
    assert {request.headers["x-gate"] for request in server.requests} == {KEY}
    with LoopbackServer() as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.base_url)
        assert run(cli) == 0
        assert all("x-gate" not in request.headers for request in other.requests)


def test_a_header_is_not_for_a_server_from_a_variable(
    cli: Cli, azure: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_KEY", KEY)
    with LoopbackServer() as other:
        monkeypatch.setenv("GPTASST_BASE_URL", other.base_url)
        assert run(cli, "-m", "gpt-6-luna") == 0
        assert sent(other)[-1] is None


def test_shown_to_nobody(cli: Cli, azure: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    values = cli("config", "show", "--json").json["values"]
    (missing,) = (value for value in values if value["key"] == "headers.api-key")
    assert (missing["value"], missing["source"]) == (None, "AZURE_KEY, which is not set")
    monkeypatch.setenv("AZURE_KEY", KEY)
    azure.disturb("*", "*", outcomes.http_error(401, message=f"no such key: {KEY}"), times=99)
    for words in (
        ["config", "show"], ["auth", "status"], ["doctor"], ["doctor", "--json"],
        ["run", "MarkdownLinter", "-t", "hello"], ["run", "MarkdownLinter", "-t", "x", "--json"],
        ["model", "list", "-v"],
    ):  # fmt: skip
        ran = cli(*words)
        assert KEY not in ran.text + ran.stderr, words
    values = cli("config", "show", "--json").json["values"]
    (there,) = (value for value in values if value["key"] == "headers.api-key")
    assert (there["value"], there["source"]) == ("set", "AZURE_KEY")


def test_a_value_that_is_refused(
    cli: Cli, azure: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_KEY", KEY)
    azure.outcomes.append(outcomes.http_error(401, message="Access denied."))
    ran = cli("run", "MarkdownLinter", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (4, "wrong_key")
    assert "does not accept the key in the header `api-key`: Access denied." in ran.error["message"]
    assert ran.error["hint"] == "it is read from AZURE_KEY"


def test_plain_http_to_another_machine_is_refused(
    cli: Cli, azure: LoopbackServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", "0123456789")
    (home / "config" / "config.toml").write_text(
        '[profiles.lan]\nbase_url = "http://192.0.2.1/v1"\nheader_env = { X-Team = "TEAM" }\n'
    )
    ran = cli("run", "MarkdownLinter", "-t", "x", "--profile", "lan", "--json")
    assert (ran.code, ran.error["code"]) == (4, "insecure_endpoint")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('header_env = { "api-key" = "not a variable" }', "is not the name of a variable"),
        ('header_env = { "api key" = "AZURE_KEY" }', "is not the name of a header"),
        ('header_env = "AZURE_KEY"', "must be a table"),
        (
            'headers = { Api-Key = "x" }\nheader_env = { api-key = "AZURE_KEY" }',
            "the header `api-key` is given twice",
        ),
    ],
)
def test_what_can_not_be_read(
    cli: Cli, azure: LoopbackServer, home: Path, table: str, problem: str
) -> None:
    config = home / "config" / "config.toml"
    config.write_text(f'[profiles.azure]\nbase_url = "{azure.base_url}"\n{table}\n')
    ran = cli("config", "show", "--profile", "azure")
    assert (ran.code, problem in ran.stderr) == (2, True), ran.stderr


@pytest.mark.parametrize("words", [["--header", "a b"], ["--header", ""]])
def test_a_name_that_no_header_has(cli: Cli, azure: LoopbackServer, words: list[str]) -> None:
    assert cli("auth", "login", *words, stdin=KEY.encode()).code == 2


def test_a_value_may_have_blanks_and_no_line_ends(cli: Cli, azure: LoopbackServer) -> None:
    assert cli("auth", "login", "--header", "X-A", stdin=b"Basic dXNlcjpw\n").code == 0
    assert cli("auth", "login", "--header", "X-A", stdin=b"two\nlines").code == 2
