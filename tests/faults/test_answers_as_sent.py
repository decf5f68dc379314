"""Answers as servers and proxies send them: what can be understood is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import Reply

DELTA = {"type": "response.output_text.delta", "delta": "right"}
TEXT = {"type": "output_text", "text": "right", "annotations": []}
ITEM = {"type": "message", "role": "assistant", "content": [TEXT]}


def completed(**fields: Any) -> dict[str, Any]:
    response = {"id": "resp_1", "status": "completed", "output": [ITEM], **fields}
    return {"type": "response.completed", "response": response}


def stream(*events: dict[str, Any] | bytes) -> HttpAnswer:
    """Events as JSON; bytes as they are."""
    lines = [e if isinstance(e, bytes) else b"data: " + json.dumps(e).encode() for e in events]
    return HttpAnswer(Reply(b"\n\n".join([*lines, b""]), 200, "text/event-stream"))


def cited(annotations: object, **item: Any) -> dict[str, Any]:
    return {**ITEM, "content": [{**TEXT, "annotations": annotations}], **item}


FOUND = {
    "type": "file_search_call",
    "results": [
        {"file_id": "f1", "filename": "a.md", "score": "0.2", "text": "one", "attributes": []},
        {"file_id": "f1", "filename": "a.md", "score": 0.9, "text": "best", "attributes": {}},
        "odd",
    ],
}


@pytest.mark.parametrize(
    "events",
    [
        [b"data:", DELTA, b"data: ", completed()],
        [b": ping", b"event: ping\ndata: ", DELTA, completed()],
        [DELTA, completed(output=None)],
        [DELTA, completed(output=[])],
        [{"type": "response.output_item.done", "item": ITEM}, completed(output=None)],
        [{"type": "response.output_item.done", "item": ITEM}, completed(output=[])],
        [
            b'event: response.output_text.delta\ndata: {"delta": "right"}',
            b'event: response.completed\ndata: {"response": {"status": "completed"}}',
        ],
        [DELTA, completed(output=[5, "odd", None, ITEM])],
        [DELTA, completed(output=[cited(["odd", 5, None, {"type": 7}])])],
        [DELTA, completed(output=[cited("odd")])],
        [DELTA, completed(output=[cited([{"type": "file_citation"}])])],
        [DELTA, completed(output=[cited([{"type": "url_citation", "url": 5}])])],
        [DELTA, completed(output="odd")],
        [DELTA, completed(usage="odd")],
        [
            DELTA,
            completed(usage={"input_tokens": 1, "output_tokens": 2, "input_tokens_details": 5}),
        ],
        [DELTA, completed(model=5, id=7)],
        [b"event: ping\ndata: ping", DELTA, b"event: keepalive\ndata: {}", completed()],
        [b"data: null", DELTA, b"data: 5", {"type": ["odd"]}, {"odd": 1}, completed()],
        [b'data: {"type":"response.output_text.delta",\ndata: "delta":"right"}', completed()],
        [b"\xef\xbb\xbfdata: " + json.dumps(DELTA).encode(), completed(output=None)],
        [
            {"type": "response.output_item.added", "item": "odd"},
            {"type": "response.output_item.added", "item": {"phase": "commentary", "id": [1]}},
            {**DELTA, "item_id": {}},
            completed(output=None),
        ],
        [{**DELTA, "delta": {"text": "odd"}}, {**DELTA, "delta": 5}, completed()],
        [{"type": "response.refusal.delta", "delta": {}}, DELTA, completed()],
        [DELTA, {"type": "response.completed"}],
        [DELTA, {"type": "response.completed", "response": "odd"}],
        [{"type": "response.completed", "status": "completed", "output": [ITEM]}],
        [{"type": "response.output_text.done", "text": "right"}, completed(output=None)],
        [{**DELTA, "delta": "ri"}, completed(), {**DELTA, "delta": "ght"}],
        [completed(output=[{**ITEM, "content": "right"}])],
        [completed(output=[{**ITEM, "content": [{"type": "text", "text": "right"}]}])],
        [completed(output=[{**ITEM, "content": [{"type": "output_text", "text": None}, TEXT]}])],
        [completed(output=[{"role": "assistant", "content": [TEXT]}])],
        [DELTA, completed(output=[{**ITEM, "content": None}])],
        [DELTA, completed(usage={"input_tokens": 10**300, "output_tokens": 5})],
        [DELTA, completed(usage={"input_tokens": -1, "output_tokens": True})],
        [DELTA, completed(usage={"input_tokens": float("nan"), "output_tokens": float("inf")})],
        [DELTA, completed(max_output_tokens=-1, usage={"input_tokens": 1, "output_tokens": 2})],
    ],
    ids=str,
)
def test_are_understood(
    cli: Cli, server: LoopbackServer, events: Sequence[dict[str, Any] | bytes]
) -> None:
    server.outcomes.append(stream(*events))
    ran = cli("run", "CommitMessage", "-t", "x")
    assert (ran.code, ran.text) == (0, "right")


END = json.dumps(completed()).encode()
DIGITS = END.replace(b'"resp_1"', b"9" * 5000)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (
            b"data: " + json.dumps(DELTA).encode() + b"\r\rdata: " + END + b"\r\r",
            "text/event-stream",
        ),
        (b"data: " + json.dumps(DELTA).encode() + b"\ndata: " + END, "text/event-stream"),
        (b"data: " + DIGITS, "text/event-stream"),
        (json.dumps(DELTA).encode() + b"\n" + END, "application/x-ndjson"),
        (json.dumps(completed()["response"], indent=1).encode(), "text/plain"),
        (b"\xef\xbb\xbf" + json.dumps(completed()["response"]).encode(), "application/json"),
    ],
    ids=["returns", "no empty lines", "digits", "lines of JSON", "JSON as text", "with a mark"],
)
def test_bytes_are_understood(cli: Cli, server: LoopbackServer, body: bytes, kind: str) -> None:
    server.outcomes.append(HttpAnswer(Reply(body, 200, kind)))
    ran = cli("run", "CommitMessage", "-t", "x")
    assert (ran.code, ran.text) == (0, "right")


@pytest.mark.parametrize(
    ("last", "code", "said"),
    [
        ({"type": "response.failed"}, "failed", "no reason given"),
        ({"type": "response.failed", "response": {"error": {"message": "why"}}}, "failed", "why"),
        ({"type": "response.failed", "response": {"error": ["why"]}}, "failed", "why"),
        ({"type": "response.incomplete"}, "incomplete", "cut off"),
        (
            {"type": "response.incomplete", "response": {"incomplete_details": "its limit"}},
            "incomplete", "its limit",
        ),
        ({"type": "response.cancelled"}, "broken_off", "`cancelled`"),
        (completed(status="in_progress"), "broken_off", "`in_progress`"),
        (b"event: error\ndata: upstream is gone", "failed", "upstream is gone"),
        (b'event: error\ndata: "upstream is gone"', "failed", "upstream is gone"),
        (b"upstream is gone", "broken_off", "upstream is gone"),
        ({"error": {"detail": [{"loc": ["a", 0], "msg": "why"}]}}, "failed", "a.0: why"),
    ],
    ids=str,
)  # fmt: skip
def test_an_end_that_is_none(
    cli: Cli, server: LoopbackServer, last: dict[str, Any] | bytes, code: str, said: str
) -> None:
    """What was not finished is not taken for an answer."""
    server.outcomes.append(stream(DELTA, last))
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (7, code)
    assert said in ran.error["message"]


def test_words_instead_of_an_answer_are_shown(cli: Cli, server: LoopbackServer) -> None:
    server.outcomes.append(stream(b"data: no healthy upstream"))
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (1, "not_an_api")
    assert "`no healthy upstream`" in ran.error["message"]


@pytest.mark.parametrize("each", [False, True], ids=["run", "each"])
def test_a_first_event_that_is_cut_off_is_no_reason_to_doubt_the_url(
    cli: Cli, server: LoopbackServer, write: Write, *, each: bool
) -> None:
    """A server was killed while it sent it."""
    write("in/a.md", "a\n")
    server.outcomes.append(stream(b'data: {"type": "response.created", "resp'))
    if each:
        assert cli("run", "CommitMessage", "in", "--each", "-o", "out").code == 0
        return
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (7, "broken_off")
    assert "base URL" not in ran.error["hint"]


def test_odd_usage_does_no_harm_to_the_journal(cli: Cli, server: LoopbackServer) -> None:
    cached = {"cached_tokens": 500, "cache_write_tokens": "many"}
    counted = {"input_tokens": 10, "output_tokens": 2.0, "input_tokens_details": cached}
    server.outcomes.append(stream(DELTA, completed(usage=counted)))
    assert cli("run", "CommitMessage", "-t", "x").stderr == ""
    (line,) = cli("usage", "--json").json["usage"]
    assert (line["input_tokens"], line["cached_tokens"], line["output_tokens"]) == (10, 10, 2)


def test_a_refusal_is_one_where_the_end_does_not_repeat_it(
    cli: Cli, server: LoopbackServer
) -> None:
    refused = {**ITEM, "content": [{"type": "refusal", "refusal": "No."}]}
    item = {"type": "response.output_item.done", "item": refused}
    server.outcomes.append(stream(item, completed(output=None)))
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (7, "refused")


class TestCitations:
    def cites(self, cli: Cli, server: LoopbackServer, *events: dict[str, Any]) -> Any:
        server.outcomes.append(stream(*events))
        ran = cli("run", "CommitMessage", "-t", "x", "--json")
        assert ran.code == 0
        return ran.json["citations"]

    def test_collected_from_the_items(self, cli: Cli, server: LoopbackServer) -> None:
        annotation = {"type": "file_citation", "file_id": "f1", "filename": "a.md"}
        items = [
            {"type": "response.output_item.done", "item": item}
            for item in (FOUND, cited([annotation]))
        ]
        (citation,) = self.cites(cli, server, *items, completed(output=[]))
        assert (citation["path"], citation["quote"]) == ("a.md", "best")

    def test_a_name_that_is_missing_is_found_in_the_results(
        self, cli: Cli, server: LoopbackServer
    ) -> None:
        annotation = {"type": "file_citation", "file_id": "f1"}
        (citation,) = self.cites(cli, server, completed(output=[FOUND, cited([annotation])]))
        assert citation["path"] == "a.md"

    def test_or_asked_for(self, cli: Cli, server: LoopbackServer) -> None:
        file = {
            "object": "file", "id": "f2", "filename": "b.md", "bytes": 1, "created_at": 1,
            "purpose": "assistants",
        }  # fmt: skip
        server.disturb("GET", "/v1/files/f2", outcomes.http_error(200, body=file))
        annotation = {"type": "file_citation", "file_id": "f2"}
        (citation,) = self.cites(cli, server, completed(output=[cited([annotation])]))
        assert citation["path"] == "b.md"

    def test_or_the_id_stands_for_it(self, cli: Cli, server: LoopbackServer) -> None:
        annotation = {"type": "file_citation", "file_id": "f3"}
        (citation,) = self.cites(cli, server, completed(output=[cited([annotation])]))
        assert citation["path"] == "f3"


def test_words_after_half_an_answer_are_its_end(cli: Cli, server: LoopbackServer) -> None:
    server.outcomes.append(stream(DELTA, b"data: upstream connect error sk-test"))
    ran = cli("run", "CommitMessage", "-t", "x")
    assert (ran.code, ran.text) == (7, "right")
    assert "the answer broke off: the server sent `upstream connect error" in ran.stderr
    assert "base URL" not in ran.stderr


@pytest.mark.parametrize("called", [True, False])
def test_a_hosted_tool_that_is_passed_over_is_noted(
    cli: Cli, server: LoopbackServer, write: Write, *, called: bool
) -> None:
    """As by llama.cpp; an answer of a server that has it may show that it was called."""
    write("instructions/Seeker.toml", "instructions = 'Seek.'\n[tools]\nweb_search = true\n")
    output = [{"type": "web_search_call", "status": "completed"}, ITEM] if called else [ITEM]
    server.outcomes.append(stream(DELTA, completed(output=output)))
    ran = cli("run", "Seeker", "-t", "x")
    assert ran.text == "right"
    assert ("shows no sign of web search" in ran.stderr) != called


class TestVectors:
    """Embeddings of two texts, as other servers send them."""

    @pytest.fixture(autouse=True)
    def embedding(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        write("a.md", "alpha\n")
        write("b.md", "beta\n")
        monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "other")

    def created(self, cli: Cli, server: LoopbackServer, data: object) -> Any:
        reply = json.dumps({"data": data}).encode()
        server.disturb(
            "POST", "/v1/embeddings", HttpAnswer(Reply(reply, 200, "application/json")), times=9
        )
        return cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md", "b.md", "--json")

    @pytest.mark.parametrize(
        "data",
        [
            [{"embedding": [1, 0]}, {"embedding": [0, 1.5]}],
            [{"index": None, "embedding": [1, 0]}, {"index": None, "embedding": [0, 1.5]}],
            [{"index": 1, "embedding": "AACAPwAAAAA="}, {"index": 0, "embedding": "AACAPwAAAAA="}],
        ],
    )
    def test_are_understood(self, cli: Cli, server: LoopbackServer, data: object) -> None:
        assert self.created(cli, server, data).code == 0

    @pytest.mark.parametrize(
        "data",
        [
            None,
            [{"embedding": [1, 0]}],
            [{"embedding": [1, 0]}, {"embedding": None}],
            [{"embedding": [1, 0]}, {"embedding": [1, 0, 0]}],
            [{"embedding": [1, 0]}, {"embedding": ["1", "0"]}],
            [{"embedding": [1, 0]}, {"embedding": [float("nan"), 0]}],
            [{"embedding": "odd"}, {"embedding": "odd"}],
        ],
        ids=str,
    )
    def test_or_refused(self, cli: Cli, server: LoopbackServer, data: object) -> None:
        ran = self.created(cli, server, data)
        assert (ran.code, ran.error["code"] in ("not_an_api", "service_error")) == (1, True)

    def test_a_model_that_is_missing(self, cli: Cli, server: LoopbackServer) -> None:
        missing = outcomes.http_error(404, body={"error": "model 'other' not found"})
        server.disturb("POST", "/v1/embeddings", missing, times=9)
        ran = cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md", "--json")
        assert (ran.code, ran.error["code"]) == (3, "model_not_found")
        assert "the `embedding_model` of the profile" in ran.error["message"]
