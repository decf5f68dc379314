"""The sources of an answer. They are decoration: what can't be read of them is left out."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

from gptasst.api.events import Event
from gptasst.api.types import Citation, FoundText
from gptasst.api.upload_marks import shown_name

# Gives the name of a file on the server, where it can be found out.
FileName = Callable[[str], str | None]


def messages(output: object) -> Iterator[Event]:
    """The parts of all messages among the items of a response; other things are left out."""
    for item in _events(output):
        if item.type == "message" and item.phase != "commentary":
            yield from _events(item.content)


def citations(output: object, file_name: FileName) -> tuple[Citation, ...]:
    """What the messages of a response cite.

    Args:
        output: the items of the response.
        file_name: asked where a citation has the id of a file alone.
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
    """What file search found for an answer, best first, each once."""
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
    """What file search found, best first."""
    calls = (item for item in _events(output) if item.type == "file_search_call")
    found = [result for call in calls for result in _events(call.results)]
    return sorted(found, key=lambda result: -_score(result.score))


def _score(value: object) -> float:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        score = float(value)  # type: ignore[arg-type]  # text or anything else
        return score if math.isfinite(score) else 0.0
    return 0.0


def _file_citation(annotation: Event, results: list[Event], file_name: FileName) -> Citation | None:
    """A citation by the path that the file has for its owner, with the passage found in it.

    Servers differ in which id a citation carries, so the name serves where the id is unknown.
    """
    ident, name = _text(annotation.file_id), _text(annotation.filename)
    same = [result for result in results if ident and result.file_id == ident]
    same = same or [result for result in results if name and result.filename == name]
    best = same[0] if same else Event()
    path = _path_of(best) or shown_name(name or (ident and file_name(ident)) or ident)
    return Citation(path, quote=_text(best.text), file_id=ident or None) if path else None


def _events(value: object) -> Iterator[Event]:
    """The objects in what should be a list of objects."""
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, Event))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
