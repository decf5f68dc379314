"""Responses as servers, gateways and attackers send them, byte by byte, to both HTTP clients."""

from __future__ import annotations

import gzip
import json
import os
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gptasst.api.connection import Connection, read_json
from gptasst.api.context_windows import ContextWindows
from gptasst.api.http import ConnectionFailure, StatusFailure, TimedOut
from gptasst.api.limits import OverLimit, patience
from gptasst.api.types import Endpoint
from gptasst.errors import ServiceError
from tests.conftest import Cli
from tests.processes import LIMIT

BODY = {"data": "words"}
JSON = json.dumps(BODY).encode()
RAW_DEFLATE = zlib.compressobj(wbits=-zlib.MAX_WBITS)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HANG_UP = b""


def sized(body: bytes = JSON, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n", head: bytes = HEAD) -> bytes:
    sent = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + sent + end


class RawServer:
    """Sends scripted bytes; each connection has its own script, one reply for each request.

    Attributes:
        scripts: of the connections to come; an empty reply hangs up.
        requests: as they came, without their bodies.
        connections: how many there were.
    """

    def __init__(self) -> None:
        self.scripts: list[list[bytes]] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self._serving: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connected,), daemon=True)
            self._serving.append(thread)
            thread.start()

    def wait_for_end(self) -> None:
        """Wait until all connections so far are closed."""
        for thread in self._serving:
            thread.join(LIMIT)

    def _serve(self, connected: socket.socket) -> None:
        script = self.scripts.pop(0) if self.scripts else [b""]  # too many: hang up
        with connected, connected.makefile("rb") as lines:
            for reply in script:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = lines.readline()
                    if not line:
                        return
                    head += line
                self.requests.append(head)
                size = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
                lines.read(int(size or 0))
                if not reply:
                    return
                connected.sendall(reply)
            if script[-1].endswith(b"..."):  # goes on for ever, without the dots
                while lines.readline():
                    pass

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)  # ends the wait for a connection
        self._listening.close()


@pytest.fixture
def raw() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


@pytest.fixture(params=["http.client", "httpx2"])
def connect(
    raw: RawServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Connection]]:
    """Connections to the server, each with one of the two clients."""
    if request.param == "httpx2":
        monkeypatch.setattr("gptasst.api.clients.may_have_proxy", lambda _: True)
    opened = []

    def connect(**options: Any) -> Connection:
        opened.append(Connection(Endpoint(raw.url, "raw", **options), retries=False))
        name = type(opened[-1]._http).__name__
        assert name == {"http.client": "PlainClient", "httpx2": "LimitedClient"}[request.param]
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


WHOLE = {
    "with a length": sized(),
    "in chunks": chunked(JSON[:3], JSON[3:]),
    "in chunks with extensions and trailers": chunked(
        end=b"%x;a=b\r\n%s\r\n0;last\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n" % (len(JSON), JSON)
    ),
    "until it hangs up": HEAD + b"\r\n" + JSON,
    "as HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + JSON,
    "without a reason": sized(head=b"HTTP/1.1 200\r\nContent-Type: application/json\r\n"),
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\n" + sized(),
    "after 103, twice": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + sized(),
    "compressed": sized(gzip.compress(JSON), HEAD + b"Content-Encoding: gzip\r\n"),
    "compressed in chunks": chunked(
        *(bytes([byte]) for byte in gzip.compress(JSON)), head=HEAD + b"Content-Encoding: GZIP\r\n"
    ),
    "deflated": sized(zlib.compress(JSON), HEAD + b"Content-Encoding: deflate\r\n"),
    "deflated without a head": sized(
        RAW_DEFLATE.compress(JSON) + RAW_DEFLATE.flush(), HEAD + b"Content-Encoding: deflate\r\n"
    ),
    "compressed twice": sized(
        gzip.compress(zlib.compress(JSON)), HEAD + b"Content-Encoding: deflate, gzip\r\n"
    ),
    "with an encoding that is none": sized(head=HEAD + b"Content-Encoding: identity\r\n"),
    "with many headers": sized(head=HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(60))),
    "with its length in a list": HEAD + b"Content-Length: 17, 17\r\n\r\n" + JSON,
    "with a folded header": sized(head=HEAD + b"X-Long: a\r\n b\r\n"),
}


