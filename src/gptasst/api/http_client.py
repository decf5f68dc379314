"""The HTTP client of our own requests and of the SDK, which limits everything that it reads."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakSet

import httpcore2
import httpx2

from gptasst.api.failures import ConnectionFailure, StatusFailure, TimedOut
from gptasst.api.limits import Deadline, OverLimit, Patience, check_command, too_much
from gptasst.api.retries import wait_before_retry
from gptasst.errors import UsageError
from gptasst.threads import time_left

_VERSION = re.compile(r"/v\d+(beta\d*)?(/|\Z)")
# The SDK's limits: many uploads at once.
_CONNECTIONS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
# LM Studio's message for an unknown path, and bytes that it and the path may have.
_UNEXPECTED = b"Unexpected endpoint or method"
_SHORT = 500
# Seconds to wait for the end of a response whose content is complete.
_END = 0.2


class LimitedClient(httpx2.Client):
    """An HTTP client that reads no more, and no longer, than the `Patience` of a request allows.

    A request is retried as often as its `Patience` says, if a retry can help. A base URL without
    `/v1` is tried with it, once.

    Args:
        base_url: of the API, without a query.
        on_moved: called with the base URL that works, if it is another one.
        options: httpx's own.
    """

    def __init__(self, base_url: str, on_moved: Callable[[str], None], **options: Any) -> None:
        super().__init__(limits=_CONNECTIONS, **options)
        self._base_url_given = base_url.rstrip("/")
        self._on_moved = on_moved
        self._added = ""
        self._may_try = not _VERSION.search(base_url.rstrip("/"))
        self._backends: list[_Backend] = []
        # httpx has no public way to pass a backend to its pools.
        for transport in (self._transport, *self._mounts.values()):
            if transport is not None:
                pool: Any = transport._pool  # type: ignore[attr-defined]  # noqa: SLF001
                backend = _Backend(pool._network_backend)  # noqa: SLF001
                pool._network_backend = backend  # noqa: SLF001
                self._backends.append(backend)

    def close(self) -> None:
        """Close all connections, also those that other threads wait for or are still opening."""
        super().close()
        for backend in self._backends:
            backend.close()

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> Any:
        """Send a request; its response is read completely unless it is streamed.

        Raises:
            StatusFailure: the server refused it.
            ConnectionFailure: there was no response.
            OverLimit: the response is too long, or takes too long.
            UsageError: the client was closed.
        """
        patience = request.extensions.get("timeout", {}).get("read")
        attempts = patience.attempts if isinstance(patience, Patience) else 1
        for attempt in range(attempts):
            if self.is_closed:
                raise UsageError("the client was closed, so nothing more is sent")
            try:
                return self._replied(request, patience, stream=stream, **options)
            except (ConnectionFailure, StatusFailure) as failure:
                wait = wait_before_retry(failure, attempt)
                command = time_left()
                late = wait is not None and command is not None and wait >= command[0]
                if wait is None or late or attempt == attempts - 1:
                    raise
            time.sleep(wait)
        raise AssertionError  # the last attempt returns or raises

    def _replied(
        self, request: httpx2.Request, patience: object, *, stream: bool, **options: Any
    ) -> httpx2.Response:
        """The response at the base URL, or at the base URL with `/v1`."""
        if self._added:
            request = self._moved(request)
        response = self._received(request, patience, stream=stream, **options)
        if self._may_try:
            self._may_try = False
            if _is_nothing(response) and isinstance(request.stream, httpx2.ByteStream):
                response = self._elsewhere(response, request, patience, stream=stream, **options)
        if not response.is_success or _is_unexpected(response):
            raise StatusFailure(response)
        return response

    def _elsewhere(
        self, response: httpx2.Response, request: httpx2.Request, *args: Any, **options: Any
    ) -> httpx2.Response:
        """The response at the base URL with `/v1`, or the first `response` if there is nothing."""
        response.read()
        self._added = "/v1"
        again = self._received(self._moved(request), *args, **options)
        if _is_nothing(again):
            self._added = ""
            again.close()
            return response
        self._on_moved(f"{self._base_url_given}/v1")
        return again

    def _moved(self, request: httpx2.Request) -> httpx2.Request:
        """The same request, to the base URL with `/v1`."""
        # As httpx writes it: with lower case and escapes.
        base, url = str(httpx2.URL(self._base_url_given)).rstrip("/"), str(request.url)
        return httpx2.Request(
            request.method,
            f"{base}{self._added}{url.removeprefix(base)}",
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
            if limits is not None:
                _read_no_more_than(limits.most, response)
            if not stream or not response.is_success:
                _read_to_end(response)
        except httpx2.TimeoutException as error:
            raise TimedOut(request) from error
        except (httpx2.RequestError, ssl.SSLError) as error:
            raise ConnectionFailure(request) from error
        return response


def _read_no_more_than(most: int, response: httpx2.Response) -> None:
    decoded = response.iter_bytes

    def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
        return _up_to(most, decoded(chunk_size))

    response.iter_bytes = iter_bytes  # type: ignore[method-assign]


def _read_to_end(response: httpx2.Response) -> None:
    try:
        response.read()
    except BaseException:
        response.close()
        raise


def read_to_end_of_stream(response: httpx2.Response, chunks: Iterator[bytes]) -> None:
    """Read what follows the last event of a stream, so that its connection can be used again.

    A server that doesn't end the response soon gets a new connection for the next request.

    Args:
        response: the response, not yet closed.
        chunks: its `iter_bytes`, partly read.
    """
    limits = response.request.extensions["timeout"]["read"]
    if isinstance(limits, Patience):  # of this response alone
        limits.deadline = Deadline(_END)
        with contextlib.suppress(httpx2.HTTPError, OverLimit):
            for _ in chunks:
                pass


def _is_nothing(response: httpx2.Response) -> bool:
    """Whether a URL has no API: the path is unknown, or it is a web page."""
    kind = response.headers.get("content-type", "")
    found = response.status_code not in (404, 405) and "text/html" not in kind
    return not found or _is_unexpected(response)


def _is_unexpected(response: httpx2.Response) -> bool:
    """Whether a URL is unknown to LM Studio, which reports that with status 200."""
    headers = response.headers
    length = headers.get("content-length", "")
    if "json" not in headers.get("content-type", "") or not length.isdecimal():
        return False
    if response.status_code != 200 or int(length) > _SHORT:
        return False
    _read_to_end(response)
    return _UNEXPECTED in response.content[:_SHORT]


def _up_to(most: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for block in blocks:
        size += len(block)
        if size > most:
            raise too_much(f"more than {most >> 20:,} MiB in one reply")
        yield block


class _Backend(httpcore2.NetworkBackend):
    """Open connections whose reads keep to a `Patience`."""

    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner
        self._open: WeakSet[_Stream] = WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore2.NetworkStream:
        return self.opened(self._inner.connect_tcp(*args, **options))

    def connect_unix_socket(self, *args: Any, **options: Any) -> httpcore2.NetworkStream:
        return self.opened(self._inner.connect_unix_socket(*args, **options))

    def opened(self, inner: httpcore2.NetworkStream) -> httpcore2.NetworkStream:
        """A new connection; one that was made while the client was closed is closed at once."""
        stream = _Stream(inner, self.opened)
        with self._lock:
            self._open.add(stream)
            closed = self._closed
        if closed:
            stream.close()
            raise httpcore2.ConnectError("the client was closed")
        return stream

    def close(self) -> None:
        """Close what is open: the pool forgets connections that a thread is just making."""
        with self._lock:
            self._closed = True
            left = list(self._open)
        for stream in left:
            stream.close()

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore2.NetworkStream):
    """A connection. Bytes that trickle in end a single read, but don't extend the deadline.

    It may be closed by any thread. While another one reads or writes, it only hangs up, and that
    thread closes it: the number of a closed socket may at once be that of a file, and TLS would
    write its farewell into it.
    """

    def __init__(
        self,
        inner: httpcore2.NetworkStream,
        opened: Callable[[httpcore2.NetworkStream], httpcore2.NetworkStream],
    ) -> None:
        self._inner = inner
        self._opened = opened
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._users = 0
        self._closed = threading.Event()

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        with self._lock:
            if self._closed.is_set():
                raise httpcore2.ReadError("the connection was closed")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._closed.is_set() and not self._users:
                    self._inner.close()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not isinstance(timeout, Patience):
            with self._used():
                return self._inner.read(max_bytes, timeout)
        seconds, over = timeout.wait()
        started = time.monotonic()
        try:
            with self._used():
                data = self._inner.read(max_bytes, seconds)
        except httpcore2.ReadTimeout as error:
            raise over or error from error
        if timeout.deadline is not None:
            timeout.deadline.received(len(data), time.monotonic() - started)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        check_command()
        with self._used():
            self._inner.write(buffer, timeout)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        with self._used():
            secured = self._inner.start_tls(ssl_context, server_hostname, timeout)
        return self._opened(secured)

    def close(self) -> None:
        """Hang up, which also wakes a thread that waits for data; close it if there is none."""
        with self._lock:
            self._closed.set()
            connected = self._inner.get_extra_info("socket")
            is_ours = self._process == os.getpid()  # a fork has a copy of its parent's connections
            if is_ours and isinstance(connected, socket.socket):
                with contextlib.suppress(OSError):  # closed, or the server hung up
                    # Not `SSLSocket.shutdown`, which takes the TLS state from a thread that reads.
                    socket.socket.shutdown(connected, socket.SHUT_RDWR)
            if not self._users:
                self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
