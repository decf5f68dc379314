"""The events of a streamed response, read without the SDK's models.

The SDK needs most of a second to build those models before its first event, and several times
as long as reading the JSON to fill them: noticeable in one run, and decisive when dozens of
answers arrive at once.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gptasst.api.limits import MAX_LINE, too_much
from gptasst.api.types import Citation, FoundText, ToolApproval
from gptasst.api.upload_marks import shown_name

if TYPE_CHECKING:
    from gptasst.api.attempts import Response


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
    if "json" in kind:
        yield _last_event(json.loads(response.read().decode("utf-8"), object_hook=Event))
        return
    events = read_events(chunks)
    if "event-stream" not in kind:  # some servers send a stream with another content type
        first = next(events, None)
        if first is None:
            raise ValueError("there is no event in it")
        yield first
    yield from events


def _last_event(whole: Any) -> Event:
    """A response in one piece, as an event. LM Studio sends errors with status 200."""
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
    """The events of a stream of server-sent events, without data that is not a JSON object.

    Events without data are keep-alives. Some servers send the type only in the `event:` field.

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
    """The name and data of each event, which ends with an empty line."""
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
    """The lines, and a final empty one, which some servers leave out."""
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


# Returns the name of a file on the server, if it can be found out.
FileName = Callable[[str], str | None]


def messages(output: object) -> Iterator[Event]:
    """The parts of all messages among the items of a response."""
    for item in _events(output):
        if item.type == "message" and item.phase != "commentary":
            yield from _events(item.content)


def citations(output: object, file_name: FileName) -> tuple[Citation, ...]:
    """The citations in the messages of a response.

    Args:
        output: the items of the response.
        file_name: called for a citation that has only the id of a file.
    """
    found: dict[tuple[str, str | None], Citation] = {}
    results = _search_results(output)
    for part in messages(output):
        for annotation in _events(part.annotations):
            citation = None
            if annotation.type == "file_citation":
                citation = _file_citation(annotation, results, file_name)
            elif annotation.type == "url_citation" and _text(annotation.url):
                citation = Citation(_text(annotation.url), quote=_text(annotation.title))
            if citation:
                found.setdefault((citation.path, citation.file_id), citation)
    return tuple(found.values())


def passages(output: object) -> tuple[FoundText, ...]:
    """The passages that file search found for an answer, best first, without duplicates."""
    found: dict[tuple[str, str], FoundText] = {}
    for result in _search_results(output):
        path, text = _path_of(result), _text(result.text)
        if path and text:
            ident = _text(result.file_id) or None
            score = None if result.score is None else _score(result.score)
            found.setdefault((path, text), FoundText(path, text, "", score, ident))
    return tuple(found.values())


def _path_of(result: Event) -> str:
    attributes: Any = result.attributes if isinstance(result.attributes, dict) else {}
    return _text(attributes.get("path")) or shown_name(_text(result.filename))


def _search_results(output: object) -> list[Event]:
    """The results of file search, best first."""
    calls = (item for item in _events(output) if item.type == "file_search_call")
    found = [result for call in calls for result in _events(call.results)]
    return sorted(found, key=lambda result: -_score(result.score))


def _score(value: object) -> float:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        score = float(value)  # type: ignore[arg-type]  # text or anything else
        return score if math.isfinite(score) else 0.0
    return 0.0


def _file_citation(annotation: Event, results: list[Event], file_name: FileName) -> Citation | None:
    """A citation with the file's original path and the passage found in it.

    Servers differ in which id a citation has, so an unknown id is looked up by name.
    """
    ident, name = _text(annotation.file_id), _text(annotation.filename)
    same = [result for result in results if ident and result.file_id == ident]
    same = same or [result for result in results if name and result.filename == name]
    best = same[0] if same else Event()
    path = _path_of(best) or shown_name(name or (ident and file_name(ident)) or ident)
    return Citation(path, quote=_text(best.text), file_id=ident or None) if path else None


def _events(value: object) -> Iterator[Event]:
    """The objects in a value that should be a list of objects."""
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, Event))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def reasoning_summary(output: object) -> str:
    """The model's summary of its reasoning, a paragraph for each part; empty if there is none."""
    items: Any = output if isinstance(output, list) else ()
    texts = [
        part.text
        for item in items
        if isinstance(item, Event) and item.type == "reasoning" and isinstance(item.summary, list)
        for part in item.summary
        if isinstance(part, Event) and isinstance(part.text, str)
    ]
    return "\n\n".join(text.strip() for text in texts if text.strip())


def tool_approvals(output: object) -> tuple[ToolApproval, ...]:
    """The calls among the items of a response that wait for a yes."""
    items: Any = output if isinstance(output, list) else ()
    return tuple(
        ToolApproval(
            item.id,
            str(item.server_label),
            str(item.name),
            item.arguments if isinstance(item.arguments, str) else "",
        )
        for item in items
        if isinstance(item, Event)
        and item.type == "mcp_approval_request"
        and isinstance(item.id, str)
    )


# What an answer after a yes needs of the items before it; the server has kept none of them.
_CARRIED = ("mcp_list_tools", "mcp_call", "mcp_approval_request")


def carried_items(output: object) -> tuple[Mapping[str, Any], ...]:
    """The items of a response that the next request of the same answer repeats."""
    items: Any = output if isinstance(output, list) else ()
    return tuple(dict(item) for item in items if isinstance(item, Event) and item.type in _CARRIED)