@pytest.mark.parametrize("reply", WHOLE.values(), ids=WHOLE)
def test_whole(raw: RawServer, connection: Connection, reply: bytes) -> None:
    raw.scripts = [[reply]]
    assert connection.get("/things", {"limit": 2, "after": "a b&c"}) == BODY
    assert raw.requests[0].startswith(b"GET /v1/things?limit=2&after=a+b%26c HTTP/1.1\r\n")


CUT_OFF = {
    "before anything": HANG_UP,
    "in its head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "in a body with a length": sized()[:-1],
    "before a body with a length": sized()[: -len(JSON)],
    "in a chunk": chunked(JSON)[:-12],
    "between chunks": chunked(JSON, end=b""),
    "in the size of a chunk": chunked(JSON, end=b"1"),
}


@pytest.mark.parametrize("reply", CUT_OFF.values(), ids=CUT_OFF)
@pytest.mark.parametrize("stream", [False, True])
def test_cut_off(raw: RawServer, connection: Connection, reply: bytes, *, stream: bool) -> None:
    """Never taken for whole, even where it is JSON up to there."""
    raw.scripts = [[reply]]
    with pytest.raises(ConnectionFailure) as raised:
        b"".join(connection.send("GET", "/things", stream=stream).iter_bytes())
    assert str(raised.value) or str(raised.value.__cause__)


NOT_HTTP = {
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "nonsense": b"\xff\xfe\x00 nonsense\r\n\r\n",
    "a chunk of no size": chunked(end=b"words\r\nwords\r\n0\r\n\r\n"),
    "compressed nonsense": sized(b"\x1fnonsense", HEAD + b"Content-Encoding: gzip\r\n"),
    "a header for ever": HEAD + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n",
    "two lengths": sized(head=HEAD + b"Content-Length: 3\r\n"),
    "a length in words": HEAD + b"Content-Length: many\r\n\r\n" + JSON,
    "a header without a colon": sized(head=HEAD + b"words\r\n"),
    "a coding that was not asked for": sized(head=HEAD + b"Transfer-Encoding: gzip, chunked\r\n"),
    "headers for ever": HEAD + b"X-Many: 1\r\n" * 20_000 + b"\r\n",
}


@pytest.mark.parametrize("reply", NOT_HTTP.values(), ids=NOT_HTTP)
def test_not_http(raw: RawServer, connection: Connection, reply: bytes) -> None:
    raw.scripts = [[reply]]
    with pytest.raises((ConnectionFailure, OverLimit)):
        connection.get("/things")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"X-Many: 1\r\n" * 101, "more than 100 headers"),
        (b"X-Long: " + b"x" * 70_000 + b"\r\n", "a header of more than 64 KiB"),
    ],
)
def test_too_many_headers(
    cli: Cli, raw: RawServer, monkeypatch: pytest.MonkeyPatch, head: bytes, said: str
) -> None:
    """The error names what the server did, and does not doubt that one runs there."""
    monkeypatch.setenv("OPENAI_BASE_URL", raw.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("GPTASST_STORE", "local")
    raw.scripts = [[sized(head=HEAD + head)]]
    ran = cli("run", "DocWriter", "-t", "x", "-m", "m", "--json")
    assert (ran.code, ran.error["code"], ran.error["hint"]) == (1, "too_much", None)
    assert ran.error["message"] == f"{raw.url} sends {said}; that is more than gptasst reads"


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 103 Early Hints\r\n\r\n...",
        HEAD + b"...",
        chunked(JSON, end=b"1\r\n..."),
        sized()[:-1] + b"...",
    ],
    ids=["interim", "head", "chunk", "body"],
)
def test_that_never_goes_on(raw: RawServer, connection: Connection, reply: bytes) -> None:
    raw.scripts = [[reply.removesuffix(b"..."), b"..."], []]
    with pytest.raises((TimedOut, OverLimit)):
        connection.get("/things", limits=patience(0.05))


