"""A server that refuses every request and quotes what it was sent, key included."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What a reply is made of: its status, type and body, from the headers of the request.
Reply = tuple[int, str, str]
Refusal = Callable[[Mapping[str, str]], Reply]


@contextmanager
def echo_server(refusal: Refusal, **headers: str) -> Iterator[str]:
    """Runs until the end of the block; gives its base URL. `headers` go with each reply."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, media_type, body = refusal(dict(self.headers))
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After", "500")  # longer than anybody waits for
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815  # names of the base class

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()


def openai_error(status: int) -> Refusal:
    def refusal(headers: Mapping[str, str]) -> Reply:
        words = f"I don't like {dict(headers)}"
        error = {"message": words, "code": words, "type": words, "param": words}
        return status, "application/json", json.dumps({"error": error})

    return refusal


def detail_error(status: int) -> Refusal:
    def refusal(headers: Mapping[str, str]) -> Reply:
        return status, "application/json", json.dumps({"detail": str(dict(headers))})

    return refusal


def web_page(status: int) -> Refusal:
    def refusal(headers: Mapping[str, str]) -> Reply:
        return status, "text/html", f"<html><body>{dict(headers)}</body></html>"

    return refusal


def plain_text(status: int) -> Refusal:
    def refusal(headers: Mapping[str, str]) -> Reply:
        return status, "text/plain", str(dict(headers))

    return refusal


def no_object(status: int) -> Refusal:
    """JSON of another form than any API's."""

    def refusal(headers: Mapping[str, str]) -> Reply:
        return status, "application/json", json.dumps([str(dict(headers))])

    return refusal


def event_error(status: int) -> Refusal:
    """A stream that begins well and ends with an error."""

    def refusal(headers: Mapping[str, str]) -> Reply:
        event = {"type": "error", "code": "x", "message": str(dict(headers)), "param": None}
        return status, "text/event-stream", f"data: {json.dumps(event)}\n\n"

    return refusal
