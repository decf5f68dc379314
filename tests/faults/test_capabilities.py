"""What a server has is learned once: what it lacks is refused before it is sent, or noted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gptasst.models import service as capabilities
from tests.conftest import Cli, Write
from tests.faults.test_answers_as_sent import DELTA, completed, stream
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import Reply, json_reply

LLAMA = {"Server": "llama.cpp"}
NO_INPUT = {"error": {"code": 400, "message": "'input' is required"}}
OGX = (
    "{'errors': [{'loc': ['body', 'input'], 'msg': 'Field required', 'type': 'missing'},"
    " {'loc': ['body', 'tools', 1], 'msg': \"Input tag 'code_interpreter' found using 'type' does"
    " not match any of the expected tags: 'web_search', 'file_search', 'function', 'mcp'\"}]}"
)


@pytest.fixture(autouse=True)
def instructions(write: Write) -> None:
    write("instructions/Web.toml", "instructions = 'Seek.'\n[tools]\nweb_search = true\n")
    write("instructions/Code.toml", "instructions = 'Go.'\n[tools]\ncode_interpreter = true\n")


def runs(server: LoopbackServer) -> list[Any]:
    """The requests that ask a model."""
    return [r.json for r in server.requests if r.path == "/v1/responses" and "model" in r.json]


def uploads(server: LoopbackServer) -> set[str]:
    """What was uploaded; the server makes a file of its own for the answers of a batch."""
    return {file.name for file in server.files.values() if file.name.startswith("gptasst-")}


def states(cli: Cli) -> dict[str, str]:
    found = cli("doctor", "--json").json["capabilities"]
    return {one["name"]: one["state"] for one in found}


def ask(server: LoopbackServer, reply: Reply) -> None:
    """Answer so to a request that has tools and nothing to run."""
    server.disturb("POST", "/v1/responses", HttpAnswer(reply))


def test_a_server_that_passes_over_tools_is_asked_once(cli: Cli, server: LoopbackServer) -> None:
    """As llama.cpp does, which calls itself so in each reply."""
    ask(server, Reply(json.dumps(NO_INPUT).encode(), 400, headers=LLAMA))
    for _ in range(2):
        ran = cli("run", "Web", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (2, "tool_not_available")
        assert "does not have web search, which `Web` uses" in ran.error["message"]
        assert "gptasst instruction edit Web" in ran.error["hint"]
    assert (runs(server), len(server.requests)) == ([], 1)
    assert cli("run", "Code", "-t", "x").code == 2
    assert cli("run", "DocWriter", "-t", "x").code == 0
    assert states(cli)["web search"] == "missing"
    assert states(cli)["function tools"] == "available"


@pytest.mark.parametrize(
    "words",
    [
        ["run", "Web", "a.md", "b.md", "--each", "-o", "out"],
        ["run", "Web", "a.md", "--each", "--batch", "-o", "out"],
        ["run", "Web", "-t", "x", "-c"],
        ["chat", "Web"],
    ],
    ids=" ".join,
)
def test_every_way_in(cli: Cli, server: LoopbackServer, write: Write, words: list[str]) -> None:
    write("a.md", "a\n")
    write("b.md", "b\n")
    server.disturb(
        "POST",
        "/v1/responses",
        HttpAnswer(Reply(json.dumps(NO_INPUT).encode(), 400, headers=LLAMA)),
    )
    ran = cli(*words, stdin=b"x\n")
    assert (ran.code != 0, "does not have web search" in ran.stderr) == (True, True), ran.stderr
    assert runs(server) == []
    assert server.files == {}


def test_a_plan_asks_nobody(cli: Cli, server: LoopbackServer) -> None:
    assert cli("run", "Web", "-t", "x", "--dry-run").code == 0
    assert server.requests == []


def test_words_of_a_server_that_checks_requests(cli: Cli, server: LoopbackServer) -> None:
    """OGX refuses what it does not know before it looks for the model."""
    ask(server, json_reply({"error": {"message": OGX}}, 400))
    ran = cli("run", "Code", "-t", "x", "--json")
    assert "does not have a code interpreter" in ran.error["message"]
    assert (ran.code, runs(server)) == (2, [])
    shown = states(cli)
    assert (shown["code interpreter"], shown["function tools"]) == ("missing", "available")
    assert shown["web search"] == "unknown"


REFUSALS: dict[str, Callable[[], Any]] = {
    "status": lambda: outcomes.http_error(400, message="Tool 'web_search' not found"),
    "event": lambda: stream(
        {"type": "error", "error": {"message": "Tool 'web_search' not found", "code": "x"}}
    ),
    "failed": lambda: stream(
        {
            "type": "response.failed",
            "response": {
                "status": "failed",
                "error": {"message": "tool type web_search is not supported"},
            },
        }
    ),
}


@pytest.mark.parametrize("how", REFUSALS)
def test_a_refusal_is_remembered(cli: Cli, server: LoopbackServer, how: str) -> None:
    """As OGX says it, which has web search where somebody configured it."""
    server.outcomes.append(REFUSALS[how]())
    for _ in range(2):
        ran = cli("run", "Web", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (2, "tool_not_available")
        assert "run it again" not in ran.error["hint"]
    assert len(runs(server)) == 1
    assert states(cli)["web search"] == "missing"


def test_an_assistant_names_the_command_that_works(cli: Cli, project: LoopbackServer) -> None:
    assert cli("assistant", "create", "My web", "-i", "DocWriter", "--web-search").code == 0
    project.outcomes.append(outcomes.http_error(400, message="Tool 'web_search' not found"))
    ran = cli("run", "My web", "-t", "x", "--json")
    assert "`gptasst assistant edit 'My web' --no-web-search` turns it off" in ran.error["hint"]
    assert cli("assistant", "edit", "My web", "--no-web-search").code == 0
    assert cli("run", "My web", "-t", "x").code == 0


def test_what_an_answer_shows_is_remembered(cli: Cli, server: LoopbackServer) -> None:
    """A server that repeats other tools has left this one out; one that called it has it."""
    server.outcomes.append(stream(DELTA, completed(tools=[{"type": "function", "name": "f"}])))
    ran = cli("run", "Web", "-t", "x")
    assert (ran.code, "does not have web search: it was ignored" in ran.stderr) == (0, True)
    assert cli("run", "Web", "-t", "x").code == 2
    call = {"type": "code_interpreter_call", "code": "1"}
    item = completed()["response"]["output"]
    server.outcomes.append(stream(DELTA, completed(output=[call, *item])))
    server.outcomes.append(stream(DELTA, completed()))
    for _ in range(2):  # it need not be called each time
        ran = cli("run", "Code", "-t", "x")
        assert (ran.code, "code interpreter:" in ran.stderr) == (0, False), ran.stderr
    assert states(cli)["code interpreter"] == "available"


def test_a_server_is_asked_again_after_a_while(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.outcomes.append(outcomes.http_error(400, message="Tool 'web_search' not found"))
    assert cli("run", "Web", "-t", "x").code == 2
    monkeypatch.setattr(capabilities, "REMEMBERED_SECONDS", 0.0)
    assert cli("run", "Web", "-t", "x").code == 0


def test_each_server_has_its_own(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.outcomes.append(outcomes.http_error(400, message="Tool 'web_search' not found"))
    assert cli("run", "Web", "-t", "x").code == 2
    with LoopbackServer() as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.base_url)
        assert cli("run", "Web", "-t", "x").code == 0


class TestBatches:
    WORDS = "run DocWriter a.md --each --batch -o out --json".split()
    REFUSED = outcomes.http_error(
        400,
        message="Invalid endpoint: /v1/responses. Supported values: /v1/chat/completions.",
    )

    @pytest.fixture(autouse=True)
    def input_file(self, write: Write) -> None:
        write("a.md", "a\n")

    def test_known_before_anything_is_uploaded(self, cli: Cli, project: LoopbackServer) -> None:
        """OGX has batches, and none of responses."""
        project.disturb("POST", "/v1/batches", self.REFUSED)
        for _ in range(2):
            ran = cli(*self.WORDS)
            assert (ran.code, ran.error["code"]) == (2, "tool_not_available")
        assert (project.files, project.batches) == ({}, {})
        assert len([r for r in project.requests if r.path == "/v1/batches"]) == 1
        assert cli("run", "DocWriter", "a.md", "--each", "-o", "out").code == 0

    def test_a_server_without_files(self, cli: Cli, project: LoopbackServer) -> None:
        project.disturb("*", "/v1/files", outcomes.http_error(404, message="Not Found"), times=9)
        ran = cli(*self.WORDS)
        assert (ran.code, ran.error["code"]) == (2, "tool_not_available")
        assert ran.error["message"].endswith("does not have files, which batches need")
        assert "without --batch" in ran.error["hint"]
        assert project.batches == {}

    def test_doctor_knows(self, cli: Cli, project: LoopbackServer) -> None:
        project.disturb("POST", "/v1/batches", self.REFUSED)
        assert states(cli)["batches"] == "missing"
        assert (project.files, project.batches) == ({}, {})

    def test_refused_afterwards_the_files_are_taken_back(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        assert cli(*self.WORDS).code == 0
        before = uploads(project)
        project.disturb("POST", "/v1/batches", outcomes.http_error(400, message="no more today"))
        write("a.md", "another\n")
        ran = cli(*self.WORDS)
        assert (ran.code, ran.error["code"]) == (1, "bad_request")
        assert uploads(project) == before
        assert cli(*self.WORDS).code == 0

    def test_files_of_another_batch_stay(self, cli: Cli, project: LoopbackServer) -> None:
        assert cli(*self.WORDS).code == 0
        before = uploads(project)
        project.disturb("POST", "/v1/batches", outcomes.http_error(400, message="no more today"))
        assert cli(*self.WORDS, "--force").code == 1
        assert uploads(project) == before

    def test_a_batch_that_may_be_there_keeps_its_files(
        self, cli: Cli, project: LoopbackServer
    ) -> None:
        assert cli("doctor").code == 0
        project.disturb("POST", "/v1/batches", outcomes.http_error(404, message="No file"), times=1)
        project.disturb("POST", "/v1/batches", outcomes.http_error(500), times=99)
        assert cli(*self.WORDS).code == 1
        assert len(project.files) == 2
