"""A web server that has one file, and can break off in the middle of it."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass
class ModelHost:
    """Serves `content` at every path that ends in `.gguf`.

    Args:
        content: the file.
        etag: its validator; `None` sends none.
        ranges: whether a part of it can be asked for.
        breaks: after how many bytes each of the next replies ends too early.
        status: of every reply, in place of 200 or 206.
        stalls: an early end is silence for ever, not a closed connection.
        length: whether a reply says how long it is.
    """

    content: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    status: int | None = None
    stalls: bool = False
    length: bool = True
    asked: list[dict[str, str]] = field(default_factory=list, init=False)
    stalled: threading.Event = field(default_factory=threading.Event, init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> Self:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append({name.lower(): value for name, value in self.headers.items()})
                host._reply(self)

            def log_message(self, *_: object) -> None:
                """Nothing is said on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/a%20model.gguf"

    def _reply(self, request: BaseHTTPRequestHandler) -> None:
        start = self._start(request)
        if self.status or start > len(self.content):
            request.send_response(self.status or 416)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if start else 200)
        if self.etag:
            request.send_header("ETag", self.etag)
        if start:
            place = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
            request.send_header("Content-Range", place)
        if self.length:
            request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        end = start + self.breaks.pop(0) if self.breaks else len(self.content)
        with contextlib.suppress(ConnectionError):  # whoever asked may have had enough
            request.wfile.write(self.content[start:end])
        if end < len(self.content) and self.stalls:
            request.wfile.flush()
            self.stalled.set()
            self._closing.wait()

    def _start(self, request: BaseHTTPRequestHandler) -> int:
        asked = request.headers.get("Range", "")
        if not self.ranges or not asked or request.headers.get("If-Range") != self.etag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))
