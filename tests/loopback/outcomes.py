"""What a request to /v1/responses can come to; `server.outcomes` takes these, in order.

Each is data only: `responses` plays it. A request that is not streamed gets the nearest thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from .wire import Json, Reply

Citation: TypeAlias = tuple[str, str] | Json


@dataclass(frozen=True)
class Ending:
    """A response that comes to an end; a `text` of None is what `server.answer` says."""

    text: str | None = None
    status: Literal["completed", "incomplete", "failed"] = "completed"
    citations: tuple[Json, ...] = ()
    commentary: str | None = None
    refusal: str | None = None
    incomplete_reason: str | None = None
    error: Json | None = None
    in_deltas: bool = True
    calls: tuple[tuple[str, str], ...] = ()
    items: tuple[Json, ...] = ()


@dataclass(frozen=True)
class Trouble:
    """A stream that stops being one after some deltas of `text`."""

    kind: Literal["error", "cut", "garbage", "endless"]
    after: int = 0
    text: str | None = None
    error: Json = field(default_factory=dict)
    keepalive: float | None = None


@dataclass(frozen=True)
class HttpAnswer:
    """A reply of any kind in place of a response."""

    reply: Reply


@dataclass(frozen=True)
class Silence:
    """The request is taken and nothing is ever said."""


Outcome: TypeAlias = Ending | Trouble | HttpAnswer | Silence


def answer(text: str | None = None, citations: Sequence[Citation] = ()) -> Ending:
    """A citation is (file_id, filename), or a whole annotation."""
    return Ending(text, citations=tuple(_annotation(citation) for citation in citations))


def _annotation(citation: Citation) -> Json:
    if isinstance(citation, dict):
        return citation
    file_id, filename = citation
    return {"type": "file_citation", "index": 0, "file_id": file_id, "filename": filename}


def refusal(text: str) -> Ending:
    return Ending("", refusal=text)


def incomplete(reason: str = "max_output_tokens", text: str = "half") -> Ending:
    return Ending(text, status="incomplete", incomplete_reason=reason)


def failed(code: str = "server_error", message: str = "The model failed.") -> Ending:
    return Ending("", status="failed", error={"code": code, "message": message})


def empty_answer() -> Ending:
    """Completed, with a message whose text is empty."""
    return Ending("")


def late_text(text: str | None = None) -> Ending:
    """No items and no deltas; the text comes in response.completed only."""
    return Ending(text, in_deltas=False)


def function_calls(*calls: tuple[str, str], text: str | None = "") -> Ending:
    """Calls of functions, each a name and its arguments as JSON text, after a remark if any."""
    return Ending(text, calls=calls)


def with_items(*items: Json, text: str | None = None) -> Ending:
    """Other items, such as `reasoning` or `mcp_approval_request`, before the message if any."""
    return Ending(text, items=items)


def with_commentary(commentary: str, text: str | None = None) -> Ending:
    """Two messages: the first of phase commentary, the second of phase final_answer."""
    return Ending(text, commentary=commentary)


def http_error(
    status: int,
    code: str | None = None,
    message: str = "",
    type: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: str | bytes | Json | None = None,
) -> HttpAnswer:
    """OpenAI's error form, or `body` instead: text goes out as HTML, an object as JSON."""
    kind = type or ("server_error" if status >= 500 else "invalid_request_error")
    if body is None:
        text = message or f"HTTP {status}"
        body = {"error": {"message": text, "type": kind, "param": None, "code": code}}
    content_type = "application/json" if isinstance(body, dict) else "text/html; charset=utf-8"
    if isinstance(body, dict):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    return HttpAnswer(Reply(data, status, content_type, dict(headers or {})))


def stream_error_event(
    *,
    flat: bool = True,
    code: str = "server_error",
    message: str = "The server had an error.",
    after: int = 1,
) -> Trouble:
    """An `error` event after some deltas: flat as OpenAI documents it, or nested in `error`."""
    error = {"code": code, "message": message, "param": None}
    return Trouble("error", after, error=error if flat else {"error": error | {"type": code}})


def stream_breaks_after(n_deltas: int, text: str | None = None) -> Trouble:
    """The connection is closed after so many deltas, or before the text is done."""
    return Trouble("cut", n_deltas, text)


def garbage_stream() -> Trouble:
    """After its first events the stream holds what is not JSON."""
    return Trouble("garbage")


def never_ends(*, keepalive: bool = True, interval: float = 0.05, after: int = 0) -> Trouble:
    """After some deltas: comment lines for ever, or silence for ever."""
    return Trouble("endless", after, keepalive=interval if keepalive else None)


def hangs() -> Silence:
    return Silence()


_FACTORIES: dict[str, Callable[..., Outcome]] = {
    factory.__name__: factory
    for factory in (
        answer, refusal, incomplete, failed, empty_answer, late_text, with_commentary, http_error,
        stream_error_event, stream_breaks_after, garbage_stream, never_ends, hangs,
    )
}  # fmt: skip


def from_json(value: Mapping[str, Any]) -> Outcome:
    """An outcome from {"kind": name of a factory, ...its arguments}.

    Raises:
        KeyError: there is no such kind.
        TypeError: the arguments are not the factory's.
    """
    arguments = dict(value)
    return _FACTORIES[arguments.pop("kind")](**arguments)
