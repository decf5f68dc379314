"""The model's answer: put together from the events of a stream, within a time limit."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from gptasst.api.capabilities import Capability
from gptasst.api.connection import Connection
from gptasst.api.errors import failed_response, more_context
from gptasst.api.events import Event, UnreadableEvent
from gptasst.api.failures import filter_categories, filtered_for, words_in
from gptasst.api.limits import MAX_ANSWER, patience, too_much
from gptasst.api.masking import masked
from gptasst.api.response_items import (
    FileName,
    answer_text,
    carried_items,
    citations,
    final_response,
    function_calls,
    is_readable,
    passages,
    reasoning_summary,
    refusal,
    text_in,
    tokens,
    tool_approvals,
    usage_of,
)
from gptasst.api.tools import hosted_tools, refused_tool, shown_parameters, shown_tools
from gptasst.api.types import (
    Endpoint,
    ModelAnswer,
    ModelRequest,
    TextDelta,
    TextPart,
    Usage,
)
from gptasst.errors import GptasstError, InvalidInput, NoAnswer, ServiceError
from gptasst.hints import cmd

_SMALL = f"small models often don't come to an end; {cmd('auth login')} stores a key for a real one"
# A passage of this many characters, repeated this often, is a loop; checked every so many pieces.
_PASSAGE = 120
_REPEATED = 4
_PIECES_BETWEEN_LOOKS = 32
_QUOTED = 200  # characters shown of data that is not an event


_LAST = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
# A server may send these for an answer that was not finished; `failed` and `incomplete` have
# reasons of their own.
_UNFINISHED = ("cancelled", "queued", "in_progress")

Filled = Callable[[str, int], int | None]
Stopped = Callable[[int], bool]


class AnswerReader:
    """Build an answer from the events of its stream.

    Built from the events themselves: the SDK's own accumulator stops at servers that leave
    out `content_index` (llama.cpp does). A value of an unexpected type raises
    `AttributeError` or `TypeError`; see `reading`.

    Args:
        request: the request that was sent.
        endpoint: the server.
        filled: returns a model's context size if the given number of tokens fills it.
        file_name: returns the name of a file that is cited only by its id.
        stopped: whether the server itself ends answers at this number of tokens; called if a
            response does not state its limit.
        known_tools: the server's tools, as far as they are certain.
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
        self._ended: list[str] = []
        self._commentary: set[str] = set()
        self._refusal: list[str] = []
        self._half = ""
        self._length = 0

    def follow(self, events: Iterable[Event]) -> Iterator[TextDelta | ModelAnswer]:
        for event in _unbroken(events, self._endpoint):
            if event.type == "error" or event.error:
                raise self._failed(event.error or event)
            if event.type in _LAST:
                yield from self.finish(final_response(event))
                return
            if event.type == "response.output_text.delta":
                if self._is_answer(event) and text_in(event.delta):
                    yield from self._piece(event.delta)
            else:
                self._keep(event)
        raise broken_off("the server ended the stream in the middle")

    def _is_answer(self, event: Event) -> bool:
        """Whether a text is part of the answer, and not of the model's commentary."""
        return not event.item_id or text_in(event.item_id) not in self._commentary

    def _keep(self, event: Event) -> None:
        """Remember what may be missing in the last event."""
        kind, item = event.type, event.item
        if kind == "response.output_item.added":
            if isinstance(item, Event) and item.phase == "commentary" and text_in(item.id):
                self._commentary.add(item.id)
        elif kind == "response.output_item.done":
            self._items.append(item)
        elif kind == "response.output_text.done" and self._is_answer(event):
            self._ended.append(text_in(event.text))
        elif kind == "response.refusal.delta":
            self._refusal.append(text_in(event.delta))

    def _piece(self, delta: str) -> Iterator[TextDelta]:
        """A piece of whole characters: JSON may split a character between two events."""
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
        """Raise if the answer repeats a passage more often than the request contains it.

        A small model that repeats itself goes on for minutes, until its context is full.
        """
        text = "".join(self._pieces)
        passage = text[-_PASSAGE:]
        times = text.count(passage)
        asked = "".join(part.text for part in self._request.parts if isinstance(part, TextPart))
        if len(passage) == _PASSAGE and times >= _REPEATED and times > asked.count(passage):
            raise NoAnswer("the embedded model repeats itself", hint=_SMALL, code="incomplete")

    def _failed(self, error: object) -> GptasstError:
        """The error for a failed answer, from the server's `error`: an object, text, or nothing."""
        words = masked(words_in(error), self._endpoint)
        refused = refused_tool(words, self._request, self._endpoint)
        code = error.code if isinstance(error, Event) else None
        if self._pieces and filtered_for(code, error) is not None:
            return _filtered(error)
        return refused or failed_response(error, self._request.model, self._endpoint)

    def finish(self, response: Event) -> Iterator[TextDelta | ModelAnswer]:
        """Finish a response: yield the text that is still missing, then the answer.

        Raises:
            NoAnswer: it can't be used; its `usage` has the tokens that it used anyway.
        """
        try:
            yield from self._finish(response)
        except GptasstError as error:
            error.usage = error.usage or usage_of(response)
            raise

    def _finish(self, response: Event) -> Iterator[TextDelta | ModelAnswer]:
        if response.status == "failed":
            raise self._failed(response.error)
        output = response.output or self._items  # some servers leave out what they already sent
        refused = "".join(self._refusal) or refusal(output)
        if refused:
            raise NoAnswer(f"the model refused: {refused}", code="refused")
        if self._half:  # the other half never arrived
            self._half = ""
            yield from self._piece("\N{REPLACEMENT CHARACTER}")
        yield from self._missing(output)
        text = "".join(self._pieces)
        usage = usage_of(response)
        if response.status in _UNFINISHED:
            raise broken_off(f"the server ended it with the status `{response.status}`")
        self._refuse_cut_off(response, usage)
        calls = function_calls(output) if self._request.functions else ()
        approvals = tool_approvals(output) if self._request.mcp else ()
        if not text and not calls and not approvals:
            raise NoAnswer("the model returned an empty answer", hint="run it again", code="empty")
        yield ModelAnswer(
            text=text,
            model=response.model if isinstance(response.model, str) else self._request.model,
            response_id=response.id if isinstance(response.id, str) else "",
            usage=usage,
            citations=citations(output, self._file_name),
            tools=self._tools(response, output),
            calls=calls,
            approvals=approvals,
            carried=carried_items(output) if approvals else (),
            passages=passages(output),
            reasoning=reasoning_summary(output),
        )

    def _missing(self, output: object) -> Iterator[TextDelta]:
        """The text that the last event has beyond the pieces; some servers send it only there.

        Raises:
            TypeError: there is no text, and the output is not in the API's form.
        """
        sent = "".join(self._pieces)
        whole = whole_characters(answer_text(output) or answer_text(self._items))
        whole = whole or ("" if sent else whole_characters("".join(self._ended)))
        if whole.startswith(sent) and len(whole) > len(sent):
            yield from self._piece(whole[len(sent) :])
        if not sent and not whole and not is_readable(output):
            raise TypeError

    def _tools(self, response: Event, output: Any) -> dict[Capability, bool | None]:
        """What the response shows about the hosted tools that were offered."""
        seen = json.dumps([response.tools, output])
        asked = hosted_tools(self._request)
        shown = shown_tools(asked, response.tools, seen, self._known_tools)
        return shown | shown_parameters(self._request, response, self._known_tools)

    def _refuse_cut_off(self, response: Event, usage: Usage | None) -> None:
        limit = self._request.settings.max_output_tokens or tokens(response.max_output_tokens)
        if response.status == "incomplete":
            details = response.incomplete_details
            reason = details.reason if isinstance(details, Event) else details
            if reason == "content_filter":
                raise _filtered(response)
            raise self._cut_off(str(reason or "no reason given"), limit)
        # llama.cpp and some proxies report `completed` for an answer that ran into a limit.
        if usage and limit and usage.output >= limit:
            raise self._cut_off("max_output_tokens", limit)
        untold = limit is None and "max_output_tokens" not in response
        if usage and untold and self._stopped(usage.output):
            raise NoAnswer(
                f"the answer was cut off at {usage.output:,} tokens, a limit of the server's own",
                hint="set `max_output_tokens` in the definition's [settings], start the server with"
                " a larger one (llama.cpp: `-n`), or send less",
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


def _filtered(said: object) -> NoAnswer:
    """The error for an answer that a content filter stopped in the middle."""
    found = filter_categories(said)
    why = f": {found}" if found else ""
    return NoAnswer(f"the answer was stopped by the content filter{why}", code="incomplete")


def _unbroken(events: Iterable[Event], endpoint: Endpoint) -> Iterator[Event]:
    """The events; unreadable data after the first event means that the answer broke off.

    Raises:
        ServiceError: the first event can't be read.
        NoAnswer: a later event can't be read, or the first is cut off; proxies insert their own
            text when a server is gone.
    """
    begun = False
    try:
        for event in events:
            begun = True
            yield event
    except UnreadableEvent as error:
        said = masked(" ".join(error.data.decode("utf-8", "replace").split()), endpoint)
        if not begun and not said.startswith("{"):
            raise ServiceError(
                f"{endpoint.name} sent `{said[:_QUOTED]}`, which is not an answer of the API",
                hint="is the base URL right? it usually ends in /v1",
                code="not_an_api",
            ) from error
        raise broken_off(f"the server sent `{said[:_QUOTED]}`, which is no event") from error


def whole_answer(
    response: Event, model: str, endpoint: Endpoint, filled: Filled, received: list[str]
) -> ModelAnswer:
    """The answer in a response that came in one piece.

    `filled` is the argument of `AnswerReader`. `received` is called with the text, also when the
    answer was cut off.

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
    """Text that can be encoded as UTF-8: split surrogates are joined or replaced."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def broken_off(reason: str) -> NoAnswer:
    error = NoAnswer(f"the answer broke off: {reason}", hint="run it again", code="broken_off")
    error.transient = True
    return error


def refuse_web_page(response: Any) -> None:
    """Raise if a server answered with HTML, which usually means that the base URL is wrong."""
    content_type = response.headers.get("content-type", "")
    if "text/html" in content_type:
        raise ServiceError(
            f"{urlsplit(str(response.url)).hostname} sent a web page instead of an answer",
            hint="is the base URL right? it usually ends in /v1",
            code="not_an_api",
        )


# The fields of a request that a token count uses.
_COUNTED = ("model", "instructions", "input", "conversation", "tools", "text", "reasoning")
_SECONDS = 30.0


def with_count(refused: InvalidInput, connection: Connection, body: dict[str, Any]) -> InvalidInput:
    """The error for an input that is too long, with its length where the server can count it.

    The API reports a model's context size only when it refuses an input; a refusal is free.
    """
    count = input_tokens(connection, body)
    if count is None:
        return refused
    message = f"{refused.message} (it is {count:,} tokens)"
    return InvalidInput(message, hint=refused.advice, code=refused.code)


def input_tokens(connection: Connection, body: dict[str, Any]) -> int | None:
    """The tokens of a request's input as the server counts them, or `None` if it does not count."""
    counted = {name: body[name] for name in _COUNTED if name in body}
    with contextlib.suppress(GptasstError), connection.errors():
        count = connection.post("/responses/input_tokens", counted, patience(_SECONDS))
        return int(count["input_tokens"])
    return None


# Ollama: "… does not support tools"; vLLM: '"auto" tool choice requires …'; llama.cpp: "tools param
# requires --jinja flag"; others refuse `function_call` items or the field `tools`.
_ABOUT_FUNCTIONS = re.compile(r"\btools?\b|\btool[_ -]|\bfunctions?\b|\bfunction[_ -]call|--jinja")

_REFUSALS = ("bad_request", "service_error", "failed", "no_endpoint")


def refuses_functions(error: GptasstError) -> bool:
    """Whether a server's message says that it does not support function tools."""
    return error.code in _REFUSALS and bool(_ABOUT_FUNCTIONS.search(error.message.lower()))
