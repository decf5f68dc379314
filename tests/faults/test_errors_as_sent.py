"""Errors as OpenAI, Azure, vLLM, llama.cpp and gateways send them."""

from __future__ import annotations

from typing import Any

import pytest

from gptasst.api import retries
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes

AZURE_FILTER = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": {"filtered": False, "severity": "safe"},
                "jailbreak": {"filtered": True, "detected": True},
                "violence": {"filtered": True, "severity": "medium"},
            },
        },
    }
}
VLLM = (
    "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens in"
    " the messages, Please reduce the length of the messages."
)


@pytest.mark.parametrize(
    ("status", "body", "exit_code", "code", "said"),
    [
        (400, AZURE_FILTER, 7, "refused", "jailbreak, violence (medium)"),
        (
            404,
            {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this"
             " resource does not exist."}},
            3, "model_not_found", "has no model `gpt-6-luna`",
        ),
        (
            400, {"object": "error", "message": VLLM, "type": "BadRequestError", "code": 400},
            2, "too_long", "4096 tokens",
        ),
        (
            400, {"error": {"message": VLLM, "type": "BadRequestError", "code": 400}},
            2, "too_long", "4096 tokens",
        ),
        (
            400,
            {"error": {"code": 400, "message": "request (9000 tokens) exceeds the available context"
             " size (4096 tokens), try increasing it", "type": "exceed_context_size_error"}},
            2, "too_long", "4096 tokens",
        ),
        (
            500, {"error": {"message": "the request exceeds the available context size"}},
            2, "too_long", "context size",
        ),
        (
            500, {"error": {"code": 500, "message": "image input is not supported - hint: if"
             " this is unexpected, you may need to provide the mmproj", "type": "server_error"}},
            2, "input_not_taken", "takes no images",
        ),
        (
            400, {"error": {"code": 400, "message": "'input_file' is not supported by llamacpp"}},
            2, "input_not_taken", "takes no documents",
        ),
        (402, {"error": {"message": "Insufficient credits"}}, 5, "quota", "Insufficient credits"),
        (
            400,
            {"error": {"message": "Billing hard limit has been reached",
                       "code": "billing_hard_limit_reached"}},
            5, "quota", "Billing hard limit",
        ),
        (
            401, {"error": {"message": "the header x-team is missing"}},
            4, "wrong_key", "the header x-team is missing",
        ),
        (401, {"detail": "Sign in at the gateway"}, 4, "wrong_key", "Sign in at the gateway"),
    ],
)  # fmt: skip
def test_says_what_it_is(
    cli: Cli,
    server: LoopbackServer,
    status: int,
    body: dict[str, Any],
    exit_code: int,
    code: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.001)
    server.outcomes.extend([outcomes.http_error(status, body=body)] * 3)
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (exit_code, code)
    assert said in ran.error["message"]


def test_an_expired_vector_store(cli: Cli, project: LoopbackServer) -> None:
    assert cli("assistant", "create", "Docs", "-i", "DocWriter").code == 0
    (ident,) = project.stores
    project.outcomes.append(outcomes.http_error(400, message=f"Vector store {ident} is expired."))
    ran = cli("run", "Docs", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (1, "expired")
    assert f"gptasst assistant export {ident}" in ran.error["hint"]
    assert cli("assistant", "export", ident).code == 0


@pytest.mark.parametrize(
    ("path", "words", "part", "advice"),
    [
        ("/v1/files", "file list", "files", 'store = "local"'),
        ("/v1/batches", "batch list", "batches", "`run --each` without `--batch`"),
        ("/v1/conversations", "run DocWriter -t x -c", "conversations", 'store = "local"'),
    ],
)
def test_a_part_of_the_api_that_is_missing(
    cli: Cli, project: LoopbackServer, path: str, words: str, part: str, advice: str
) -> None:
    """As llama.cpp says it; the base URL is right."""
    body = {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}
    missing = outcomes.http_error(404, body=body)
    project.disturb("*", path, missing, times=1_000)
    project.disturb("*", f"{path}/*", missing, times=1_000)
    ran = cli(*words.split(), "--json")
    assert (ran.code, ran.error["code"]) == (1, "no_endpoint")
    assert ran.error["message"].endswith(f" has no {part}")
    assert advice in ran.error["hint"]


def test_where_assistants_are_kept_here_no_upload_is_needed(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    write("a.md", "alpha\n")
    server.disturb("*", "/v1/files", outcomes.http_error(404), times=1_000)
    ran = cli("file", "upload", "a.md", "--json")
    assert (ran.code, ran.error["code"]) == (1, "no_endpoint")
    assert "store" not in ran.error["hint"]
    assert "`gptasst assistant create NAME -i INSTRUCTION -f FILE...`" in ran.error["hint"]


LOCKED = outcomes.http_error(
    400, "conversation_locked", "Another process is using this conversation, try again."
)
EARLY = outcomes.http_error(425)
LIMITED = {
    value: outcomes.http_error(429, "rate_limit_exceeded", headers={"Retry-After": value})
    for value in ("nan", "inf", "-5", "soon", "Wed, 99 Foo 99999 00:00:00 GMT")
}
EXACT = outcomes.http_error(429, headers={"retry-after-ms": "10", "Retry-After": "600"})


class TestRetries:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retries, "_FIRST_WAIT", 0.001)

    @pytest.mark.parametrize(
        "outcome", [LOCKED, EARLY, *LIMITED.values(), EXACT], ids=["locked", "425", *LIMITED, "ms"]
    )
    def test_of_a_run(self, cli: Cli, server: LoopbackServer, outcome: outcomes.Outcome) -> None:
        server.outcomes.append(outcome)
        assert cli("run", "CommitMessage", "-t", "x").text == "x"
        assert len(server.requests) == 2

    @pytest.mark.parametrize("outcome", [LOCKED, EARLY, EXACT], ids=["locked", "425", "ms"])
    def test_of_a_lookup(
        self, cli: Cli, project: LoopbackServer, outcome: outcomes.HttpAnswer
    ) -> None:
        project.disturb("GET", "/v1/vector_stores", outcome)
        assert cli("assistant", "list").code == 0
        assert len(project.requests) == 2

    def test_the_same_question_twice_is_no_answered_one(
        self, cli: Cli, project: LoopbackServer
    ) -> None:
        assert cli("run", "DocWriter", "-t", "again", "-c").code == 0
        project.outcomes.append(LOCKED)
        assert cli("run", "DocWriter", "-t", "again", "-c").text == "again"

    def test_no_wait_is_longer_than_the_command_may_take(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        assert cli("assistant", "create", "Docs", "-i", "DocWriter").code == 0
        limited = outcomes.http_error(429, headers={"Retry-After": "60"})
        project.disturb("GET", "*", limited, times=1_000)
        ran = cli("run", "Docs", "-t", "x", "--timeout", "5", "--json")
        assert (ran.code, ran.error["code"]) == (5, "rate_limited")
