"""A run where nobody named a model."""

from __future__ import annotations

import pytest

from tests.conftest import Cli
from tests.loopback import LoopbackServer, outcomes


@pytest.fixture(autouse=True)
def no_model(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPTASST_MODEL")


def asked(server: LoopbackServer) -> list[str]:
    return [request.path.removeprefix("/v1/") for request in server.requests]


@pytest.mark.parametrize(
    ("models", "chosen"),
    [(["other", "gpt-6-luna"], "gpt-6-luna"), (["/m/a b.gguf"], "/m/a b.gguf")],
)
def test_the_only_one_or_the_default(
    cli: Cli, server: LoopbackServer, models: list[str], chosen: str
) -> None:
    """It is said once, and remembered."""
    server.models = models
    ran = cli("run", "CommitMessage", "-t", "x")
    assert ran.text == "x"
    assert f"`{chosen}`" in ran.stderr
    assert "gptasst config set profiles.openai.model " in ran.stderr
    assert asked(server) == ["models", "responses"]
    assert server.requests[-1].json["model"] == chosen
    ran = cli("run", "CommitMessage", "-t", "x")
    assert (ran.text, ran.stderr) == ("x", "")
    assert asked(server)[2:] == ["responses"]


def test_several_are_listed(cli: Cli, server: LoopbackServer) -> None:
    server.models = ["one", "two"]
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (2, "no_model")
    assert ran.error["message"].endswith("which has `one`, `two`")
    assert "`gptasst config set profiles.openai.model one`" in ran.error["hint"]
    assert cli("config", "set", "profiles.openai.model", "one").code == 0
    assert cli("run", "CommitMessage", "-t", "x").text == "x"


def test_a_server_without_a_list(cli: Cli, server: LoopbackServer) -> None:
    server.disturb("GET", "/v1/models", outcomes.http_error(404), times=10)
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (2, "no_model")
    assert "-m MODEL" in ran.error["hint"]


def test_one_that_is_gone_is_not_remembered(cli: Cli, server: LoopbackServer) -> None:
    server.models = ["one"]
    assert cli("run", "CommitMessage", "-t", "x").code == 0
    server.models = ["two"]
    server.outcomes.append(outcomes.http_error(404, "model_not_found"))
    assert cli("run", "CommitMessage", "-t", "x").code == 3
    assert cli("run", "CommitMessage", "-t", "x").text == "x"
    assert server.requests[-1].json["model"] == "two"


def test_a_plan_asks_nothing(cli: Cli, server: LoopbackServer) -> None:
    ran = cli("run", "CommitMessage", "-t", "x", "-n", "--json")
    assert (ran.code, ran.error["code"], server.requests) == (2, "no_model", [])
