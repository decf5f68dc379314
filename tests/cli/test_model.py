"""`gptasst model`, and models that end soon."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptasst.models.ends import SHUTDOWNS
from tests.conftest import Cli, Write
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


def test_the_fix_is_about_what_names_the_model(
    cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("instructions/Old.toml", 'instructions = "Shout."\nmodel = "gpt-4"\n')
    cli("assistant", "create", "Plain one", "-i", "DocWriter")
    fixes = {"Old": "-m gpt-6.2-sol, or `gptasst instruction edit Old`"}
    monkeypatch.setenv("GPTASST_MODEL", "o1")
    fixes["Plain one"] = fixes["DocWriter"] = "`export GPTASST_MODEL=gpt-6.2-sol`"
    for name, fix in fixes.items():
        ran = cli("run", name, "-t", "hello")
        assert (ran.code, ran.stderr.splitlines()[-1]) == (3, f"hint: {fix}")
    monkeypatch.delenv("GPTASST_MODEL")
    cli("config", "set", "profiles.openai.model", "o1")
    ran = cli("run", "Plain one", "-t", "hello")
    assert "hint: `gptasst config set profiles.openai.model gpt-6.2-sol`\n" in ran.stderr


@pytest.mark.parametrize("store", ["local", "openai"])
@pytest.mark.parametrize("command", ["run", "each", "chat", "batch"])
def test_a_retired_model_fails_with_the_command_that_mends_it(
    cli: Cli,
    server: LoopbackServer,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    store: str,
) -> None:
    monkeypatch.setenv("GPTASST_STORE", store)
    write("in/a.md", "a")
    write("in/b.md", "b")
    cli("assistant", "create", "Old one", "-i", "DocWriter", "-m", "gpt-4")
    words = {
        "run": ["run", "Old one", "in"],
        "each": ["run", "Old one", "in", "--each", "-o", "out", "-j", "1"],
        "chat": ["chat", "Old one"],
        "batch": ["run", "Old one", "in", "--each", "--batch", "-o", "out"],
    }
    ran = cli(*words[command], stdin=b"hello\n" if command == "chat" else None)
    assert ran.code == 3
    error, hint = ran.stderr.splitlines()[-2:]
    assert error == (
        f"error: {server.base_url} does not have the model: `gpt-4` was shut down on"
        " 2026-10-23; its successor is `gpt-6.2-sol`"
    )
    assert hint == "hint: `gptasst assistant edit 'Old one' -m gpt-6.2-sol`"
    if command == "batch":
        assert not server.files
        assert not server.batches


def test_a_batch_of_a_retired_model_that_the_server_has(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    server.models = ["gpt-4"]
    write("a.md", "a")
    ran = cli("run", "DocWriter", "a.md", "--each", "--batch", "-o", "out", "-m", "gpt-4")
    assert (ran.code, len(server.batches)) == (0, 1)
    assert "warning: `gpt-4` was shut down on 2026-10-23;" in ran.stderr


def test_answers_that_are_known_need_no_model(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    server.models = ["gpt-4"]
    write("a.md", "a")
    each = ("run", "DocWriter", "a.md", "--each", "-m", "gpt-4")
    assert cli(*each, "-o", "out").code == 0
    server.models = []
    assert cli(*each, "-o", "again", "--batch").code == 0
    assert Path("again/a.md").read_text() == Path("out/a.md").read_text()


def test_a_model_that_is_missing_before_its_end(cli: Cli, server: LoopbackServer) -> None:
    ran = cli("run", "DocWriter", "-t", "hello", "-m", ENDING)
    assert ran.code == 3
    assert ran.stderr == (
        f"error: {server.base_url} has no model `{ENDING}`, which is to be shut down on"
        f" {END.date}; its successor is `{END.successor}`\nhint: -m {END.successor}\n"
    )


@pytest.mark.parametrize("more", [[], ["--batch"], ["--json"], ["--batch", "--json"]])
def test_many_files_warn_once(
    cli: Cli, server: LoopbackServer, write: Write, more: list[str]
) -> None:
    server.models = [ENDING]
    for number in range(3):
        write(f"in/{number}.md", f"{number}")
    cli("assistant", "create", "Old one", "-i", "DocWriter", "-m", ENDING)
    ran = cli("run", "Old one", "in", "--each", "-o", "out", *more)
    assert ran.code == 0
    assert ran.stderr.count("warning:") == 1
    warning = f"gptasst assistant edit 'Old one' -m {END.successor}"
    assert warning in ran.stderr
    if more == ["--batch", "--json"]:
        (said,) = ran.json["submission"]["warnings"]
        assert warning in said


def test_a_chat_warns_once(cli: Cli, server: LoopbackServer) -> None:
    server.models = [ENDING]
    ran = cli("chat", "DocWriter", "-m", ENDING, stdin=b"one\ntwo\n")
    assert (ran.code, ran.stderr.count("warning:")) == (0, 1)


@pytest.mark.parametrize("mode", [[], ["--quiet"], ["--json"]])
def test_making_and_changing_an_assistant_tells_of_its_model(
    cli: Cli, server: LoopbackServer, mode: list[str]
) -> None:
    said = cli("assistant", "create", "Old one", "-i", "DocWriter", "-m", "gpt-4", *mode).stderr
    assert "warning: `gpt-4` was shut down on 2026-10-23; its successor is `gpt-6.2-sol`" in said
    said = cli("assistant", "edit", "Old one", "-m", "o3-mini", *mode).stderr
    assert "`gptasst assistant edit 'Old one' -m gpt-6-luna`" in said
    said = cli("assistant", "edit", "Old one", "-m", "gpt-6-luna", *mode).stderr
    assert "warning" not in said
    assert "`gpt-4` was shut down" in cli("assistant", "rollback", "Old one", "1", "-y").stderr


def test_a_snapshot_ends_with_its_model(cli: Cli, server: LoopbackServer) -> None:
    server.models = ["gpt-5-2025-08-07", "gpt-5-codex-of-ours"]
    ends = [line.split("\t")[2:] for line in cli("model", "list").lines]
    assert ends == [["2026-12-11 !", "gpt-6.2-sol"], ["", ""]]


def test_nothing_is_said_of_a_model_that_stays(cli: Cli, server: LoopbackServer) -> None:
    assert cli("run", "MarkdownLinter", "-t", "hello").stderr == ""


def test_another_server_has_ends_of_its_own(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    server.models = [ENDING]
    cli("config", "set", "profiles.mine.base_url", server.base_url)
    mine = ("--profile", "mine")
    ran = cli("run", "MarkdownLinter", "-t", "hello", "-m", ENDING, *mine)
    assert (ran.code, ran.stderr) == (0, "")
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-m", "gpt-4", *mine)
    assert ran.stderr == "created `W` with 0 files\n"
    assert cli("assistant", "list", *mine).stderr == ""
    assert cli("model", "list", *mine).text.split("\t")[2:] == ["", "\n"]
    findings = cli("doctor", "--json", *mine).json["findings"]
    found = [f["message"] for f in findings if f["topic"] == "models" and f["severity"] == "ok"]
    assert found == ["none that is used here ends within 60 days"]
    ran = cli("run", "W", "-t", "hello", *mine)
    assert f"{server.base_url} has no model `gpt-4`\nhint: -m MODEL" in ran.stderr


def test_the_date_that_a_server_gave_is_remembered(
    cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    cli("config", "set", "profiles.mine.base_url", server.base_url)
    mine = ("--profile", "mine")
    server.models = ["sd", "gpt-4"]
    cli("assistant", "create", "SD", "-i", "DocWriter", "-m", "sd", *mine)
    run = ("run", "SD", "-t", "hello", *mine)
    assert "sd" not in cli(*run).stderr
    models = [{"id": "sd", "shutdown_date": "2000-01-01"}, {"id": "gpt-4"}]
    server.disturb("GET", "/v1/models", HttpAnswer(json_reply({"data": models})))
    cli("model", "list", *mine)
    said = (
        "`sd` was shut down on 2000-01-01;"
        " `gptasst --profile mine model list` shows what there is:"
        " `gptasst --profile mine assistant edit SD -m MODEL`\n"
    )
    write("a.md", "a")
    for words in (
        run,
        ("assistant", "list", *mine),
        (*run[:2], "a.md", "--each", "-o", "o", *mine),
    ):
        assert cli(*words).stderr.count(said) == 1
    assert cli("run", "SD", "-t", "hello", "-m", "gpt-4", *mine).stderr == ""
    server.models = []
    ran = cli(*run)
    assert (ran.code, ran.stderr) == (
        3,
        (
            f"error: {server.base_url} does not have the model: `sd` was shut down on 2000-01-01\n"
            "hint: `gptasst --profile mine assistant edit SD -m MODEL`;"
            " `gptasst --profile mine model list` shows what there is\n"
        ),
    )
    # Another server's word is about its own models only.
    cli(
        "config",
        "set",
        "profiles.other.base_url",
        server.base_url.replace("127.0.0.1", "localhost"),
    )
    assert cli("assistant", "list", "--profile", "other").stderr == ""


def test_openai_may_be_called_otherwise(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("config", "set", "profiles.europe.base_url", "https://eu.api.openai.com/v1")
    monkeypatch.delenv("OPENAI_BASE_URL")
    made = cli("assistant", "create", "W", "-i", "DocWriter", "-m", "gpt-4", "--profile", "europe")
    assert "`gpt-4` was shut down" in made.stderr
