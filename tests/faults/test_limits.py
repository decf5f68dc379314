"""What a server sends has an end: in bytes, in objects, in time. The error names the limit."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gptasst.api import connection, limits
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import Reply

STORE = {"object": "vector_store", "name": "x", "metadata": {}, "created_at": 1}
FILE = {"object": "file", "filename": "x", "bytes": 1, "purpose": "user_data", "created_at": 1}
BATCH = {"object": "batch", "status": "completed", "created_at": 1, "input_file_id": "f"}
DEEP = b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
LONGEST = 20.0  # seconds; what is held up at all is held up for minutes


def sent(body: Iterator[bytes] | bytes, kind: str = "application/json", **headers: str) -> Any:
    return HttpAnswer(Reply(body, 200, kind, headers))


@dataclass
class EndlessList:
    """A page that goes on with another one, forever."""

    of: dict[str, Any]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def reply(self) -> Reply:
        data = [{"id": f"x_{next(self.numbers)}", **self.of} for _ in range(100)]
        page = {"object": "list", "data": data, "has_more": True, "last_id": data[-1]["id"]}
        return Reply(json.dumps(page).encode())


@pytest.mark.parametrize(
    ("path", "of", "words"),
    [
        ("/v1/vector_stores", STORE, "assistant list"),
        ("/v1/files", FILE, "file list"),
        ("/v1/batches", BATCH, "batch list"),
    ],
)
def test_lists_of_ever_new_objects(
    cli: Cli,
    project: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    of: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.setattr(connection, "MAX_ITEMS", 250)
    endless: Any = EndlessList(of)
    project.disturb("GET", path, endless, times=1_000_000)
    ran = cli(*words.split(), "--json")
    assert (ran.code, ran.error["code"]) == (1, "too_much")
    assert "sends more than 250 objects in one list" in ran.error["message"]
    assert len([request for request in project.requests if request.path == path]) == 3


def test_lists_that_take_for_ever(
    cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_TIMEOUT", "0.3")
    endless: Any = EndlessList(STORE)
    project.disturb("GET", "/v1/vector_stores", endless, times=1_000_000)
    ran = cli("assistant", "list", "--json")
    assert (ran.code, ran.error["code"]) == (1, "timeout")
    assert "sent no whole list within 0.3 s" in ran.error["message"]


def forever(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


def drip() -> Iterator[bytes]:
    while True:
        time.sleep(0.02)
        yield b" "


class TestTime:
    @pytest.mark.parametrize("words", ["run Docs -t x", "run Docs -t x -c"])
    def test_a_lookup_that_drips(self, cli: Cli, project: LoopbackServer, words: str) -> None:
        """It is the whole command that has so much time."""
        assert cli("assistant", "create", "Docs", "-i", "DocWriter").code == 0
        project.disturb("GET", "*", sent(drip()), times=1_000_000)
        begun = time.monotonic()
        ran = cli(*words.split(), "--timeout", "0.4", "--json")
        assert (ran.code, ran.error["code"]) == (1, "timeout")
        assert "gave no whole answer within 0.4 s" in ran.error["message"]
        assert "--timeout SECONDS" in ran.error["hint"]
        assert time.monotonic() - begun < LONGEST

    def test_a_lookup_that_drips_without_such_a_limit(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GPTASST_TIMEOUT", "0.3")
        project.disturb("GET", "*", sent(drip()), times=1_000_000)
        ran = cli("assistant", "list", "--json")
        assert (ran.code, ran.error["code"]) == (1, "timeout")
        assert "did not answer within 0.3 s" in ran.error["message"]

    def test_an_answer_after_slow_lookups(self, cli: Cli, project: LoopbackServer) -> None:
        assert cli("assistant", "create", "Docs", "-i", "DocWriter").code == 0
        project.outcomes.append(outcomes.never_ends())
        ran = cli("run", "Docs", "-t", "x", "--timeout", "0.4", "--json")
        assert (ran.code, ran.error["code"]) == (1, "timeout")
        assert "within 0.4 s" in ran.error["message"]

    def test_what_came_of_an_answer_is_kept_all_the_same(
        self, cli: Cli, project: LoopbackServer
    ) -> None:
        project.outcomes.append(outcomes.never_ends(after=1))
        ran = cli("run", "DocWriter", "-t", "one two three", "-c", "--timeout", "1.5")
        assert (ran.code, ran.text) == (1, "one two")
        (conversation,) = project.conversations.values()
        assert len(conversation.items) == 2

    def test_headers_that_drip(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                client, _ = listening.accept()
                with client:
                    client.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                    while not over.wait(0.02):
                        try:
                            client.sendall(b"x")
                        except OSError:
                            break

        with socket.create_server(("127.0.0.1", 0)) as listening:
            threading.Thread(target=serve, daemon=True).start()
            base_url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
            monkeypatch.setenv("OPENAI_BASE_URL", base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
            monkeypatch.setenv("GPTASST_TIMEOUT", "0.3")
            ran = cli("assistant", "list", "--json")
            over.set()
        assert (ran.code, ran.error["code"]) == (1, "timeout")
        assert "within 0.3 s" in ran.error["message"]

    def test_a_file_that_drips(
        self, cli: Cli, project: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("a.md", "text\n")
        assert cli("run", "DocWriter", "a.md", "--each", "--batch", "-o", "out").code == 0
        (batch,) = project.batches
        monkeypatch.setenv("GPTASST_TIMEOUT", "0.3")
        project.disturb("GET", "*/content", sent(drip()), times=1_000_000)
        ran = cli("batch", "fetch", batch, "--json")
        assert (ran.code, ran.error["code"]) == (1, "timeout")
        assert "sends less than 10,000 bytes a second" in ran.error["message"]


class TestBytes:
    def test_a_reply_that_unpacks_to_a_thousand_times_its_size(
        self, cli: Cli, project: LoopbackServer
    ) -> None:
        packed = gzip.compress(b" " * (limits.MAX_REPLY + 1), 1)
        bomb = sent(packed, **{"Content-Encoding": "gzip"})
        project.disturb("GET", "*", bomb, times=1_000_000)
        ran = cli("assistant", "list", "--json")
        assert (ran.code, ran.error["code"]) == (1, "too_much")
        assert "sends more than 64 MiB in one reply" in ran.error["message"]
        assert len(project.requests) == 1

    @pytest.mark.parametrize(
        ("piece", "said"),
        [
            (b"x" * 1_000_000, "more than 32 MiB in one line"),
            (
                b'data: {"type": "response.output_text.delta", "delta": "%b"}\n\n' % (b"x" * 10**6),
                "an answer of more than 16,777,216 characters",
            ),
        ],
    )
    def test_an_answer_without_end(
        self, cli: Cli, server: LoopbackServer, piece: bytes, said: str
    ) -> None:
        server.outcomes.append(sent(forever(piece), "text/event-stream"))
        ran = cli("run", "DocWriter", "-t", "x", "-o", "out.md", "--json")
        assert (ran.code, ran.error["code"]) == (1, "too_much")
        assert said in ran.error["message"]
        assert not Path("out.md").exists()

    def test_events_without_end(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gptasst.api.gateway.MAX_EVENTS", 1 << 20)
        piece = b": keep-alive\n" * 10_000
        server.outcomes.append(sent(forever(piece), "text/event-stream"))
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (1, "too_much")
        assert "more than 1 MiB in one reply" in ran.error["message"]

    def test_a_line_of_a_batch_without_end(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "text\n")
        assert cli("run", "DocWriter", "a.md", "--each", "--batch", "-o", "out").code == 0
        (batch,) = project.batches
        endless = sent(forever(b"x" * 1_000_000))
        project.disturb("GET", "*/content", endless, times=1_000_000)
        ran = cli("batch", "fetch", batch, "--json")
        assert (ran.code, ran.error["code"]) == (1, "too_much")
        assert "more than 32 MiB in one line" in ran.error["message"]


class TestDepth:
    def test_of_a_list(self, cli: Cli, project: LoopbackServer) -> None:
        project.disturb("GET", "*", sent(DEEP), times=1_000_000)
        ran = cli("assistant", "list", "--json")
        assert (ran.code, ran.error["code"]) == (1, "not_an_api")
        assert "JSON that is nested too deeply" in ran.error["message"]

    @pytest.mark.parametrize(
        ("body", "kind"),
        [(DEEP, "application/json"), (b"data: " + DEEP + b"\n\n", "text/event-stream")],
    )
    def test_of_an_answer(self, cli: Cli, server: LoopbackServer, body: bytes, kind: str) -> None:
        server.outcomes.append(sent(body, kind))
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (1, "not_an_api")
        assert "JSON that is nested too deeply" in ran.error["message"]

    def test_of_an_answer_that_has_to_fit_a_schema(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("schema.json", '{"type": "object"}')
        server.outcomes.append(outcomes.late_text(DEEP.decode()))
        ran = cli("run", "DocWriter", "-t", "x", "--schema", "schema.json", "--json")
        assert (ran.code, ran.error["code"]) == (7, "schema_mismatch")
        assert "nested too deeply" in ran.error["message"]

    def test_of_an_error(self, cli: Cli, server: LoopbackServer) -> None:
        server.outcomes.append(HttpAnswer(Reply(DEEP, 400)))
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert (ran.code, "Traceback" in ran.stderr) == (1, False)
