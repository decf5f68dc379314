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
    ],
    ids=str,
)
def test_are_understood(
    cli: Cli, server: LoopbackServer, events: Sequence[dict[str, Any] | bytes]
) -> None:
    server.outcomes.append(stream(*events))
    ran = cli("run", "CommitMessage", "-t", "x")
    assert (ran.code, ran.text) == (0, "right")


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
