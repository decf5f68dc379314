"""A connection of `PlainClient`: sends requests and reads the heads of responses."""

from __future__ import annotations

import contextlib
import email.errors
import http.client
import io
import os
import re
import select
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from typing import Any

from gptasst.api.http import HUNG_UP, ConnectionFailure, TimedOut
from gptasst.api.limits import Patience, check_command, too_much
from gptasst.api.open_connections import OpenConnection, OpenConnections

_PIECE = 256 << 10  # bytes sent at a time
# Seconds after which an unused connection is not used again. Many servers, llama.cpp's and uvicorn
# among them, drop one after 5, and a request may cross with that.
_IDLE = 3.0


class PlainConnection(OpenConnection):
    """A connection. Bytes that trickle in end a single read, but don't extend the deadline."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__()
        self.patience: Patience | None = None
        self._socket = connected
        self._reader = _Reader(_Incoming(self))
        self._since = 0.0
        self._ended = False

    @classmethod
    def opened(
        cls,
        address: tuple[str, int],
        context: ssl.SSLContext | None,
        seconds: float,
        connections: OpenConnections,
    ) -> PlainConnection:
        with failures(connecting=seconds):
            # As text, Python would import what names in other alphabets need.
            host, port = address[0].encode("ascii"), address[1]
            connection = cls(socket.create_connection((host, port), seconds))  # type: ignore[arg-type]
            try:
                connections.add(connection)
                connection._begin(context, address[0])
            except BaseException:
                connection.close()
                raise
        return connection

    def _begin(self, context: ssl.SSLContext | None, host: str) -> None:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            with self.used():
                self._socket = secured = context.wrap_socket(
                    self._socket, server_hostname=host, do_handshake_on_connect=False
                )
                secured.do_handshake()

    def get_socket(self) -> object:
        return self._socket

    def release(self) -> None:
        self._socket.close()

    def is_usable(self) -> bool:
        """Whether the server may still be there: it neither hung up nor said anything unasked.

        A fork leaves the connections of its parent alone.
        """
        fresh = time.monotonic() - self._since < _IDLE and self._process == os.getpid()
        return fresh and not _is_readable(self._socket)

    def rests(self) -> bool:
        """Whether nothing follows the response, so that another one can be asked for."""
        self.patience, self._since = None, time.monotonic()
        return not self._reader.peek()

    def send(self, data: bytes, seconds: float) -> None:
        """Send a request; the seconds are for each piece that the server takes."""
        left = memoryview(data)
        try:
            with self.used():
                self._socket.settimeout(seconds)
                while left:
                    check_command()
                    left = left[self._socket.send(left[:_PIECE]) :]
        except OSError as error:  # a server may refuse a request before it has read all of it
            if self._socket.fileno() < 0 or not _is_readable(self._socket):
                if isinstance(error, TimeoutError):
                    raise TimedOut(seconds) from error
                raise

    def response(self, method: str, patience: Patience) -> http.client.HTTPResponse:
        """The next response, without interim ones (1xx)."""
        self.patience = patience
        while True:
            raw = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]
            raw.begin()
            if self._ended:  # `http.client` takes what came so far for the whole head
                raise EOFError
            _settle_length(raw)
            if raw.status >= 200 or raw.status == http.client.SWITCHING_PROTOCOLS:
                return raw

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002  # as `HTTPResponse` calls it
        return self._reader

    def receive(self, buffer: memoryview) -> int | None:
        """Read what has arrived, within the patience of the response; `None` without a response."""
        if self.patience is None:
            return None
        seconds, over = self.patience.wait()
        started = time.monotonic()
        try:
            with self.used():
                self._socket.settimeout(seconds)
                size = self._socket.recv_into(buffer)
        except TimeoutError as error:
            raise over or TimedOut(self.patience) from error
        if self.patience.deadline is not None:
            self.patience.deadline.received(size, time.monotonic() - started)
        self._ended = not size
        return size


class _Incoming(io.RawIOBase):
    """The bytes of a connection."""

    def __init__(self, connection: PlainConnection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return self._connection.receive(buffer)


class _Reader(io.BufferedReader):
    """What a connection's responses are read from. It outlives each of them."""

    def close(self) -> None:
        """Do nothing: `HTTPResponse` closes what it has read."""

    def flush(self) -> None:
        """Do nothing: `HTTPResponse` does so, too, when it is forgotten."""


def _settle_length(raw: http.client.HTTPResponse) -> None:
    """Correct where `http.client` would wait for a body that does not come.

    Raises:
        HTTPException: it is not certain where the response ends.
    """
    if any(
        isinstance(each, email.errors.MissingHeaderBodySeparatorDefect)
        for each in raw.headers.defects
    ):
        raise http.client.HTTPException("a header of its response has no colon")
    if raw.status in (http.client.NO_CONTENT, http.client.NOT_MODIFIED) or raw.status < 200:
        raw.chunked = False
        return
    coding = raw.headers.get("transfer-encoding", "identity")
    if not raw.chunked and coding.lower() != "identity":
        raise http.client.HTTPException(f"`Transfer-Encoding: {coding}` was not asked for")
    sizes = ",".join(raw.headers.get_all("content-length", ()))
    if sizes and not raw.chunked:
        size, *others = {each.strip() for each in sizes.split(",")}
        if others or not re.fullmatch(r"[0-9]{1,18}", size):
            raise http.client.HTTPException(f"`Content-Length: {sizes}` is no length")
        raw.length = int(size)


def _is_readable(connected: socket.socket) -> bool:
    if connected.fileno() < 0:
        return True
    if isinstance(connected, ssl.SSLSocket) and connected.pending():
        return True
    if not hasattr(select, "poll"):  # Windows; elsewhere `select` knows no numbers above 1,023
        return bool(select.select([connected], [], [], 0)[0])
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(0))


@contextlib.contextmanager
def failures(*, connecting: float | None = None) -> Iterator[None]:
    """Translate errors of a connection; `connecting` are the seconds to open one."""
    try:
        yield
    except TimeoutError as error:
        raise TimedOut(connecting, connecting=connecting is not None) from error
    except (http.client.IncompleteRead, EOFError) as error:
        raise ConnectionFailure(HUNG_UP) from error
    except http.client.RemoteDisconnected as error:
        raise ConnectionFailure from error
    except (http.client.BadStatusLine, http.client.UnknownProtocol) as error:
        said = str(error).strip()
        raise ConnectionFailure(f"the server sent `{said}`, which is not HTTP/1.1") from error
    except http.client.LineTooLong as error:
        raise too_much("a header of more than 64 KiB") from error
    except (OSError, http.client.HTTPException, zlib.error) as error:
        if str(error).endswith(" headers"):
            raise too_much(str(error).removeprefix("got ")) from error
        raise ConnectionFailure from error
