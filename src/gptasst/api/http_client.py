"""The HTTP client of the SDK and of requests through a proxy. It limits all that it reads."""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import httpcore2
import httpx2

from gptasst.api.attempts import Attempts
from gptasst.api.encodings import ACCEPTED, decoded, is_known
from gptasst.api.http import HUNG_UP, ConnectionFailure, Response, TimedOut, hangs_up, read_to_end
from gptasst.api.limits import MAX_REPLY, Patience, Timeouts, check_command, up_to
from gptasst.api.open_connections import OpenConnection, OpenConnections

# The SDK's limits: many uploads at once.
_CONNECTIONS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)


class LimitedClient(httpx2.Client):
    """An HTTP client that reads no more, and no longer, than the `Patience` of a request allows.

    A request is retried as often as its `Patience` says, if a retry can help.

    Args:
        attempts: the requests to its server.
        options: httpx's own.
    """

    def __init__(self, attempts: Attempts, **options: Any) -> None:
        super().__init__(limits=_CONNECTIONS, **options)
        self.headers["Accept-Encoding"] = ACCEPTED
        self._attempts = attempts
        # httpx has no public way to pass a backend to its pools.
        for transport in (self._transport, *self._mounts.values()):
            if transport is not None:
                pool: Any = transport._pool  # type: ignore[attr-defined]  # noqa: SLF001
                pool._network_backend = _Backend(pool._network_backend, attempts.connections)  # noqa: SLF001

    def ask(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        limits: Timeouts,
        stream: bool = False,
    ) -> Response:
        """Send a request of our own; see `PlainClient.ask`."""
        request = self.build_request(method, url, params=query, json=body, timeout=limits)
        response: httpx2.Response = self.send(request, stream=stream)
        return response

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> Any:
        """Send a request; its response is read completely unless it is streamed.

        Raises:
            RequestFailure: as of `Attempts.send`.
        """
        patience = request.extensions.get("timeout", {}).get("read")
        attempts = patience.attempts if isinstance(patience, Patience) else 1

        def receive(added: str) -> httpx2.Response:
            asked = self._moved(request, added) if added else request
            return self._received(asked, patience, stream=stream, **options)

        repeatable = isinstance(request.stream, httpx2.ByteStream)
        return self._attempts.send(attempts, receive, repeatable=repeatable)

    def _moved(self, request: httpx2.Request, added: str) -> httpx2.Request:
        """The same request, to the base URL with what is added."""
        # As httpx writes it: with lower case and escapes.
        base, url = str(httpx2.URL(self._attempts.base_url)).rstrip("/"), str(request.url)
        return httpx2.Request(
            request.method,
            f"{base}{added}{url.removeprefix(base)}",
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def _received(
        self, request: httpx2.Request, patience: object, *, stream: bool, **options: Any
    ) -> httpx2.Response:
        """Any response; refusals are read completely."""
        limits = patience.begin() if isinstance(patience, Patience) else None
        if limits is not None:
            timeout = request.extensions["timeout"]
            request.extensions = {**request.extensions, "timeout": {**timeout, "read": limits}}
        try:
            response = super().send(request, stream=True, **options)
        except (httpx2.RequestError, ssl.SSLError) as error:
            raise _failure(error, request) from error
        most = MAX_REPLY if limits is None else limits.most
        response.iter_bytes = partial(_read, response, most, partial(_decoded, response, most))  # type: ignore[method-assign]
        if not stream or not response.is_success:
            read_to_end(response)
        return response


def _failure(error: Exception, request: httpx2.Request) -> ConnectionFailure:
    if isinstance(error, httpx2.TimeoutException):
        connecting = isinstance(error, httpx2.ConnectTimeout)
        seconds = request.extensions["timeout"]["connect" if connecting else "read"]
        return TimedOut(seconds, connecting=connecting)
    return ConnectionFailure(of_proxy=isinstance(error, httpx2.ProxyError))


def _decoded(response: httpx2.Response, most: int, chunk_size: int | None) -> Iterator[bytes]:
    encodings = response.headers.get("content-encoding", "")
    if hasattr(response, "_content") or not is_known(encodings):
        return httpx2.Response.iter_bytes(response, chunk_size)
    return decoded(up_to(most, response.iter_raw(chunk_size)), encodings)


def _read(
    response: httpx2.Response, most: int, decoded: Any, chunk_size: int | None = None
) -> Iterator[bytes]:
    try:
        yield from up_to(most, decoded(chunk_size))
    except (httpx2.RequestError, ssl.SSLError) as error:
        raise _failure(error, response.request) from error
    except (EOFError, zlib.error) as error:
        raise ConnectionFailure(HUNG_UP) from error
    if hangs_up(response):
        response.extensions["network_stream"].close()


class _Backend(httpcore2.NetworkBackend):
    """Open connections whose reads keep to a `Patience`."""

    def __init__(self, inner: httpcore2.NetworkBackend, connections: OpenConnections) -> None:
        self._inner = inner
        self._connections = connections

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore2.NetworkStream:
        return _Stream(self._inner.connect_tcp(*args, **options), self._connections)

    def connect_unix_socket(self, *args: Any, **options: Any) -> httpcore2.NetworkStream:
        return _Stream(self._inner.connect_unix_socket(*args, **options), self._connections)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(OpenConnection, httpcore2.NetworkStream):
    """A connection. Bytes that trickle in end a single read, but don't extend the deadline."""

    closed_error = httpcore2.ReadError

    def __init__(self, inner: httpcore2.NetworkStream, connections: OpenConnections) -> None:
        super().__init__()
        self._inner = inner
        self._connections = connections
        connections.add(self)

    def get_socket(self) -> object:
        return self._inner.get_extra_info("socket")

    def release(self) -> None:
        self._inner.close()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not isinstance(timeout, Patience):
            with self.used():
                return self._inner.read(max_bytes, timeout)
        seconds, over = timeout.wait()
        started = time.monotonic()
        try:
            with self.used():
                data = self._inner.read(max_bytes, seconds)
        except httpcore2.ReadTimeout as error:
            raise over or error from error
        if timeout.deadline is not None:
            timeout.deadline.received(len(data), time.monotonic() - started)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        check_command()
        with self.used():
            self._inner.write(buffer, timeout)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        with self.used():
            secured = self._inner.start_tls(ssl_context, server_hostname, timeout)
        return _Stream(secured, self._connections)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


_BLOCK = 256 * 1024


def send_in_blocks(request: httpx2.Request) -> None:
    """Send a multipart form in large blocks, instead of one write for each small piece.

    With many small files in many threads, these writes are most of the cost of an upload.
    """
    stream = request.stream
    is_form = request.headers.get("Content-Type", "").startswith("multipart/")
    if is_form and isinstance(stream, httpx2.SyncByteStream):
        request.stream = _Blocks(stream)


class _Blocks(httpx2.SyncByteStream):
    """The bytes of a stream, joined until they fill a block."""

    def __init__(self, pieces: httpx2.SyncByteStream) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        block = bytearray()
        for piece in self._pieces:
            block += piece
            if len(block) >= _BLOCK:
                yield bytes(block)
                block.clear()
        if block:
            yield bytes(block)

    def close(self) -> None:
        self._pieces.close()
