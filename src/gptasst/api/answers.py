"""What comes back: an answer put together from its stream, within a limit of time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import openai

from gptasst.api.errors import failed_response, more_context
from gptasst.api.events import Event
from gptasst.api.requests import patience
from gptasst.api.types import (
    Citation,
    Endpoint,
    ModelAnswer,
    ModelRequest,
    TextDelta,
    TextPart,
    Usage,
)
from gptasst.errors import GptasstError, NoAnswer, ServiceError

_SMALL = "small models often don't come to an end; `gptasst auth login` keeps a key for a real one"
# A passage of so many characters, so often, is a loop; it is looked for after so many pieces.
_PASSAGE = 120
_REPEATED = 4
_PIECES_BETWEEN_LOOKS = 32


Filled = Callable[[str, int], int | None]


class Deadline:
    """Ends a stream when its time is over, even while the server keeps sending signs of life."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._timer: threading.Timer | None = None
        self.passed = False

    def left(self) -> float:
        return max(self._end - time.monotonic(), 0.001)

    def for_request(self) -> openai.Timeout:
        return patience(self.left())

    def watch(self, response: Any) -> None:
        self._timer = threading.Timer(self.left(), self._cut, (response,))
        self._timer.daemon = True
        self._timer.start()

    def _cut(self, response: Any) -> None:
        self.passed = True
        stream = response.extensions.get("network_stream")
        raw = stream.get_extra_info("socket") if stream is not None else None
        with contextlib.suppress(OSError):
            if raw is not None:  # closing alone would not wake the thread that reads
                raw.shutdown(socket.SHUT_RDWR)

    def check(self, seconds: float) -> None:
        """Raise if what went wrong was this deadline."""
        if self.passed or time.monotonic() >= self._end:
            raise ServiceError(
                f"no whole answer within {seconds:g} s",
                hint="--timeout SECONDS of `run`, or GPTASST_TIMEOUT, allows more",
                code="timeout",
            )

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class AnswerReader:
    """Puts an answer together from the events of its stream.

    Built from the events themselves: the SDK's own accumulator stops at servers that leave
    out `content_index` (llama.cpp does). What is of another kind than the API has it raises
    `AttributeError` or `TypeError`; see `reading`.

    Args:
        request: what was asked.
        endpoint: the server.
        filled: gives the context of a model if so many tokens fill it.
    """

    def __init__(
        self, request: ModelRequest, endpoint: Endpoint, filled: Filled = lambda *_: None
    ) -> None:
        self._request = request
        self._endpoint = endpoint
        self._filled = filled
        self._pieces: list[str] = []
        self._commentary: set[str] = set()
        self._refusal: list[str] = []
        self._half = ""

    def follow(self, events: Iterable[Event]) -> Iterator[TextDelta | ModelAnswer]:
        for event in events:
            kind = event.type
            if kind == "response.output_item.added":
                if event.item and event.item.phase == "commentary":
                    self._commentary.add(event.item.id)
            elif kind == "response.output_text.delta":
                if event.item_id not in self._commentary and event.delta:
                    yield from self._piece(event.delta)
            elif kind == "response.refusal.delta":
                self._refusal.append(event.delta or "")
            elif kind == "error" or event.error:
                raise self._failed(event.error or event)
            elif kind in ("response.completed", "response.incomplete", "response.failed"):
                yield from self.finish(event.response)
                return
        raise broken_off("the server ended the stream in the middle")

    def _piece(self, delta: str) -> Iterator[TextDelta]:
        """A piece of whole characters: JSON may bring half of one, its other half with the next."""
        text = self._half + delta
        self._half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        text = whole_characters(text.removesuffix(self._half))
        if text:
            self._pieces.append(text)
            yield TextDelta(text)
        if self._endpoint.embedded and len(self._pieces) % _PIECES_BETWEEN_LOOKS == 0:
            self._refuse_repetition()

    def _refuse_repetition(self) -> None:
        """Raise if a passage comes again and again, more often than it was in what was asked.

        A small model that does so goes on until its context is full, for minutes.
        """
        text = "".join(self._pieces)
        passage = text[-_PASSAGE:]
        times = text.count(passage)
        asked = "".join(part.text for part in self._request.parts if isinstance(part, TextPart))
        if len(passage) == _PASSAGE and times >= _REPEATED and times > asked.count(passage):
            raise NoAnswer("the embedded model repeats itself", hint=_SMALL, code="incomplete")

    def _failed(self, error: Any) -> GptasstError:
        """The error of an answer from what a server says of it: an object, words, or nothing."""
        code, message = None, error
        if isinstance(error, Event):
            kind = None if error.type == "error" else error.type  # that of the event itself
            code, message = error.code or kind, error.message
        return failed_response(
            code if isinstance(code, str) else None,
            str(message or "no reason given"),
            self._request.model,
            self._endpoint,
        )

    def finish(self, response: Event) -> Iterator[TextDelta | ModelAnswer]:
        """What a response comes to at its end: the text that is still missing, the answer."""
        if response.status == "failed":
            raise self._failed(response.error)
        refusal = "".join(self._refusal) or _refusal_of(response)
        if refusal:
            raise NoAnswer(f"the model refused: {refusal}", code="refused")
        usage = _usage(response)
        self._refuse_cut_off(response, usage)
        if self._half:  # its other half never came
            self._half = ""
            yield from self._piece("\N{REPLACEMENT CHARACTER}")
        text = "".join(self._pieces)
        if not text:  # a server that sends the text only with the end
            text = whole_characters(_text_of(response))
            if text:
                yield TextDelta(text)
        if not text:
            raise NoAnswer("the model gave an empty answer", hint="run it again", code="empty")
        yield ModelAnswer(
            text=text,
            model=response.model or self._request.model,
            response_id=response.id or "",
            usage=usage,
            citations=_citations(response),
        )

    def _refuse_cut_off(self, response: Event, usage: Usage | None) -> None:
        limit = self._request.settings.max_output_tokens or response.max_output_tokens
        limit = limit if isinstance(limit, int) else None
        if response.status == "incomplete":
            details = response.incomplete_details
            reason = details.reason if details else None
            if reason == "content_filter":
                raise NoAnswer("the answer was stopped by the content filter", code="incomplete")
            raise self._cut_off(str(reason or "no reason given"), limit)
        # llama.cpp calls an answer completed that ran into a limit, and so do proxies.
        if usage and limit and usage.output >= limit:
            raise self._cut_off("max_output_tokens", limit)
        window = self._filled(self._request.model, usage.input + usage.output) if usage else None
        if window:
            raise self._cut_off(f"the context of {window:,} tokens is full", None)

    def _cut_off(self, reason: str, limit: int | None) -> NoAnswer:
        if reason == "max_output_tokens" and limit is not None:
            raise_it = "raise `max_output_tokens` in the definition's [settings], or send less"
            return NoAnswer(
                f"the answer was cut off at {limit:,} tokens",
                hint=_SMALL if self._endpoint.embedded else raise_it,
                code="incomplete",
            )
        return NoAnswer(
            f"the answer was cut off: {reason}",
            hint=more_context(self._endpoint),
            code="incomplete",
        )


