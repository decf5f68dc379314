"""The events of a streamed response, read without the SDK's models.

To build those models takes the SDK most of a second before its first event, and to fill them
several times what reading the JSON takes: noticeable in one run, and decisive where dozens of
answers arrive at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from gptasst.api.limits import MAX_LINE, too_much

if TYPE_CHECKING:
    import httpx2


class Event(dict[str, Any]):
    """A JSON object whose fields are attributes too; one that is not there is `None`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


def answer_events(response: httpx2.Response) -> Iterator[Event]:
    """The events of an answer; one that comes whole is its own last event.

    Raises:
        ValueError: it is not what the API sends.
        httpx2.HTTPError: the connection was lost.
        OverLimit: there is too much of it.
    """
    kind = response.headers.get("content-type", "")
    if "json" in kind:
        yield _last_event(json.loads(response.read().decode("utf-8"), object_hook=Event))
        return
    events = read_events(response.iter_bytes())
    if "event-stream" not in kind:  # some servers call a stream something else
        first = next(events, None)
        if first is None:
            raise ValueError("there is no event in it")
        yield first
    yield from events


def _last_event(whole: Any) -> Event:
    """A response that came in one piece as an event. LM Studio gives errors with 200, too."""
    if isinstance(whole, Event) and (whole.output is not None or whole.status):
        return Event(type="response.completed", response=whole)
    if isinstance(whole, Event) and whole.error:
        return Event(type="error", error=whole.error)
    raise ValueError("it is no response")


class UnreadableEvent(ValueError):
    """An event whose data is not JSON."""

    def __init__(self, data: bytes) -> None:
        super().__init__("the data of an event is not JSON")
        self.data = data


def read_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream of server-sent events; what is no JSON object is left out.

    Events without data are signs of life. Some servers give the type beside the data only.

    Raises:
        UnreadableEvent: the data of an event is not JSON, or not UTF-8.
    """
    for name, data in _event_data(_lines(chunks)):
        if data.startswith(b"[DONE]"):
            return
        try:
            event = json.loads(data.decode("utf-8"), object_hook=Event)
        except ValueError as error:
            raise UnreadableEvent(data) from error
        if isinstance(event, Event):
            if name and event.type is None:
                event["type"] = name.decode("utf-8", "replace")
            yield event


def _event_data(lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The name and data of each event: its fields, up to the empty line that ends it."""
    pending: list[bytes] = []
    name = b""
    for line in _ended(lines):
        field, _, value = line.partition(b":")
        if field == b"data":
            pending.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
        elif not line:
            data = b"\n".join(pending)
            if data.strip():
                yield name, data
            pending.clear()
            name = b""


def _ended(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, and the last empty one that servers forget."""
    yield from lines
    yield b""


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    pending = bytearray()
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            pending += line
            yield bytes(pending).removesuffix(b"\r")
            pending.clear()
        pending += rest
        if len(pending) > MAX_LINE:
            raise too_much(f"more than {MAX_LINE >> 20} MiB in one line")
    if pending:
        yield bytes(pending).removesuffix(b"\r")
