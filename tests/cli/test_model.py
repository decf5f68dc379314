"""`gptasst model`, and models that end soon."""

from __future__ import annotations

import pytest

from gptasst.model_catalog import SHUTDOWNS
from tests.conftest import Cli
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import json_reply

ENDING = "gpt-4o"
END = SHUTDOWNS[ENDING]


def test_models_of_the_server_with_their_end(cli: Cli, server: LoopbackServer) -> None:
    server.models = ["gpt-6-luna", ENDING]
    assert cli("model", "list", "--json").json["models"] == [
        {
            "id": ENDING,
            "owner": "openai",
            "created_at": "2025-10-09T08:53:20+00:00",
            "shutdown_date": str(END.date),
            "ends_soon": True,
            "successor": END.successor,
        },
        {
            "id": "gpt-6-luna",
            "owner": "openai",
            "created_at": "2025-10-09T08:53:20+00:00",
            "shutdown_date": None,
            "ends_soon": False,
            "successor": None,
        },
    ]
    assert cli("model", "list", "--quiet").lines == [ENDING, "gpt-6-luna"]
    assert cli("model", "list").lines[0].split("\t")[2:] == [f"{END.date} !", END.successor]


def test_a_server_that_says_little(cli: Cli, server: LoopbackServer) -> None:
    listed = {"object": "list", "data": [{"id": "m", "shutdown_date": "soon"}]}
    server.disturb("GET", "/v1/models", HttpAnswer(json_reply(listed)))
    assert cli("model", "list").text == "m\t\t\t\n"


def test_the_embedded_model_is_one(cli: Cli) -> None:
    assert "SmolLM2" in cli("model", "list", "--profile", "local", "--quiet").text


def test_a_run_warns_of_a_model_that_ends(cli: Cli, server: LoopbackServer) -> None:
    server.models = [ENDING]
    ran = cli("run", "MarkdownLinter", "-t", "hello", "-m", ENDING)
    assert ran.code == 0
    warnings = [line for line in ran.stderr.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 1
    assert str(END.date) in warnings[0]
    assert f"`-m {END.successor}`" in warnings[0]


def test_a_run_of_an_assistant_names_the_command_that_mends_it(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_STORE", "local")
    server.models = [ENDING]
    cli("assistant", "create", "Old one", "-i", "DocWriter", "-m", ENDING)
    fix = f"`gptasst assistant edit 'Old one' -m {END.successor}`"
    assert fix in cli("run", "Old one", "-t", "hello").stderr
    listed = cli("assistant", "list")
    assert fix in listed.stderr
    assert fix not in listed.text
    assert cli("assistant", "list", "--quiet").stderr == ""


def test_nothing_is_said_of_a_model_that_stays(cli: Cli, server: LoopbackServer) -> None:
    assert cli("run", "MarkdownLinter", "-t", "hello").stderr == ""


def test_another_server_has_ends_of_its_own(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    server.models = [ENDING]
    cli("config", "set", "profiles.mine.base_url", server.base_url)
    ran = cli("run", "MarkdownLinter", "-t", "hello", "-m", ENDING, "--profile", "mine")
    assert (ran.code, ran.stderr) == (0, "")
