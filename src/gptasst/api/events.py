"""The events of a streamed response, read without the SDK's models.

To build those models takes the SDK most of a second before its first event, and to fill them
several times what reading the JSON takes: noticeable in one run, and decisive where dozens of
answers arrive at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

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


def read_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream of server-sent events; what is no JSON object is left out.

    Raises:
        json.JSONDecodeError: the data of an event is not JSON.
        UnicodeDecodeError: it is not UTF-8.
    """
    for data in _event_data(_lines(chunks)):
        if data.startswith(b"[DONE]"):
            return
        event = json.loads(data.decode("utf-8"), object_hook=Event)
        if isinstance(event, Event):
            yield event


def _event_data(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The data of each event: its `data` fields, up to the empty line that ends it."""
    pending: list[bytes] = []
    for line in lines:
        if line.startswith(b"data:"):
            pending.append(line[5:].removeprefix(b" "))
        elif not line and pending:
            yield b"\n".join(pending)
            pending.clear()
    if pending:  # a server that forgets the last empty line
        yield b"\n".join(pending)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
    if rest:
        yield rest.removesuffix(b"\r")
