"""What a request comes to, with any HTTP client: a response, or the failure instead of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

HUNG_UP = "the server hung up before the end of its response"


class Response(Protocol):
    """A response. Names of headers are lower-case; a streamed body is read by `iter_bytes`.

    Reading the body raises `ConnectionFailure` or `OverLimit`.
    """

    @property
    def status_code(self) -> int: ...
    @property
    def is_success(self) -> bool: ...
    @property
    def url(self) -> Any: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...
    @property
    def text(self) -> str: ...

    def read(self) -> bytes: ...
    def iter_bytes(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class RequestFailure(Exception):
    """A request without a usable response. The SDK passes it on unchanged."""


class ConnectionFailure(RequestFailure):
    """There was no response, or not all of it. `__cause__` is the error of the HTTP library.

    Args:
        said: what happened, if the cause does not tell.
        of_proxy: whether a proxy refused to connect.
    """

    def __init__(self, said: str = "", *, of_proxy: bool = False) -> None:
        super().__init__(said)
        self.of_proxy = of_proxy


class TimedOut(ConnectionFailure):
    """A server that accepts no connection (`connecting`), or sent nothing for too many seconds."""

    def __init__(self, seconds: float | None, *, connecting: bool = False) -> None:
        super().__init__("timed out")
        self.seconds = seconds
        self.connecting = connecting


class StatusFailure(RequestFailure):
    """A server refused a request.

    Attributes:
        response: the response, completely read.
        body: its error: the object in `error`, else all JSON, else the text.
    """

    def __init__(self, response: Response) -> None:
        text = response.text.strip()
        super().__init__(f"HTTP {response.status_code}: {text}")
        self.response = response
        self.body: Any = text
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        if isinstance(said, list) and len(said) == 1:  # as Gemini sends it
            said = said[0]
        error = said.get("error") if isinstance(said, dict) else None
        self.body = error if isinstance(error, dict) and error else said

    @property
    def url(self) -> str:
        """The URL that was asked for."""
        return str(self.response.url)

    @property
    def path(self) -> str:
        """The path of its URL."""
        return unquote(urlsplit(self.url).path)

    @property
    def status_code(self) -> int:
        return self.response.status_code


def read_to_end(response: Response) -> None:
    """Read the body; a response that can't be read is closed."""
    try:
        response.read()
    except BaseException:
        response.close()
        raise


def hangs_up(response: Response) -> bool:
    """Whether the server hangs up although it says `Keep-Alive`, as llama.cpp after a stream.

    The next request could cross with that.
    """
    kind = response.headers.get("content-type", "")
    return response.headers.get("server") == "llama.cpp" and "event-stream" in kind
