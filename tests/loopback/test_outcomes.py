"""Each scripted outcome and each disturbance, as a client meets it."""

from __future__ import annotations

import contextlib
import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from openai import OpenAI

from . import LoopbackServer, outcomes
from .driving import MODEL, TEXT_STREAM, ask, deltas, stream


class TestOutcomes:
    def test_one_for_each_request(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.extend([outcomes.answer("one"), outcomes.http_error(500)])

        assert ask(client).output_text == "one"
        with pytest.raises(openai.InternalServerError):
            ask(client)
        assert ask(client).output_text == "hello there"

    def test_citations(self, server: LoopbackServer, client: OpenAI) -> None:
        web = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
        server.outcomes.extend([outcomes.answer("x", [("file-1", "a.md"), web])] * 2)
        events = stream(client)

        assert [e.type for e in events].count("response.output_text.annotation.added") == 2
        for response in (events[-1].response, ask(client)):
            first, second = response.output[0].content[0].annotations
            assert (first.file_id, first.filename, second.url) == ("file-1", "a.md", "u")

    def test_refusal(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.extend([outcomes.refusal("I won't do it.")] * 2)
        events = stream(client)

        refused = [e.delta for e in events if e.type == "response.refusal.delta"]
        assert "".join(refused) == "I won't do it."
        assert "response.refusal.done" in [e.type for e in events]
        assert ask(client).output[0].content[0].refusal == "I won't do it."

    def test_incomplete(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.extend([outcomes.incomplete("content_filter", "hal")] * 2)
        events = stream(client)

        assert events[-1].type == "response.incomplete"
        for response in (events[-1].response, ask(client)):
            assert (response.status, response.output_text) == ("incomplete", "hal")
            assert response.incomplete_details.reason == "content_filter"
            assert response.completed_at is None

    def test_failed(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.extend([outcomes.failed("server_error", "no")] * 2)
        events = stream(client)

        assert [event.type for event in events][2:] == ["response.failed"]
        for response in (events[-1].response, ask(client)):
            assert (response.status, response.error.message) == ("failed", "no")
            assert response.output == []

    def test_empty_and_late(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.extend([outcomes.empty_answer(), outcomes.late_text("late")])
        empty, late = stream(client), stream(client)

        assert deltas(empty) == empty[-1].response.output_text == ""
        assert [event.type for event in late] == TEXT_STREAM[:2] + TEXT_STREAM[-1:]
        assert late[-1].response.output_text == "late"

    def test_commentary(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.append(outcomes.with_commentary("Thinking.", "Done."))
        output = stream(client)[-1].response.output

        assert [(item.phase, item.content[0].text) for item in output] == [
            ("commentary", "Thinking."), ("final_answer", "Done."),
        ]  # fmt: skip

    def test_http_errors(self, server: LoopbackServer, client: OpenAI) -> None:
        waits = {"Retry-After": "7"}
        server.outcomes.extend([
            outcomes.http_error(429, "insufficient_quota", "pay", "quota", waits),
            outcomes.http_error(502, body="<html>Bad gateway</html>"),
            outcomes.http_error(400, body={"detail": "odd"}),
            outcomes.http_error(529),
        ])  # fmt: skip
        errors: list[Any] = []
        for _ in range(4):
            with pytest.raises(openai.APIStatusError) as caught:
                stream(client)
            errors.append(caught.value)

        assert (errors[0].code, errors[0].type) == ("insufficient_quota", "quota")
        assert errors[0].response.headers["retry-after"] == "7"
        assert "text/html" in errors[1].response.headers["content-type"]
        assert errors[2].body == {"detail": "odd"}
        assert [error.status_code for error in errors] == [429, 502, 400, 529]

    def test_flat_error_event(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.append(outcomes.stream_error_event(code="c", message="m"))
        *before, last = stream(client)

        assert (last.type, last.code, last.message) == ("error", "c", "m")
        assert last.sequence_number == len(before)
        assert deltas(before) == "hello t"

    def test_nested_error_event(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.append(outcomes.stream_error_event(flat=False, code="c", message="m"))
        with pytest.raises(openai.APIError, match="m") as caught:
            stream(client)
        assert caught.value.code == "c"

    def test_error_event_without_a_stream(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.extend(
            outcomes.stream_error_event(flat=flat, code="c") for flat in (True, False)
        )
        for _ in range(2):
            with pytest.raises(openai.InternalServerError) as caught:
                ask(client)
            assert caught.value.code == "c"

    @pytest.mark.parametrize(("n_deltas", "seen"), [(0, ""), (1, "hello t"), (9, "hello there")])
    def test_broken_stream(
        self, server: LoopbackServer, client: OpenAI, n_deltas: int, seen: str
    ) -> None:
        server.outcomes.append(outcomes.stream_breaks_after(n_deltas))
        pieces: list[Any] = []
        with (
            client.responses.create(model=MODEL, input="hello there", stream=True) as events,
            pytest.raises(openai.APIConnectionError),
        ):
            pieces.extend(events)
        assert deltas(pieces) == seen
        assert server.responses == {}

    def test_broken_body(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.append(outcomes.stream_breaks_after(1))
        with pytest.raises(openai.APIConnectionError):
            ask(client)

    def test_garbage(self, server: LoopbackServer, client: OpenAI) -> None:
        server.outcomes.extend([outcomes.garbage_stream()] * 2)
        for attempt in (stream, ask):
            with pytest.raises(ValueError):
                attempt(client)

    @pytest.mark.parametrize("keepalive", [True, False])
    def test_never_ends(self, server: LoopbackServer, client: OpenAI, keepalive: bool) -> None:
        server.outcomes.append(outcomes.never_ends(keepalive=keepalive, interval=0.01, after=1))
        body = json.dumps({"model": MODEL, "input": "hello there", "stream": True})
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.2)
        connection.request("POST", "/v1/responses", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        lines: list[bytes] = []
        with contextlib.suppress(TimeoutError):
            while lines.count(b": keepalive\n") < 3:
                lines.append(response.readline())
        response.close()
        connection.close()

        assert lines.count(b"event: response.output_text.delta\n") == 1
        assert lines.count(b": keepalive\n") == (3 if keepalive else 0)
        assert ask(client).output_text

    @pytest.mark.parametrize(
        "outcome", [outcomes.hangs(), outcomes.never_ends(), outcomes.never_ends(keepalive=False)]
    )
    def test_silence_without_a_stream(
        self, server: LoopbackServer, client: OpenAI, outcome: outcomes.Outcome
    ) -> None:
        server.outcomes.append(outcome)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(ask, client)
            with pytest.raises(TimeoutError):
                waiting.result(0.1)
            server.close()
            with pytest.raises(openai.APIConnectionError):
                waiting.result(2)


class TestDisturbances:
    def test_a_reply_is_lost(self, server: LoopbackServer, client: OpenAI) -> None:
        server.disturb("POST", "/v1/vector_stores", done=True)
        with pytest.raises(openai.APIConnectionError):
            client.vector_stores.create(name="made")
        assert [store.name for store in client.vector_stores.list()] == ["made"]

    def test_nothing_is_done(self, server: LoopbackServer, client: OpenAI) -> None:
        server.disturb("POST", "/v1/vector_*", outcomes.http_error(503), times=2)
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                client.vector_stores.create(name="not made")
        assert server.stores == {}
        assert client.vector_stores.create(name="made").name == "made"
