"""What comes back: an answer put together from its stream, within a limit of time."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gptasst.api.connection import Connection
from gptasst.api.errors import failed_response, more_context
from gptasst.api.events import Event, FileName, UnreadableEvent, citations, messages, passages
from gptasst.api.failures import masked
from gptasst.api.limits import MAX_ANSWER, patience, too_much
from gptasst.api.tools import hosted_tools, refused_tool, shown_tools
from gptasst.api.types import (
    Capability,
    Endpoint,
    FunctionCall,
    ModelAnswer,
    ModelRequest,
    TextDelta,
    TextPart,
    Usage,
)
from gptasst.errors import GptasstError, InvalidInput, NoAnswer, ServiceError
from gptasst.hints import cmd

_SMALL = f"small models often don't come to an end; {cmd('auth login')} stores a key for a real one"
# A passage of so many characters, so often, is a loop; it is looked for after so many pieces.
_PASSAGE = 120
_REPEATED = 4
_PIECES_BETWEEN_LOOKS = 32
_QUOTED = 200  # characters of what is no event


Filled = Callable[[str, int], int | None]
Stopped = Callable[[int], bool]


class AnswerReader:
    """Puts an answer together from the events of its stream.

    Built from the events themselves: the SDK's own accumulator stops at servers that leave
    out `content_index` (llama.cpp does). What is of another kind than the API has it raises
    `AttributeError` or `TypeError`; see `reading`.

    Args:
        request: what was asked.
        endpoint: the server.
        filled: gives the context of a model if so many tokens fill it.
        file_name: gives the name of a file that is cited by its id alone.
        stopped: tells whether the server itself ends answers at so many tokens; asked where a
            response does not say what its limit was.
        known_tools: what is certain of the server's tools.
    """

    def __init__(
        self,
        request: ModelRequest,
        endpoint: Endpoint,
        filled: Filled = lambda *_: None,
        file_name: FileName = lambda _: None,
        stopped: Stopped = lambda _: False,
        known_tools: Mapping[Capability, bool] | None = None,
    ) -> None:
        self._request = request
        self._endpoint = endpoint
        self._filled = filled
        self._file_name = file_name
        self._stopped = stopped
        self._known_tools = known_tools or {}
        self._items: list[Event] = []
        self._pieces: list[str] = []
        self._commentary: set[str] = set()
        self._refusal: list[str] = []
        self._half = ""
        self._length = 0

    def follow(self, events: Iterable[Event]) -> Iterator[TextDelta | ModelAnswer]:
        for event in _unbroken(events, self._endpoint):
            kind = event.type
            if kind == "response.output_item.added":
                if event.item and event.item.phase == "commentary":
                    self._commentary.add(event.item.id)
            elif kind == "response.output_item.done":
                self._items.append(event.item)
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
        self._length += len(delta)
        if self._length > MAX_ANSWER:
            raise too_much(f"an answer of more than {MAX_ANSWER:,} characters")
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
        words = str(message or "no reason given")
        refused = refused_tool(masked(words, self._endpoint), self._request, self._endpoint)
        return refused or failed_response(
            code if isinstance(code, str) else None, words, self._request.model, self._endpoint
        )

    def finish(self, response: Event) -> Iterator[TextDelta | ModelAnswer]:
        """What a response comes to at its end: the text that is still missing, the answer.

        Raises:
            NoAnswer: it can't be used; its `usage` says what it took all the same.
        """
        try:
            yield from self._finish(response)
        except GptasstError as error:
            error.usage = error.usage or _usage(response)
            raise

    def _finish(self, response: Event) -> Iterator[TextDelta | ModelAnswer]:
        if response.status == "failed":
            raise self._failed(response.error)
        output = response.output or self._items  # servers leave out what they sent before
        refusal = "".join(self._refusal) or _refusal_of(output)
        if refusal:
            raise NoAnswer(f"the model refused: {refusal}", code="refused")
        if self._half:  # its other half never came
            self._half = ""
            yield from self._piece("\N{REPLACEMENT CHARACTER}")
        text = "".join(self._pieces)
        if not text:  # a server that sends the text only with the end
            text = whole_characters(_text_of(output))
            if text:
                yield TextDelta(text)
        usage = _usage(response)
        self._refuse_cut_off(response, usage)
        calls = function_calls(output) if self._request.functions else ()
        if not text and not calls:
            raise NoAnswer("the model returned an empty answer", hint="run it again", code="empty")
        yield ModelAnswer(
            text=text,
            model=response.model if isinstance(response.model, str) else self._request.model,
            response_id=response.id if isinstance(response.id, str) else "",
            usage=usage,
            citations=citations(output, self._file_name),
            tools=self._tools(response, output),
            calls=calls,
            passages=passages(output),
        )

    def _tools(self, response: Event, output: Any) -> dict[Capability, bool | None]:
        """What it shows of the hosted tools that the model was offered."""
        seen = json.dumps([response.tools, output])
        asked = hosted_tools(self._request)
        return shown_tools(asked, response.tools, seen, self._known_tools)

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
        untold = limit is None and "max_output_tokens" not in response
        if usage and untold and self._stopped(usage.output):
            raise NoAnswer(
                f"the answer was cut off at {usage.output:,} tokens, a limit of the server's own",
                hint="start the server with a larger one (llama.cpp: `-n`), or send less",
                code="incomplete",
            )
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


def _unbroken(events: Iterable[Event], endpoint: Endpoint) -> Iterator[Event]:
    """The events; what can't be read after the first of them is the end of an answer.

    Raises:
        ValueError: the first one can't be read.
        NoAnswer: another one can't; proxies put their own words there when the server is gone.
    """
    begun = False
    try:
        for event in events:
            begun = True
            yield event
    except UnreadableEvent as error:
        if not begun:
            raise
        said = masked(" ".join(error.data.decode("utf-8", "replace").split()), endpoint)
        raise broken_off(f"the server sent `{said[:_QUOTED]}`, which is no event") from error


def whole_answer(
    response: Event, model: str, endpoint: Endpoint, filled: Filled, received: list[str]
) -> ModelAnswer:
    """The answer in a response that came in one piece.

    `filled` is as `AnswerReader` takes it. `received` gets the text, of an answer that was cut off,
    too.

    Raises:
        NoAnswer: the model refused, failed, or was cut off.
    """
    request = ModelRequest(model=model, instructions="", parts=(), timeout=0.0)
    for event in AnswerReader(request, endpoint, filled).finish(response):
        if isinstance(event, ModelAnswer):
            return event
        received.append(event.text)
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


def _text_of(output: object) -> str:
    """The text of a response.

    Raises:
        AttributeError, TypeError: there is none, and what stands in its place is not the API's.
    """
    items: Any = output or ()
    parts = [part for part in messages(output) if part.type == "output_text"]
    if not parts and not all(isinstance(item, Event) for item in items):
        raise TypeError
    return "".join(part.text for part in parts)


def _refusal_of(output: object) -> str:
    refusals = (part.refusal for part in messages(output) if part.type == "refusal")
    return "".join(refusal for refusal in refusals if isinstance(refusal, str))


def _usage(response: Event) -> Usage | None:
    usage = response.usage
    if not isinstance(usage, Event):
        return None
    read, written = usage.input_tokens, usage.output_tokens
    if not (isinstance(read, int) and isinstance(written, int)):
        return None
    given = usage.input_tokens_details
    return Usage(
        read,
        written,
        cached=_detail(given, "cached_tokens"),
        reasoning=_detail(usage.output_tokens_details, "reasoning_tokens"),
        written=_detail(given, "cache_write_tokens"),
    )


def _detail(details: object, name: str) -> int:
    """A number that servers leave out, or give as nothing."""
    value = details.get(name) if isinstance(details, Event) else None
    return value if isinstance(value, int) else 0


def refuse_web_page(response: Any) -> None:
    """Raise if a server answered with HTML, as a wrong base URL makes it do."""
    content_type = response.headers.get("content-type", "")
    if "text/html" in content_type:
        raise ServiceError(
            f"{response.request.url.host} sent a web page instead of an answer",
            hint="is the base URL right? it usually ends in /v1",
            code="not_an_api",
        )


# What a count takes of a request.
_COUNTED = ("model", "instructions", "input", "conversation", "tools", "text", "reasoning")
_SECONDS = 30.0


def with_count(refused: InvalidInput, connection: Connection, body: dict[str, Any]) -> InvalidInput:
    """The refusal of an input that is too long, with its length where the server counts.

    How much a model takes, the API says nowhere: only its refusal does, which costs nothing.
    """
    counted = {name: body[name] for name in _COUNTED if name in body}
    with contextlib.suppress(GptasstError), connection.errors():
        count = connection.post("/responses/input_tokens", counted, patience(_SECONDS))
        message = f"{refused.message} (it is {count['input_tokens']:,} tokens)"
        return InvalidInput(message, hint=refused.advice, code=refused.code)
    return refused


# Ollama: "… does not support tools"; vLLM: '"auto" tool choice requires …'; llama.cpp: "tools param
# requires --jinja flag"; others refuse `function_call` items or the field `tools`.
_ABOUT_FUNCTIONS = re.compile(r"\btools?\b|\btool[_ -]|\bfunctions?\b|\bfunction[_ -]call|--jinja")

_REFUSALS = ("bad_request", "service_error", "failed", "no_endpoint")


def function_calls(output: object) -> tuple[FunctionCall, ...]:
    """The calls among the items of a response; those that can't be answered are left out."""
    items: Any = output if isinstance(output, list) else ()
    found = []
    for item in items:
        if not (isinstance(item, Event) and item.type == "function_call"):
            continue
        ident = item.call_id or item.id
        if isinstance(ident, str) and isinstance(item.name, str):
            found.append(FunctionCall(ident, item.name, _arguments(item.arguments)))
    return tuple(found)


def _arguments(value: object) -> str:
    return value if isinstance(value, str) else ""


def refuses_functions(error: GptasstError) -> bool:
    """Whether a server's words say that it is the functions that it does not take."""
    return error.code in _REFUSALS and bool(_ABOUT_FUNCTIONS.search(error.message.lower()))
