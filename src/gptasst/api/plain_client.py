"""A small HTTP/1.1 client over `http.client`, for requests that go straight to one server.

Importing httpx2, which the SDK uses, takes longer than all else that a short command does. Requests
through a proxy still need it: see `gptasst.api.clients`.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from gptasst.api.attempts import Attempts
from gptasst.api.encodings import ACCEPTED, decoded
from gptasst.api.http import hangs_up, read_to_end
from gptasst.api.limits import Timeouts, up_to
from gptasst.api.plain_connection import PlainConnection, failures

_BLOCK = 64 << 10


class PlainClient:
    """Sends requests to one server, over connections that it keeps. Any thread may use it.

    Args:
        base_url: of the API, for its scheme, host and port.
        headers: of each request.
        query: of each request.
        context: for TLS; `None` for plain HTTP.
        attempts: the requests to this server.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        query: Sequence[tuple[str, str]],
        context: ssl.SSLContext | None,
        attempts: Attempts,
    ) -> None:
        parts = urlsplit(base_url)
        self._address = (parts.hostname or "", parts.port or (443 if context else 80))
        own = {"Host": parts.netloc, "Accept-Encoding": ACCEPTED, "Connection": "keep-alive"}
        self._headers = merged(own, headers)
        self._query = query
        self._context = context
        self._attempts = attempts
        self._idle: list[PlainConnection] = []
        self._lock = threading.Lock()

    def ask(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        limits: Timeouts,
        stream: bool = False,
    ) -> PlainResponse:
        """Send a request; its response is read completely unless it is streamed.

        Args:
            method: GET, POST or DELETE.
            url: a whole URL of this server.
            query: parameters.
            body: goes out as JSON.
            limits: how long to wait, and how much to read.
            stream: don't read the body; the caller reads and closes the response.

        Raises:
            RequestFailure: as of `Attempts.send`.
        """
        own = dict(query or {})
        of_all = [(name, value) for name, value in self._query if name not in own]
        asked = urlencode([*of_all, *own.items()])
        headers, content = self._headers, b""
        if body is not None:
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            content = text.encode()
            of_body = {"Content-Type": "application/json", "Content-Length": str(len(content))}
            headers = merged(headers, of_body)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

        def receive(added: str) -> PlainResponse:
            base = self._attempts.base_url
            there = f"{base}{added}{url.removeprefix(base)}" if added else url
            parts = urlsplit(there)
            wanted = "&".join(filter(None, (parts.query, asked)))
            target = (parts.path or "/") + (f"?{wanted}" if wanted else "")
            head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
            patience = limits.read.begin()
            connection = self._connected(limits.connect)
            try:
                with failures():
                    connection.send(head + content, limits.write)
                    raw = connection.response(method, patience)
                response = PlainResponse(raw, there, connection, self._keep)
            except BaseException:
                connection.close()
                raise
            if not stream or not response.is_success:
                read_to_end(response)
            return response

        return self._attempts.send(limits.read.attempts, receive)

    def _connected(self, seconds: float) -> PlainConnection:
        """A connection that is free, or a new one."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                opened = self._attempts.connections
                return PlainConnection.opened(self._address, self._context, seconds, opened)
            if connection.is_usable():
                return connection
            connection.close()

    def _keep(self, connection: PlainConnection) -> None:
        """Keep a connection for the next request."""
        with self._lock:
            self._idle.append(connection)


class PlainResponse:
    """A response; see `gptasst.api.http.Response`.

    Args:
        raw: its head, and what reads its body.
        url: of its request.
        connection: that it comes over.
        keep: called with the connection at the end, if it can be used again.
    """

    def __init__(
        self,
        raw: http.client.HTTPResponse,
        url: str,
        connection: PlainConnection,
        keep: Callable[[PlainConnection], None],
    ) -> None:
        self.status_code = raw.status
        self.is_success = 200 <= raw.status < 300
        self.url = url
        self.headers: dict[str, str] = {}
        for name, value in raw.getheaders():
            before = self.headers.get(name.lower())
            self.headers[name.lower()] = value if before is None else f"{before}, {value}"
        self._raw = raw
        self._connection: PlainConnection | None = connection
        self._keep = keep
        self._content: bytes | None = None

    def iter_bytes(self) -> Iterator[bytes]:
        """The decoded body as it arrives; at its end the connection is free again."""
        connection = self._connection
        if connection is None:
            yield self._content or b""
            return
        assert connection.patience is not None
        encoding = self.headers.get("content-encoding", "")
        try:
            with failures():
                # Both: data that decompresses to nothing is also too much.
                most = connection.patience.most
                yield from up_to(most, decoded(up_to(most, _blocks(self._raw)), encoding))
        except BaseException:
            self.close()
            raise
        self._connection = None
        if self._raw.will_close or hangs_up(self) or not connection.rests():
            connection.close()
        else:
            self._keep(connection)

    def read(self) -> bytes:
        if self._content is None:
            self._content = b"".join(self.iter_bytes())
        return self._content

    @property
    def content(self) -> bytes:
        return self.read()

    @property
    def text(self) -> str:
        charset = self.headers.get("content-type", "").lower().partition("charset=")[2]
        try:
            return self.content.decode(charset.partition(";")[0].strip('" ') or "utf-8", "replace")
        except (LookupError, ValueError):  # not known, or not one of text
            return self.content.decode("utf-8", "replace")

    def close(self) -> None:
        """Hang up, unless the response was read to its end."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def merged(*several: Mapping[str, str]) -> dict[str, str]:
    """Headers together; of two whose names differ only in case, the last one."""
    found = {name.lower(): (name, value) for each in several for name, value in each.items()}
    return dict(found.values())


def _blocks(raw: http.client.HTTPResponse) -> Iterator[bytes]:
    while block := raw.read1(_BLOCK):
        yield block
    if raw.length:  # `read1` does not tell
        raise EOFError
