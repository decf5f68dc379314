"""Saved assistants of the Assistants API, which was shut down on 2026-08-26."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args

from gptasst.definitions.formats.openai_json import NO_CONTENT, number_within
from gptasst.definitions.formats.types import LeftBehind, ModelEnd, Reading
from gptasst.definitions.schemas import check_schema
from gptasst.definitions.tools import MOST_RESULTS
from gptasst.definitions.types import (
    Definition,
    ModelSettings,
    ReasoningEffort,
    SearchSettings,
    Tools,
)
from gptasst.errors import InvalidDefinition

_Saved = Mapping[str, Any]

_FILE_SEARCH = ("file_search", "retrieval")  # `retrieval` until v2 of the API


def read_saved_assistant(saved: _Saved, path: Path, name: str, model_end: ModelEnd) -> Reading:
    """The definition made from a saved assistant.

    Args:
        saved: the assistant object of the API.
        path: its file, for errors.
        name: the new name.
        model_end: knows the shutdown dates of models.

    Raises:
        InvalidDefinition: it has no instructions, or a value of the wrong type.
    """
    reader = _SavedReader(saved, path)
    instructions = reader.text("instructions")
    if not instructions:
        raise InvalidDefinition(f"`{name}` has no `instructions`", file=path)
    types = [tool.get("type") for tool in reader.objects("tools")]
    model, notes = _model(reader.text("model"), model_end)
    settings = _settings(reader)
    schema, formats = _schema(reader)
    for key in ("temperature", "top_p"):
        if getattr(settings, key) is not None:
            notes += (f"{key} is kept; models that reason refuse it",)
    return Reading(
        format="openai-assistant",
        definition=Definition(
            name=name,
            description=reader.text("description") or "",
            instructions=instructions,
            model=model,
            tools=Tools(
                file_search=True if any(kind in types for kind in _FILE_SEARCH) else None,
                code_interpreter="code_interpreter" in types,
                search=_search(reader),
            ),
            settings=settings,
            schema=schema,
        ),
        notes=notes,
        left_behind=(*_left_behind(reader), *formats),
    )


def saved_name(saved: _Saved, path: Path) -> str | None:
    """The name of a saved assistant."""
    return _SavedReader(saved, path).text("name")


def is_saved_assistant(saved: object) -> bool:
    """Whether a JSON value is an assistant of the Assistants API."""
    if not isinstance(saved, dict) or saved.get("object", "assistant") != "assistant":
        return False
    return "instructions" in saved or "model" in saved


def _model(model: str | None, model_end: ModelEnd) -> tuple[str | None, tuple[str, ...]]:
    """A model that is still available, and a note if the saved one is not."""
    end = model_end(model) if model else None
    if end is None or end[0] > datetime.datetime.now(datetime.UTC).date():
        return model, ()
    gone = f"model `{model}` was shut down on {end[0]}, so the profile's is used"
    return None, (f"{gone}; its successor is `{end[1]}`",)


def _settings(reader: _SavedReader) -> ModelSettings:
    effort = reader.text("reasoning_effort")
    return ModelSettings(
        reasoning_effort=cast(
            "ReasoningEffort | None", effort if effort in get_args(ReasoningEffort) else None
        ),
        temperature=reader.number("temperature", 2.0),
        top_p=reader.number("top_p", 1.0),
    )


def _search(reader: _SavedReader) -> SearchSettings:
    """The settings of file search; invalid values are ignored."""
    for tool in reader.objects("tools"):
        told = tool.get("file_search")
        if tool.get("type") == "file_search" and isinstance(told, dict):
            ranking = told.get("ranking_options")
            least = ranking.get("score_threshold") if isinstance(ranking, dict) else None
            most = number_within(told.get("max_num_results"), 1, MOST_RESULTS)
            return SearchSettings(
                max_results=None if most is None else int(most),
                score_threshold=number_within(least, 0, 1) or None,
            )
    return SearchSettings()


def _schema(reader: _SavedReader) -> tuple[Mapping[str, Any] | None, tuple[LeftBehind, ...]]:
    form = reader.saved.get("response_format")
    kind = form.get("type") if isinstance(form, dict) else form
    if kind in (None, "auto", "text"):
        return None, ()
    reason = "there is only JSON that fits a schema: `assistant edit NAME --schema FILE`"
    if isinstance(form, dict) and kind == "json_schema":
        wrapped = form.get("json_schema")
        schema = wrapped.get("schema") if isinstance(wrapped, dict) else None
        try:
            if isinstance(schema, dict):
                check_schema(schema)
                return schema, ()
            reason = "it holds no schema"
        except ValueError as error:
            reason = f"its schema {error}"
    return None, (LeftBehind("response_format", str(kind), reason),)


def _left_behind(reader: _SavedReader) -> Iterator[LeftBehind]:
    for tool in reader.objects("tools"):
        kind = str(tool.get("type"))
        if kind == "function":
            function = tool.get("function")
            name = function.get("name") if isinstance(function, dict) else None
            yield LeftBehind("function", str(name), "assistants can't call your functions")
        elif kind not in (*_FILE_SEARCH, "code_interpreter"):
            yield LeftBehind("tool", kind, "there is no such tool")
    resources = reader.saved.get("tool_resources")
    code = resources.get("code_interpreter") if isinstance(resources, dict) else None
    search = resources.get("file_search") if isinstance(resources, dict) else None
    for file_id in dict.fromkeys((*_ids(reader.saved, "file_ids"), *_ids(code, "file_ids"))):
        yield LeftBehind("file", file_id, NO_CONTENT)
    for store_id in _ids(search, "vector_store_ids"):
        yield LeftBehind("vector_store", store_id, NO_CONTENT)
    metadata = reader.saved.get("metadata")
    for key in metadata if isinstance(metadata, dict) else ():
        yield LeftBehind("metadata", str(key), "definitions have no such key")


def _ids(holder: object, key: str) -> list[str]:
    ids = holder.get(key) if isinstance(holder, dict) else None
    return [str(each) for each in ids] if isinstance(ids, list) else []


class _SavedReader:
    """Reads values of a saved assistant, each of the API's type."""

    def __init__(self, saved: _Saved, path: Path) -> None:
        self.saved = saved
        self._path = path

    def text(self, key: str) -> str | None:
        value = self.saved.get(key)
        if value is not None and not isinstance(value, str):
            raise self._error(key, "a string")
        return value

    def number(self, key: str, limit: float) -> float | None:
        """A number from 0 to the limit; 1 was the API's default."""
        value = self.saved.get(key)
        if value is None:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not 0 <= value <= limit
        ):
            raise self._error(key, f"a number from 0 to {limit:g}")
        return None if value == 1 else float(value)

    def objects(self, key: str) -> list[_Saved]:
        value = self.saved.get(key) or []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self._error(key, "a list of objects")
        return value

    def _error(self, key: str, wanted: str) -> InvalidDefinition:
        return InvalidDefinition(f"key `{key}` must be {wanted}", file=self._path)
