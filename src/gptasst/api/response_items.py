"""What a response holds: text, refusals, calls, citations, usage.

Servers send anything in place of what the API documents. What can't be read is left out, because
it must not cost an answer that was paid for.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gptasst.api.events import Event
from gptasst.api.types import Citation, FoundText, FunctionCall, ToolApproval, Usage
from gptasst.api.upload_marks import shown_name

# More tokens than any model takes; larger numbers can't be stored or added up.
_MOST_TOKENS = 10**12

# Returns the name of a file on the server, if it can be found out.
FileName = Callable[[str], str | None]


def objects(value: object) -> Iterator[Event]:
    """The objects in a value that should be a list of objects."""
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, Event))


def text_in(value: object) -> str:
    """A value that should be text; empty if it is something else."""
    return value if isinstance(value, str) else ""


def text_metadata(value: object) -> dict[str, str]:
    """The metadata of an object, whose values should be text."""
    pairs = value.items() if isinstance(value, dict) else ()
    return {key: str(each) for key, each in pairs if each is not None}


def final_response(event: Event) -> Event:
    """The response in the last event of a stream, with its status.

    Some servers leave the response out, or put its fields into the event. The type of an event that
    is not `response.completed` is more certain than the status of its response.
    """
    found = event.response if isinstance(event.response, Event) else event
    status = text_in(event.type).rpartition(".")[2]
    if status == "completed" and isinstance(found.status, str):
        status = found.status
    return Event(found, status=status)


def messages(output: object) -> Iterator[Event]:
    """The parts of all messages among the items of a response."""
    for item in objects(output):
        is_message = item.type == "message" or (item.type is None and item.role == "assistant")
        if is_message and item.phase != "commentary":
            if isinstance(item.content, str):
                yield Event(type="output_text", text=item.content)
            yield from objects(item.content)


def answer_text(output: object) -> str:
    """The text of all messages."""
    parts = (part for part in messages(output) if part.type in ("output_text", "text"))
    return "".join(text_in(part.text) for part in parts)


def is_readable(output: object) -> bool:
    """Whether the items of a response, and the texts in it, have the API's form."""
    items: Any = output or []
    texts = (part.text for part in messages(output) if part.type == "output_text")
    return isinstance(items, list) and all(
        (*(isinstance(item, Event) for item in items), *(isinstance(text, str) for text in texts))
    )


def refusal(output: object) -> str:
    """The text of all refusals."""
    refusals = (part.refusal for part in messages(output) if part.type == "refusal")
    return "".join(map(text_in, refusals))


def function_calls(output: object) -> tuple[FunctionCall, ...]:
    """The function calls among the items of a response, without those that can't be answered."""
    found = []
    for item in objects(output):
        ident = item.call_id or item.id
        if item.type == "function_call" and isinstance(ident, str) and isinstance(item.name, str):
            found.append(FunctionCall(ident, item.name, text_in(item.arguments)))
    return tuple(found)


def usage_of(response: Event) -> Usage | None:
    """The tokens of a response; `None` if they are not numbers of tokens."""
    usage = response.usage if isinstance(response.usage, Event) else Event()
    read, answered = tokens(usage.input_tokens), tokens(usage.output_tokens)
    if read is None or answered is None:
        return None
    cached = _detail(usage.input_tokens_details, "cached_tokens", read)
    return Usage(
        read,
        answered,
        cached=cached,
        reasoning=_detail(usage.output_tokens_details, "reasoning_tokens", answered),
        written=_detail(usage.input_tokens_details, "cache_write_tokens", read - cached),
    )


def tokens(value: object) -> int | None:
    """A number of tokens, or `None` if it can't be one."""
    if isinstance(value, float) and value.is_integer():  # not infinite
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= _MOST_TOKENS else None  # type: ignore[operator,return-value]  # an int


def _detail(details: object, name: str, most: int) -> int:
    """A part of a number of tokens, which may be missing or null, and is no larger than it."""
    value = tokens(details.get(name)) if isinstance(details, Event) else None
    return min(value or 0, most)


def citations(output: object, file_name: FileName) -> tuple[Citation, ...]:
    """The citations in the messages of a response.

    Args:
        output: the items of the response.
        file_name: called for a citation that has only the id of a file.
    """
    found: dict[tuple[str, str | None], Citation] = {}
    results = _search_results(output)
    for part in messages(output):
        for annotation in objects(part.annotations):
            citation = None
            if annotation.type == "file_citation":
                citation = _file_citation(annotation, results, file_name)
            elif annotation.type == "url_citation" and text_in(annotation.url):
                citation = Citation(text_in(annotation.url), quote=text_in(annotation.title))
            if citation:
                found.setdefault((citation.path, citation.file_id), citation)
    return tuple(found.values())


def passages(output: object) -> tuple[FoundText, ...]:
    """The passages that file search found for an answer, best first, without duplicates."""
    found: dict[tuple[str, str], FoundText] = {}
    for result in _search_results(output):
        path, text = _path_of(result), text_in(result.text)
        if path and text:
            ident = text_in(result.file_id) or None
            score = None if result.score is None else score_of(result.score)
            found.setdefault((path, text), FoundText(path, text, "", score, ident))
    return tuple(found.values())


def _path_of(result: Event) -> str:
    attributes: Any = result.attributes if isinstance(result.attributes, dict) else {}
    return text_in(attributes.get("path")) or shown_name(text_in(result.filename))


def _search_results(output: object) -> list[Event]:
    """The results of file search, best first."""
    calls = (item for item in objects(output) if item.type == "file_search_call")
    found = [result for call in calls for result in objects(call.results)]
    return sorted(found, key=lambda result: -score_of(result.score))


def score_of(value: object) -> float:
    """A score, which some servers send as text; 0 if it is none."""
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        score = float(value)  # type: ignore[arg-type]  # text or anything else
        return score if math.isfinite(score) else 0.0
    return 0.0


def _file_citation(annotation: Event, results: list[Event], file_name: FileName) -> Citation | None:
    """A citation with the file's original path and the passage found in it.

    Servers differ in which id a citation has, so an unknown id is looked up by name.
    """
    ident, name = text_in(annotation.file_id), text_in(annotation.filename)
    same = [result for result in results if ident and result.file_id == ident]
    same = same or [result for result in results if name and result.filename == name]
    best = same[0] if same else Event()
    path = _path_of(best) or shown_name(name or (ident and file_name(ident)) or ident)
    return Citation(path, quote=text_in(best.text), file_id=ident or None) if path else None


def reasoning_summary(output: object) -> str:
    """The model's summary of its reasoning, a paragraph for each part; empty if there is none."""
    items = (item for item in objects(output) if item.type == "reasoning")
    texts = [text_in(part.text).strip() for item in items for part in objects(item.summary)]
    return "\n\n".join(filter(None, texts))


def tool_approvals(output: object) -> tuple[ToolApproval, ...]:
    """The calls among the items of a response that wait for a yes."""
    return tuple(
        ToolApproval(item.id, str(item.server_label), str(item.name), text_in(item.arguments))
        for item in objects(output)
        if item.type == "mcp_approval_request" and isinstance(item.id, str)
    )


# What an answer after a yes needs of the items before it; the server has kept none of them.
_CARRIED = ("mcp_list_tools", "mcp_call", "mcp_approval_request")


def carried_items(output: object) -> tuple[Mapping[str, Any], ...]:
    """The items of a response that the next request of the same answer repeats."""
    return tuple(dict(item) for item in objects(output) if item.type in _CARRIED)