def test_a_bomb_is_never_in_memory(raw: RawServer, connection: Connection) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    raw.scripts = [[sized(bomb, HEAD + b"Content-Encoding: gzip\r\n")]]
    with pytest.raises(OverLimit, match="more than 1 MiB"):
        connection.get("/things", limits=patience(LIMIT, most=1 << 20))


class TestGzip:
    """httpx2's own decoder takes a part for the whole."""

    @pytest.mark.parametrize("pieces", [1, 1000])
    def test_of_several_members(self, raw: RawServer, connection: Connection, pieces: int) -> None:
        body = gzip.compress(JSON[:5]) + gzip.compress(JSON[5:]) + bytes(9)
        size = -(-len(body) // pieces)
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        raw.scripts = [[chunked(*chunks, head=HEAD + b"Content-Encoding: gzip\r\n")]]
        assert connection.get("/things") == BODY

    @pytest.mark.parametrize("missing", [1, 8, 20])
    def test_cut_off(self, raw: RawServer, connection: Connection, missing: int) -> None:
        body = gzip.compress(JSON)[:-missing]
        raw.scripts = [[sized(body, HEAD + b"Content-Encoding: gzip\r\n")]]
        with pytest.raises(ConnectionFailure):
            connection.get("/things")

    def test_followed_by_far_too_much(self, raw: RawServer, connection: Connection) -> None:
        body = gzip.compress(JSON) + bytes(3 << 20)
        raw.scripts = [[sized(body, HEAD + b"Content-Encoding: gzip\r\n")]]
        with pytest.raises(OverLimit, match="more than 1 MiB"):
            connection.get("/things", limits=patience(LIMIT, most=1 << 20))


class TestConnections:
    def test_are_used_again(self, raw: RawServer, connection: Connection) -> None:
        raw.scripts = [[sized(), chunked(JSON), b"HTTP/1.1 204 No\r\n\r\n", sized()]]
        assert connection.get("/a") == connection.get("/b") == BODY
        assert connection.send("DELETE", "/c").content == b""
        assert connection.post("/d", {"a": "ü"}) == BODY
        assert raw.connections == 1
        assert raw.requests[-1].startswith(b"POST /v1/d HTTP/1.1\r\n")
        assert b"content-type: application/json\r\n" in raw.requests[-1].lower()

    def test_after_chunks_that_may_not_come(self, raw: RawServer, connection: Connection) -> None:
        raw.scripts = [[b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", sized()]]
        assert connection.send("DELETE", "/a").content == b""
        assert connection.get("/b") == BODY
        assert raw.connections == 1

    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # it has threads
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
    @pytest.mark.parametrize("connect", ["http.client"], indirect=True)
    def test_are_not_a_forks(self, raw: RawServer, connection: Connection) -> None:
        """Two processes would read each other's responses."""
        raw.scripts = [[sized(), sized()]]
        assert connection.get("/a") == BODY
        raw.scripts = [[sized()]]
        child = os.fork()
        if not child:
            os._exit(connection.get("/b") != BODY)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert raw.connections == 2

    def test_that_close(self, raw: RawServer, connection: Connection) -> None:
        raw.scripts = [[sized(head=HEAD + b"Connection: close\r\n"), HANG_UP], [sized()]]
        assert connection.get("/a") == connection.get("/b") == BODY
        assert raw.connections == 2

    def test_after_a_stream_of_llama_cpp(self, raw: RawServer, connection: Connection) -> None:
        """It says `Keep-Alive` and hangs up, and the next request may cross with that."""
        head = b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\n"
        kept = head + b"Keep-Alive: timeout=5, max=100\r\n"
        raw.scripts = [[chunked(b"data: 1\n\n", head=kept), HANG_UP], [sized()]]
        assert connection.send("GET", "/a").content == b"data: 1\n\n"
        assert connection.get("/b") == BODY
        assert raw.connections == 2

    @pytest.mark.parametrize("connect", ["http.client"], indirect=True)  # httpx2 is taken in
    def test_that_say_more_than_was_asked(self, raw: RawServer, connection: Connection) -> None:
        """What follows a response would be the next one."""
        forged = sized(b'{"data": "forged"}')
        raw.scripts = [[sized() + forged, HANG_UP], [sized()]]
        assert connection.get("/a") == connection.get("/b") == BODY
        assert raw.connections == 2

    def test_that_the_server_closed(self, raw: RawServer, connection: Connection) -> None:
        raw.scripts = [[sized()], [sized()]]
        assert connection.get("/a") == BODY
        raw.wait_for_end()
        assert connection.get("/b") == BODY

    def test_of_a_stream_that_is_not_read(self, raw: RawServer, connection: Connection) -> None:
        raw.scripts = [[chunked(JSON, end=b"")], [sized()]]
        connection.send("GET", "/a", stream=True).close()
        assert connection.get("/b") == BODY
        assert raw.connections == 2

    def test_after_a_refusal(self, raw: RawServer, connection: Connection) -> None:
        raw.scripts = [[sized(head=HEAD.replace(b"200 OK", b"404 Not Found")), sized()]]
        with pytest.raises(StatusFailure) as raised:
            connection.get("/a")
        assert raised.value.body == BODY
        assert connection.get("/b") == BODY
        assert raw.connections == 1


def test_a_refusal_before_the_request_was_read(
    raw: RawServer, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = sized(head=HEAD.replace(b"200 OK", b"413 Too Large"))

    def refuse(connected: socket.socket) -> None:
        with connected:
            connected.recv(100)
            connected.sendall(refusal)
            connected.shutdown(socket.SHUT_WR)
            while connected.recv(1 << 20):
                pass

    monkeypatch.setattr(raw, "_serve", refuse)
    with pytest.raises(StatusFailure) as raised:
        connection.post("/things", {"text": "x" * 4_000_000})
    assert raised.value.status_code == 413


@pytest.mark.parametrize("connect", ["http.client"], indirect=True)
def test_a_refusal_while_the_request_is_never_read(
    raw: RawServer, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()

    def refuse(connected: socket.socket) -> None:
        with connected:
            connected.sendall(sized(head=HEAD.replace(b"200 OK", b"413 Too Large")))
            done.wait(LIMIT)

    monkeypatch.setattr(raw, "_serve", refuse)
    with pytest.raises(StatusFailure) as raised:
        connection.post("/things", {"text": "x" * 40_000_000}, patience(1))
    done.set()
    assert raised.value.status_code == 413


def test_events_arrive_when_they_are_sent(raw: RawServer, connection: Connection) -> None:
    raw.scripts = [[chunked(b"first", b"second", end=b"..."), b"..."]]
    raw.scripts[0][0] = raw.scripts[0][0].removesuffix(b"...")
    response = connection.send("GET", "/a", stream=True)
    blocks = response.iter_bytes()
    got = b""
    while len(got) < len(b"firstsecond"):
        got += next(blocks)
    assert got == b"firstsecond"
    response.close()


def test_headers(raw: RawServer, connect: Callable[..., Connection]) -> None:
    connection = connect(
        api_key="sk-other",
        headers={"authorization": "Token of-gateway", "X-Own": "1", "user-agent": "mine"},
    )
    head = HEAD + b"Retry-After: 1\r\nX-Twice: a\r\nx-twice: b\r\n"
    raw.scripts = [[sized(head=head)]]
    response = connection.send("GET", "/a")
    assert read_json(response) == BODY
    assert response.headers.get("retry-after") == "1"
    assert response.headers.get("x-twice") == "a, b"
    sent = raw.requests[0].lower().split(b"\r\n")
    assert [line for line in sent if line.startswith(b"authorization")] == [
        b"authorization: token of-gateway"
    ]
    assert [line for line in sent if line.startswith(b"user-agent")] == [b"user-agent: mine"]
    assert b"x-own: 1" in sent
    assert b"host: " + raw.url.split("/")[2].encode() in sent


@pytest.mark.parametrize(
    ("charset", "text"),
    [("", "käse"), ("; charset=latin-1", "k\xc3\xa4se"), ("; charset=no", "käse")],
)
def test_text_of_a_refusal(raw: RawServer, connection: Connection, charset: str, text: str) -> None:
    head = f"HTTP/1.1 400 No\r\nContent-Type: text/plain{charset}\r\n".encode()
    raw.scripts = [[sized("käse".encode(), head)]]
    with pytest.raises(StatusFailure) as raised:
        connection.get("/a")
    assert raised.value.body == text


def test_an_address_with_a_query_and_odd_words(raw: RawServer, connection: Connection) -> None:
    raw.scripts = [[sized(), sized(b"{}"), sized(b"{}"), sized(b"{}"), sized(b"{}")]]
    assert connection.post(f"{raw.url}/slots/0?action=save", {}) == BODY
    assert raw.requests[0].startswith(b"POST /v1/slots/0?action=save HTTP/1.1\r\n")
    assert ContextWindows(connection).of("modèle ü?") is None
    assert raw.requests[-1].startswith(b"GET /api/v0/models/mod%C3%A8le%20%C3%BC%3F HTTP/1.1\r\n")


def test_a_key_that_is_sent_back(raw: RawServer, connect: Callable[..., Connection]) -> None:
    key = "sk-" + "long-" * 30
    connection = connect(api_key=key)
    moved = f"HTTP/1.1 302 Found\r\nLocation: https://else/{key}\r\n".encode()
    raw.scripts = [[sized(b"", moved), f"SSH-2.0 {key}\r\n".encode()]]
    for _ in range(2):
        with pytest.raises(ServiceError) as raised, connection.errors():
            connection.get("/a")
        assert "long-" not in str(raised.value)


def test_a_redirect_to_what_is_no_url(raw: RawServer, connection: Connection) -> None:
    raw.scripts = [[sized(b"", b"HTTP/1.1 302 Found\r\nLocation: http://[half\r\n")]]
    with pytest.raises(ServiceError, match="redirects to elsewhere"), connection.errors():
        connection.get("/a")


def test_v1_is_found_by_many_threads_at_once(raw: RawServer, connect: Any) -> None:
    """Each gets an answer, also those whose first request went to the wrong place."""
    raw.url = raw.url.removesuffix("/v1")
    missing = sized(head=HEAD.replace(b"200 OK", b"404 Not Found"))
    together = threading.Barrier(4)

    def serve(connected: socket.socket) -> None:
        with connected, connected.makefile("rb") as lines:
            while first := lines.readline():
                while lines.readline().strip():
                    pass
                is_api = first.startswith(b"GET /v1/")
                if not is_api:
                    together.wait(LIMIT)
                connected.sendall(sized() if is_api else missing)

    raw._serve = serve  # type: ignore[method-assign]
    connection = connect()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(connection.get, ["/a", "/b", "/c", "/d"])) == [BODY] * 4


def test_a_query_that_has_a_name_twice(raw: RawServer, connect: Callable[..., Connection]) -> None:
    raw.url += "?a=b+c&a=2"
    raw.scripts = [[sized(), sized()]]
    connection = connect()
    assert connection.get("/things") == connection.get("/things", {"limit": 1}) == BODY
    assert raw.requests[0].startswith(b"GET /v1/things?a=b+c&a=2 HTTP/1.1\r\n")
    assert raw.requests[1].startswith(b"GET /v1/things?a=b+c&a=2&limit=1 HTTP/1.1\r\n")
