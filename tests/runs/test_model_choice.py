"""A run where nobody named a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.wire import Reply


@pytest.fixture(autouse=True)
def no_model(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPTASST_MODEL")


@pytest.fixture
def profile(
    server: LoopbackServer, home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same server in a profile of config.toml."""
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("GPTASST_PROFILE", "own")
    write(f"{home}/config/config.toml", f'[profiles.own]\nbase_url = "{server.base_url}"\n')


def asked(server: LoopbackServer) -> list[str]:
    return [request.path.removeprefix("/v1/") for request in server.requests]


@pytest.mark.parametrize(
    ("models", "chosen"),
    [(["other", "gpt-6-luna"], "gpt-6-luna"), (["/m/a b.gguf"], "/m/a b.gguf")],
)
@pytest.mark.usefixtures("profile")
def test_the_only_one_or_the_default(
    cli: Cli, server: LoopbackServer, models: list[str], chosen: str
) -> None:
    """It is said once, and remembered."""
    server.models = models
    ran = cli("run", "CommitMessage", "-t", "x")
    assert ran.text == "x"
    assert f"`{chosen}`" in ran.stderr
    assert "gptasst config set profiles.own.model " in ran.stderr
    assert asked(server) == ["models", "responses"]
    assert server.requests[-1].json["model"] == chosen
    ran = cli("run", "CommitMessage", "-t", "x")
    assert (ran.text, ran.stderr) == ("x", "")
    assert asked(server)[2:] == ["responses"]


@pytest.mark.usefixtures("profile")
def test_several_are_listed(cli: Cli, server: LoopbackServer) -> None:
    server.models = ["one", "two"]
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (2, "no_model")
    assert ran.error["message"].endswith("which has `one`, `two`")
    assert "`gptasst config set profiles.own.model one`" in ran.error["hint"]
    assert cli("config", "set", "profiles.own.model", "one").code == 0
    assert cli("run", "CommitMessage", "-t", "x").text == "x"


URL_VARIABLES = pytest.mark.parametrize("variable", ["GPTASST_BASE_URL", "OPENAI_BASE_URL"])


@URL_VARIABLES
@pytest.mark.parametrize("models", [["one", "two"], ["one"]])
def test_a_variable_for_the_server(
    cli: Cli,
    server: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    models: list[str],
    variable: str,
) -> None:
    """`profiles.openai.model` would change what runs at OpenAI."""
    monkeypatch.setenv(variable, server.base_url)
    server.models = models
    ran = cli("run", "CommitMessage", "-t", "x")
    assert "`export GPTASST_MODEL=one`" in ran.stderr
    assert "profiles.openai" not in ran.stderr
    assert ran.code == (2 if len(models) > 1 else 0)
    monkeypatch.setenv("GPTASST_MODEL", "one")
    ran = cli("run", "CommitMessage", "-t", "x")
    assert (ran.text, ran.stderr) == ("x", "")


@URL_VARIABLES
def test_a_variable_for_a_server_without_a_list(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, server.base_url)
    server.disturb("GET", "/v1/models", outcomes.http_error(404), times=10)
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    hint = "-m MODEL, or `export GPTASST_MODEL=MODEL`; is the base URL right?"
    assert ran.error["hint"].startswith(hint)


@pytest.mark.usefixtures("profile")
def test_a_server_without_a_list(cli: Cli, server: LoopbackServer) -> None:
    server.disturb("GET", "/v1/models", outcomes.http_error(404), times=10)
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (2, "no_model")
    hint = "-m MODEL, or `model` in [profiles.own] of config.toml; is the base URL right?"
    assert ran.error["hint"].startswith(hint)


def test_one_that_is_gone_is_not_remembered(cli: Cli, server: LoopbackServer) -> None:
    server.models = ["one"]
    assert cli("run", "CommitMessage", "-t", "x").code == 0
    server.models = ["two"]
    server.outcomes.append(outcomes.http_error(404, "model_not_found"))
    assert cli("run", "CommitMessage", "-t", "x").code == 3
    assert cli("run", "CommitMessage", "-t", "x").text == "x"
    assert server.requests[-1].json["model"] == "two"


ONLY = {"id": "only", "object": "model", "created": 1, "owned_by": "me"}


@pytest.mark.parametrize(
    "body",
    [
        [ONLY],
        {"data": [{"id": "only", "created": "odd", "owned_by": 5}]},
        {"data": [{**ONLY, "created": 1e300}]},
        {"data": [ONLY, {**ONLY, "id": "text-embedding-small"}]},
        {"data": [ONLY], "has_more": True},
    ],
    ids=str,
)
def test_lists_of_other_forms(cli: Cli, server: LoopbackServer, body: Any) -> None:
    server.models = ["only"]
    reply = Reply(json.dumps(body).encode(), 200, "application/json")
    server.disturb("GET", "/v1/models", outcomes.HttpAnswer(reply), times=2)
    assert cli("run", "CommitMessage", "-t", "x").text == "x"
    assert server.requests[-1].json["model"] == "only"


@pytest.mark.parametrize("body", [{"data": []}, {"data": None}, {"data": [{"id": None}]}, "odd"])
def test_no_list_of_models(cli: Cli, server: LoopbackServer, body: Any) -> None:
    server.disturb("GET", "/v1/models", outcomes.http_error(200, body=body))
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (2, "no_model")
    assert "lists none" in ran.error["message"]


def test_a_base_url_without_a_list_of_models_may_be_wrong(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url.removesuffix("1") + "2")
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (2, "no_model")
    assert "is the base URL right?" in ran.error["hint"]
    assert "-m MODEL" in ran.error["hint"]


def test_a_key_that_may_not_list_models(cli: Cli, server: LoopbackServer) -> None:
    server.disturb("GET", "/v1/models", outcomes.http_error(403), times=2)
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (2, "no_model")
    assert cli("run", "CommitMessage", "-t", "x", "-m", "gpt-6-luna").text == "x"


def test_a_plan_asks_nothing(cli: Cli, server: LoopbackServer) -> None:
    ran = cli("run", "CommitMessage", "-t", "x", "-n", "--json")
    assert (ran.code, ran.error["code"], server.requests) == (2, "no_model", [])
