"""The events of a streamed response, read without the SDK's models.

The SDK needs most of a second to build those models before its first event, and several times
as long as reading the JSON to fill them: noticeable in one run, and decisive when dozens of
answers arrive at once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from gptasst.api.limits import MAX_LINE, too_much

if TYPE_CHECKING:
    from gptasst.api.http import Response


class Event(dict[str, Any]):
    """A JSON object whose fields are also attributes; a missing field is `None`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


def answer_events(response: Response, chunks: Iterator[bytes]) -> Iterator[Event]:
    """The events of an answer; an answer in one piece is a single, final event.

    Args:
        response: the response, unread.
        chunks: its `iter_bytes`; what follows the last event stays in it.

    Raises:
        ValueError: the data is not in the API's form.
        ConnectionFailure: the connection was lost.
        OverLimit: there is too much data.
    """
    kind = response.headers.get("content-type", "")
    if "event-stream" not in kind:
        first = next(chunks, b"")
        # Some servers send a response or a stream with another content type.
        if "json" in kind or first.lstrip(_MARK + b" \t\r\n").startswith(b"{"):
            yield from _whole(first + b"".join(chunks))
            return
        found = read_events(itertools.chain([first], chunks))
        event = next(found, None)
        if event is None:
            raise ValueError("there is no event in it")
        yield event
        yield from found
        return
    yield from read_events(chunks)


_MARK = b"\xef\xbb\xbf"  # a byte order mark


def parsed(data: bytes) -> Any:
    """JSON, with its objects as `Event`.

    Raises:
        ValueError: it is not JSON, or not UTF-8.
    """
    text = data.decode("utf-8-sig")
    try:
        return json.loads(text, object_hook=Event)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number with thousands of digits
        return json.loads(text, object_hook=Event, parse_int=float)


def _whole(data: bytes) -> Iterator[Event]:
    """The events in a response that arrived in one piece; it may have one on each line."""
    try:
        whole = parsed(data)
    except json.JSONDecodeError:
        if b"\n" not in data.strip():
            raise
        yield from read_events([data])
    else:
        yield _last_event(whole)


def _last_event(whole: Any) -> Event:
    """A response in one piece, as an event. LM Studio and gateways send errors with status 200."""
    if isinstance(whole, Event):
        if whole.output is not None or whole.status:
            return Event(type="response.completed", response=whole)
        error = whole.error or whole.detail or whole.message
        if error:
            return Event(type="error", error=error)
    raise ValueError("it is no response")


class UnreadableEvent(ValueError):
    """An event whose data is not JSON."""

    def __init__(self, data: bytes) -> None:
        super().__init__("the data of an event is not JSON")
        self.data = data


def read_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream of server-sent events, without data that is not a JSON object.

    Events without data are keep-alives. Some servers send the type only in the `event:` field.

    Raises:
        UnreadableEvent: the data of an event is not JSON, or not UTF-8; or the stream ended, and
            between its events is text, as proxies insert it.
    """
    stray: list[bytes] = []
    for name, data in _event_data(_lines(chunks), stray):
        if data[0].startswith(b"[DONE]"):
            return
        for event in _readable(name, data):
            if isinstance(event, Event):
                if name and event.type is None:
                    event["type"] = name.decode("utf-8", "replace")
                yield event
            elif name == b"error":
                yield Event(type="error", error=event)
    if stray:
        raise UnreadableEvent(b"\n".join(stray))


def _readable(name: bytes, lines: list[bytes]) -> list[Any]:
    """The JSON of an event's data, or of each line if a server leaves out the lines between events.

    Events of other kinds than the API's, such as `ping`, may have any data.
    """
    data = b"\n".join(lines)
    try:
        found = [parsed(data)]
    except ValueError as error:
        if name and not name.startswith(b"response."):
            found = [data.decode("utf-8", "replace")] if name == b"error" else []
        elif len(lines) > 1:
            found = [each for line in lines for each in _readable(name, [line])]
        else:
            raise UnreadableEvent(data) from error
    return found


_FIELDS = (b"data", b"event", b"id", b"retry", b"")  # the last one begins a comment


def _event_data(lines: Iterable[bytes], stray: list[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """The name and data of each event, which ends with an empty line.

    Lines of JSON without a field are events as well. Other text is added to `stray`.
    """
    pending: list[bytes] = []
    name = b""
    for line in _ended(lines):
        field, _, value = line.partition(b":")
        if field == b"data":
            pending.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
        elif not line:
            data = [each for each in pending if each.strip()]
            if data:
                yield name, data
            pending.clear()
            name = b""
        elif line.startswith(b"{"):
            yield from _undressed(line, stray)
        elif field not in _FIELDS and line.strip():
            stray.append(line)


def _undressed(line: bytes, stray: list[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """A line of JSON without `data:`, if it is an event or a response."""
    try:
        whole = parsed(line)
        event = whole if whole.type else _last_event(whole)
    except ValueError:
        stray.append(line)
    else:
        yield b"", [json.dumps(event).encode()]


def _ended(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, and a final empty one, which some servers leave out."""
    lines = iter(lines)
    yield next(lines, b"").removeprefix(_MARK)
    yield from lines
    yield b""


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream; they end with CR, LF or both."""
    pending = bytearray()
    after_return = False
    for chunk in chunks:
        rest = chunk[1:] if after_return and chunk.startswith(b"\n") else chunk
        after_return = chunk.endswith(b"\r") if chunk else after_return
        for line in rest.splitlines(keepends=True):
            pending += line
            if line.endswith((b"\n", b"\r")):
                yield bytes(pending).rstrip(b"\r\n")
                pending.clear()
        if len(pending) > MAX_LINE:
            raise too_much(f"more than {MAX_LINE >> 20} MiB in one line")
    if pending:
        yield bytes(pending)
