"""Answers that don't come as they should, in everything that asks a model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import Reply

LONG = "one two three four"
# A stream, how the command ends that reads one answer, its code, and what came of the answer.
Trouble = tuple[outcomes.Outcome, int, str, str]
TROUBLES: dict[str, Trouble] = {
    "stops": (outcomes.stream_breaks_after(1, LONG), 7, "broken_off", "one two"),
    "stops before it begins": (outcomes.stream_breaks_after(0, LONG), 7, "broken_off", ""),
    "garbage": (outcomes.garbage_stream(), 7, "broken_off", ""),
    "flat error": (outcomes.stream_error_event(), 7, "failed", "hello t"),
    "nested error": (outcomes.stream_error_event(flat=False), 7, "failed", "hello t"),
    "limit in the stream": (
        outcomes.stream_error_event(code="rate_limit_exceeded"), 5, "rate_limited", "hello t",
    ),
    "signs of life for ever": (outcomes.never_ends(after=1), 1, "timeout", "hello t"),
    "silence": (outcomes.never_ends(keepalive=False, after=1), 1, "timeout", "hello t"),
    "no response at all": (outcomes.hangs(), 1, "timeout", ""),
    "web page": (outcomes.http_error(200, body="<html>"), 1, "not_an_api", ""),
    "words": (HttpAnswer(Reply(b"Hello there.", 200, "text/plain")), 1, "not_an_api", ""),
    "an object of something else": (
        outcomes.http_error(200, body={"service": "ready"}), 1, "not_an_api", "",
    ),
    "an error that is called a success": (
        outcomes.http_error(200, body={"error": "Unexpected endpoint."}), 7, "failed", "",
    ),
    "a number for an item": (
        outcomes.http_error(200, body={"output": [5]}), 1, "not_an_api", "",
    ),
    "no text in a part": (
        outcomes.http_error(
            200, body={"output": [{"type": "message", "content": [{"type": "output_text"}]}]}
        ), 1, "not_an_api", "",
    ),
    "words for an error": (
        outcomes.http_error(200, body={"status": "failed", "error": "Boom."}), 7, "failed", "",
    ),
    "an error without words": (
        outcomes.http_error(200, body={"status": "failed", "error": {"code": "x"}}),
        7, "failed", "",
    ),
}  # fmt: skip
LIMIT = "0.4"


@pytest.fixture(params=TROUBLES)
def trouble(request: pytest.FixtureRequest) -> Trouble:
    return TROUBLES[request.param]


@pytest.fixture
def asked(cli: Cli, trouble: Trouble, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """As `cli`, with a limit where nothing else would end it."""

    def run(*words: str | Path, stdin: bytes | None = None) -> Ran:
        if trouble[2] == "timeout":
            monkeypatch.setenv("GPTASST_TIMEOUT", LIMIT)
        ran = cli(*words, stdin=stdin)
        monkeypatch.delenv("GPTASST_TIMEOUT", raising=False)
        return ran

    return run


def failed(ran: Ran, code: int, error: str) -> None:
    assert (ran.code, ran.error["code"]) == (code, error)
    assert "Traceback" not in ran.stderr


def test_into_a_file(asked: Cli, server: LoopbackServer, write: Write, trouble: Trouble) -> None:
    outcome, code, error, _ = trouble
    server.outcomes.extend([outcome] * 3)
    old = write("out.md", "old")
    failed(asked("run", "CommitMessage", "-t", "hello there", "-o", old, "--json"), code, error)
    assert old.read_text() == "old"
    assert [path.name for path in Path().iterdir()] == ["out.md"]


def test_to_stdout(asked: Cli, server: LoopbackServer, trouble: Trouble) -> None:
    """What came is there, byte for byte, and the error is elsewhere."""
    outcome, code, _, came = trouble
    server.outcomes.extend([outcome] * 3)
    ran = asked("run", "CommitMessage", "-t", "hello there")
    assert (ran.code, ran.text) == (code, came)
    assert ran.stderr.startswith("error: ")


@pytest.mark.parametrize("words", ["run DocWriter -c", "chat DocWriter -c"])
def test_in_a_conversation(
    cli: Cli,
    asked: Cli,
    project: LoopbackServer,
    trouble: Trouble,
    words: str,
) -> None:
    """Each question is there once, with the answer, or as much of it as came."""
    outcome, code, error, came = trouble
    text = ["-t", "hello there"] if words.startswith("run") else []
    assert cli("run", "DocWriter", "-c", "-t", "first").code == 0
    project.outcomes.extend([outcome] * 3)
    ran = asked(*words.split(), *text, "--json", stdin=b"hello there\n")
    failed(ran, code, error)
    project.outcomes.clear()
    (conversation,) = project.conversations.values()
    said = [item["content"] for item in conversation.items if item.get("role") == "user"]
    assert [part[0]["text"] for part in said] == ["first"] + ["hello there"] * bool(came)
    assert len(conversation.items) == (4 if came else 2)


def test_one_of_many(
    cli: Cli, asked: Cli, server: LoopbackServer, trouble: Trouble, write: Write
) -> None:
    """The others are written, and the same command asks for this one only."""
    outcome, *_ = trouble
    for name in ("a", "b"):
        write(f"in/{name}.md", f"text {name}\n")
    server.outcomes.extend([outcome, outcomes.answer("right")])
    words = ("run", "CommitMessage", "in", "--each", "-o", "out", "-j", "1", "--json")
    ran = asked(*words)
    server.outcomes.clear()
    if ran.code == 0:  # it was asked for again by itself
        assert len(list(Path("out").iterdir())) == 2
        return
    assert ran.code in (1, 6)
    sent = len(server.requests)
    assert cli(*words).code == 0
    assert len(server.requests) - sent <= 2
    assert len(list(Path("out").iterdir())) == 2


def test_what_a_chat_advises_is_there_in_a_chat(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_TIMEOUT", LIMIT)
    server.outcomes.append(outcomes.never_ends())
    ran = cli("chat", "DocWriter", "--json", stdin=b"one\n")
    assert ran.error["code"] == "timeout"
    assert "GPTASST_TIMEOUT" in ran.error["hint"]  # it has no option --timeout


def test_a_chat_that_fails_midway_tells_what_was_answered(cli: Cli, server: LoopbackServer) -> None:
    server.outcomes.extend([outcomes.answer("first answer"), outcomes.refusal("No.")])
    ran = cli("chat", "DocWriter", "--json", stdin=b"one\ntwo\n")
    assert (ran.code, ran.error["code"]) == (7, "refused")
    assert [result["answer"] for result in ran.json["results"]] == ["first answer"]
    assert ran.json["conversation"]["messages"] == 2


def test_tokens_that_are_no_numbers_are_unknown(cli: Cli, server: LoopbackServer) -> None:
    parts = [{"type": "output_text", "text": "right"}]
    body = {"output": [{"type": "message", "content": parts}], "usage": {"input_tokens": "many"}}
    server.outcomes.append(outcomes.http_error(200, body=body))
    ran = cli("run", "CommitMessage", "-t", "x", "--verbose")
    assert (ran.code, ran.text) == (0, "right")
    assert "tokens unknown" in ran.stderr


def test_a_server_that_reports_no_tokens(cli: Cli, server: LoopbackServer, write: Write) -> None:
    """As open-responses-server: the summary of many files doesn't call them 0."""
    write("in/a.txt", "a\n")
    parts = [{"type": "output_text", "text": "right"}]
    body = {"output": [{"type": "message", "content": parts}], "usage": None}
    server.outcomes.append(outcomes.http_error(200, body=body))
    ran = cli("run", "CommitMessage", "--each", "-f", "in", "-o", "out/")
    assert ran.code == 0
    assert "1 file: 1 written; 1 request, " in ran.stderr
    assert "token" not in ran.stderr


@pytest.fixture
def without_a_length(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server whose answers end with the connection, and whose stream does not end at all."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):  # in HTTP/1.0
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b'data: {"type": "response.output_text.delta", "delta": "half"}\n\n')
            over.wait()

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        try:
            yield
        finally:
            over.set()
            server.shutdown()


@pytest.mark.usefixtures("without_a_length")
def test_a_deadline_is_not_taken_for_the_end_of_a_stream(cli: Cli) -> None:
    ran = cli("run", "CommitMessage", "-t", "x", "-m", "m", "--timeout", "2")
    assert (ran.code, ran.text) == (1, "half")
    assert "no whole answer within 2 s" in ran.stderr
