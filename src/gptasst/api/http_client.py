"""The SDK's HTTP client, with limits to all that is read."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpcore2
import httpx2
import openai

from gptasst.api.limits import Patience, check_command, too_much
from gptasst.api.retries import wait_after
from gptasst.time_limits import time_left

_VERSION = re.compile(r"/v\d+(beta\d*)?(/|\Z)")
_SOON = 0.5  # seconds that the SDK waits where a server asks for nothing


class LimitedClient(openai.DefaultHttpxClient):
    """Reads no more, and no longer, than the `Patience` of each request allows.

    A base URL that lacks `/v1` is tried with it, once.

    Args:
        base_url: of the API, without a query.
        on_moved: told the base URL that works, if that is another one.
        options: as of httpx.
    """

    def __init__(self, base_url: str, on_moved: Callable[[str], None], **options: Any) -> None:
        super().__init__(**options)
        self._base_url_given = base_url.rstrip("/")
        self._on_moved = on_moved
        self._added = ""
        self._may_try = not _VERSION.search(base_url.rstrip("/"))
        # httpx has no public way to hand a backend down to its pools.
        for transport in (self._transport, *self._mounts.values()):
            if transport is not None:
                pool: Any = transport._pool  # type: ignore[attr-defined]  # noqa: SLF001
                pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> Any:
        """Send a request; its reply is read whole unless it is to be streamed.

        Raises:
            OverLimit: it is too long, or takes too long.
        """
        if self._added:
            request = self._moved(request)
        response = self._send(request, stream=stream, **options)
        if not self._may_try:
            return response
        self._may_try = False
        if not _is_nothing(response) or not isinstance(request.stream, httpx2.ByteStream):
            return response
        response.read()
        self._added = "/v1"
        again = self._send(self._moved(request), stream=stream, **options)
        if _is_nothing(again):
            self._added = ""
            again.close()
            return response
        self._on_moved(f"{self._base_url_given}/v1")
        return again

    def _moved(self, request: httpx2.Request) -> httpx2.Request:
        """The same request to the base URL with `/v1`."""
        base, url = self._base_url_given, str(request.url)
        return httpx2.Request(
            request.method,
            f"{base}{self._added}{url.removeprefix(base)}",
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def _send(self, request: httpx2.Request, *, stream: bool, **options: Any) -> httpx2.Response:
        timeout = request.extensions.get("timeout", {})
        patience = timeout.get("read")
        if not isinstance(patience, Patience):
            return super().send(request, stream=stream, **options)
        request.extensions["timeout"] = {**timeout, "read": patience.begin()}
        response = super().send(request, stream=True, **options)
        decoded = response.iter_bytes

        def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
            return _up_to(patience.most, decoded(chunk_size))

        response.iter_bytes = iter_bytes  # type: ignore[method-assign]
        if not stream or response.status_code >= 400:
            try:
                response.read()
                _say_whether_to_retry(response)
            except BaseException:
                response.close()
                raise
        return response


def _is_nothing(response: httpx2.Response) -> bool:
    """Whether there is no API at a URL: no such path, or a web page."""
    kind = response.headers.get("content-type", "")
    return response.status_code in (404, 405) or "text/html" in kind


def _say_whether_to_retry(response: httpx2.Response) -> None:
    """Tell the SDK, in a header that it obeys, whether it is of use to try again."""
    if response.status_code < 400:
        return
    wait = wait_after(response.status_code, _code(response), response.headers, _SOON)
    command = time_left()
    again = wait is not None and (command is None or wait < command[0])
    response.headers["x-should-retry"] = "true" if again else "false"


def _code(response: httpx2.Response) -> str | None:
    try:
        code = response.json()["error"]["code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return code if isinstance(code, str) else None


def _up_to(most: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for block in blocks:
        size += len(block)
        if size > most:
            raise too_much(f"more than {most >> 20:,} MiB in one reply")
        yield block


class _Backend(httpcore2.NetworkBackend):
    """Makes connections whose reads keep to a `Patience`."""

    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore2.NetworkStream:
        return _Stream(self._inner.connect_tcp(*args, **options))

    def connect_unix_socket(self, *args: Any, **options: Any) -> httpcore2.NetworkStream:
        return _Stream(self._inner.connect_unix_socket(*args, **options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore2.NetworkStream):
    """A connection. A server that drips wakes each read, but does not make more time."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not isinstance(timeout, Patience):
            return self._inner.read(max_bytes, timeout)
        seconds, over = timeout.wait()
        started = time.monotonic()
        try:
            data = self._inner.read(max_bytes, seconds)
        except httpcore2.ReadTimeout as error:
            raise over or error from error
        if timeout.deadline is not None:
            timeout.deadline.received(len(data), time.monotonic() - started)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        check_command()
        self._inner.write(buffer, timeout)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
