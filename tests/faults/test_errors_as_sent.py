"""Errors as OpenAI, Azure, vLLM, llama.cpp and gateways send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gptasst.api import retries
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.wire import Reply

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
        (
            401, {"error": "invalid_token", "error_description": "The token expired"},
            4, "wrong_key", "The token expired",
        ),
        (401, {"fault": {"faultstring": "No API key"}}, 4, "wrong_key", "No API key"),
        (401, [{"error": {"message": "No good key"}}], 4, "wrong_key", "No good key"),
        (401, "No key was sent", 4, "wrong_key", "No key was sent"),
        (400, {"error": None, "message": "It is not taken"}, 1, "bad_request", "It is not taken"),
        (
            422, {"detail": [{"loc": ["body", "input"], "msg": "Field required"}]},
            1, "bad_request", "body.input: Field required",
        ),
        (407, {}, 4, "bad_proxy", "wants a login"),
        (413, {"error": "At most 8 MB"}, 2, "too_large", "At most 8 MB"),
        (
            400, {"error": {"message": "Your credit balance is too low"}},
            5, "quota", "credit balance",
        ),
        (429, {"error": {"code": "billing_not_active"}}, 5, "quota", "used up"),
        (403, {"error": {"code": "billing_hard_limit_reached"}}, 5, "quota", "used up"),
        *(
            (400, {"error": {"message": words}}, 3, "model_not_found", "has no model")
            for words in (
                "/responses: Invalid model name passed in model=gpt-6-luna.",
                "gpt-6-luna is not a valid model ID",
                "Model Not Exist",
            )
        ),
        (404, {"error": "model 'gpt-6-luna' not found"}, 3, "model_not_found", "has no model"),
        (
            400,
            {"error": {"code": "content_filter", "content_filters": [{"blocked": True,
             "content_filter_results": {"jailbreak": {"filtered": True}}}]}},
            7, "refused", "jailbreak",
        ),
        *(
            (400, {"error": {"message": words}}, 2, "too_long", words)
            for words in (
                "The decoder prompt (length 9000) is longer than the maximum model length of 4096.",
                "The prompt (total length 9000) is too long to fit into the model",
                "the model is loaded with context length of only 4096 tokens, which is not enough",
                "The number of tokens to keep is greater than the context length.",
                "prompt too long; exceeded context length by 123 tokens",
                "The input (9000 tokens) is longer than the model's context length (4096 tokens).",
                "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
                "The input token count exceeds the maximum number of tokens allowed (1048576).",
                "too many tokens: the prompt cannot exceed 4081",
            )
        ),
    ],
)  # fmt: skip
def test_says_what_it_is(
    cli: Cli,
    server: LoopbackServer,
    status: int,
    body: Any,
    exit_code: int,
    code: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.001)
    sent = Reply(json.dumps(body).encode(), status, "application/json")
    server.outcomes.extend([outcomes.HttpAnswer(sent)] * 3)
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (exit_code, code)
    assert said in ran.error["message"]


WEB_PAGE = b"<html><head><title>x.com | 524: A timeout&#8230;</title></head><body></body></html>"


@pytest.mark.parametrize(
    ("status", "body", "exit_code", "code", "said"),
    [
        (401, b"RBAC: access denied", 4, "wrong_key", "RBAC: access denied"),
        (403, b"RBAC:  access\ndenied", 4, "no_permission", "RBAC: access denied"),
        (404, b"404 page not found", 1, "no_endpoint", "nothing at /v1/responses: 404 page"),
        (503, b"no healthy upstream", 1, "service_error", "no healthy upstream"),
        (524, WEB_PAGE, 1, "service_error", "x.com | 524: A timeout…"),
        (502, b"<html>", 1, "service_error", "HTTP 502"),
        (500, b"", 1, "service_error", "HTTP 500"),
    ],
)
def test_words_of_a_proxy_are_shown(
    cli: Cli,
    server: LoopbackServer,
    status: int,
    body: bytes,
    exit_code: int,
    code: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.001)
    kind = "text/html" if body.startswith(b"<") else "text/plain"
    server.outcomes.extend([outcomes.HttpAnswer(Reply(body, status, kind))] * 3)
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (exit_code, code)
    assert said in ran.error["message"]


@pytest.mark.parametrize(
    ("error", "exit_code", "code"),
    [
        ({"code": "content_filter", **AZURE_FILTER["error"]}, 7, "refused"),
        ({"message": VLLM}, 2, "too_long"),
        ({"message": "Vector store vs_1 has expired"}, 1, "expired"),
        (
            {"code": "server_error", "message": "Model 'gpt-6-luna' not found. Use 'client…"},
            3, "model_not_found",
        ),
        ({"code": "server_error", "message": "The file of gpt-6-luna was not found"}, 7, "failed"),
        ({"code": "insufficient_quota", "message": "Nothing is left"}, 5, "quota"),
    ],
)  # fmt: skip
def test_in_the_middle_of_a_stream(
    cli: Cli, server: LoopbackServer, error: dict[str, Any], exit_code: int, code: str
) -> None:
    server.outcomes.append(outcomes.Trouble("error", 0, error={"error": error}))
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (exit_code, code)


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

    @pytest.mark.parametrize(
        ("told", "status", "sent"), [("false", 429, 1), ("false", 500, 1), ("true", 400, 3)]
    )
    def test_as_the_server_says(
        self, cli: Cli, server: LoopbackServer, told: str, status: int, sent: int
    ) -> None:
        refused = outcomes.http_error(status, headers={"x-should-retry": told})
        server.outcomes.extend([refused] * 3)
        assert cli("run", "CommitMessage", "-t", "x").code != 0
        assert len(server.requests) == sent

    @pytest.mark.parametrize("value", ["1e300", "99999999999", "Wed, 01 Jan 9999 00:00:00 GMT"])
    def test_a_wait_of_ages_is_not_printed(
        self, cli: Cli, server: LoopbackServer, value: str
    ) -> None:
        server.outcomes.append(outcomes.http_error(429, headers={"Retry-After": value}))
        ran = cli("run", "CommitMessage", "-t", "x", "--json")
        assert (ran.code, ran.error["hint"]) == (5, "try again in 168 hours, as the server asks")

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