def whole_answer(response: Event, model: str, endpoint: Endpoint) -> ModelAnswer:
    """The answer in a response that came in one piece.

    Raises:
        NoAnswer: the model refused, failed, or was cut off.
    """
    request = ModelRequest(model=model, instructions="", parts=(), timeout=0.0)
    for event in AnswerReader(request, endpoint).finish(response):
        if isinstance(event, ModelAnswer):
            return event
    raise AssertionError  # the last event is the answer, or an error is raised


def whole_characters(text: str) -> str:
    """A text that can be written as UTF-8: halves of characters are put together or replaced."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def broken_off(reason: str) -> NoAnswer:
    error = NoAnswer(f"the answer broke off: {reason}", hint="run it again", code="broken_off")
    error.transient = True
    return error


def _messages(response: Event) -> Iterator[Any]:
    for item in response.output or ():
        if item.type == "message" and item.phase != "commentary":
            yield from item.content or ()


def _text_of(response: Event) -> str:
    return "".join(part.text for part in _messages(response) if part.type == "output_text")


def _refusal_of(response: Event) -> str:
    return "".join(part.refusal for part in _messages(response) if part.type == "refusal")


def _citations(response: Event) -> tuple[Citation, ...]:
    found: dict[tuple[str, str | None], Citation] = {}
    results = _search_results(response)
    for part in _messages(response):
        for annotation in part.annotations or ():
            if annotation.type == "file_citation":
                citation = _file_citation(annotation, results)
            elif annotation.type == "url_citation":
                citation = Citation(annotation.url, quote=annotation.title or "")
            else:
                continue
            found.setdefault((citation.path, citation.file_id), citation)
    return tuple(found.values())


def _search_results(response: Event) -> list[Any]:
    """What file search found, best first."""
    calls = (item for item in response.output or () if item.type == "file_search_call")
    found = [result for call in calls for result in call.results or ()]
    return sorted(found, key=lambda result: -(result.score or 0.0))


def _file_citation(annotation: Any, results: list[Any]) -> Citation:
    """A citation by the path that the file has for its owner, with the passage found in it.

    Servers differ in which id a citation carries, so the name serves where the id is unknown.
    """
    same = [result for result in results if result.file_id == annotation.file_id]
    same = same or [result for result in results if result.filename == annotation.filename]
    if not same:
        return Citation(annotation.filename, file_id=annotation.file_id)
    path = (same[0].attributes or {}).get("path") or annotation.filename
    return Citation(str(path), quote=same[0].text or "", file_id=annotation.file_id)


def _usage(response: Event) -> Usage | None:
    usage = response.usage
    if usage is None:
        return None
    read, written = usage.input_tokens, usage.output_tokens
    if not (isinstance(read, int) and isinstance(written, int)):
        return None
    # Servers leave the details out, or give them as nothing.
    cached = getattr(usage.input_tokens_details, "cached_tokens", None)
    reasoning = getattr(usage.output_tokens_details, "reasoning_tokens", None)
    return Usage(read, written, cached or 0, reasoning or 0)


def refuse_web_page(response: Any) -> None:
    """Raise if a server answered with HTML, as a wrong base URL makes it do."""
    content_type = response.headers.get("content-type", "")
    if "text/html" in content_type:
        raise ServiceError(
            f"{response.request.url.host} sent a web page instead of an answer",
            hint="is the base URL right? it usually ends in /v1",
            code="not_an_api",
        )
