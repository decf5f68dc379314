"""HTTP/1.1 over sockets: bodies in, replies out, and quiet when a client hangs up."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from .routing import Application
from .wire import Call, ConnectionCut, Line, Reply, RequestRecord, new_id

_CLOSE_TIMEOUT = 2.0
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class HttpServer(ThreadingHTTPServer):
    """Knows its connections, so that closing ends them all."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, application: Application) -> None:
        self.application = application
        self.closing = threading.Event()
        self.accepted = 0
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), Handler)

    def enter(self, connection: socket.socket) -> None:
        with self._lock:
            self.accepted += 1
            self._open[connection] = threading.current_thread()
            if self.closing.is_set():
                _hang_up(connection)

    def leave(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(connection, None)

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def close(self) -> None:
        """Stop taking requests, hang up on all clients, wait for the threads."""
        self.closing.set()
        self.shutdown()
        with self._lock:
            threads = list(self._open.values())
            for connection in self._open:
                _hang_up(connection)
        self.server_close()
        for thread in threads:
            thread.join(_CLOSE_TIMEOUT)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note a mistake of this server; a client that hung up is none."""
        if not isinstance(sys.exception(), OSError):
            self.application.note_crash()


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._server = cast("HttpServer", self.server)
        self._server.enter(self.connection)

    def finish(self) -> None:
        self._server.leave(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        try:
            self._send(self._server.application.reply(self._receive()))
        except (ConnectionCut, OSError):
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _serve  # noqa: N815 - http.server's names

    def _receive(self) -> Call:
        try:
            body = self._body()
        except ValueError as error:  # no length can be read
            raise ConnectionCut from error
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        record = RequestRecord(
            method=self.command,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query)),
            headers=headers,
            json=_parsed(body) if "json" in headers.get("content-type", "") else None,
            body_size=len(body),
            at=time.time(),
        )
        return Call(record, body, Line(self.connection, self._server.closing))

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._chunks())
        size = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionCut
        return body

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _send(self, reply: Reply) -> None:
        if isinstance(reply.body, bytes):
            head = self._head(reply, {"Content-Length": str(len(reply.body))})
            self.wfile.write(head + reply.body)
            return
        self.wfile.write(self._head(reply, {"Transfer-Encoding": "chunked"}))
        with contextlib.closing(cast("Any", reply.body)):
            for chunk in reply.body:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, reply: Reply, framing: dict[str, str]) -> bytes:
        phrase = _PHRASES.get(reply.status, "Unknown")
        headers = {
            "Content-Type": reply.content_type,
            "x-request-id": new_id("req_"),
            **framing,
            **reply.headers,
        }
        lines = [f"HTTP/1.1 {reply.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
