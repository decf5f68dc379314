"""Import assistants from files: definitions, and saved objects of the Assistants API.

The Assistants API was shut down on 2026-08-26. What people saved of it is the JSON of one
assistant object, or of a list of them (`{"data": [...]}`).
"""

from __future__ import annotations

import datetime
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from gptasst.assistants.types import LeftBehind
from gptasst.definitions.case_files import with_cases
from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.schemas import check_schema
from gptasst.definitions.settings import MOST_RESULTS
from gptasst.definitions.toml import name_problem
from gptasst.definitions.types import (
    Definition,
    Instruction,
    ModelSettings,
    ReasoningEffort,
    SearchSettings,
    Tools,
    notices_of,
)
from gptasst.errors import InvalidDefinition, UsageError
from gptasst.hints import cmd
from gptasst.inputs.reading import read_standard_input
from gptasst.inputs.screening import STDIN, Screening
from gptasst.inputs.words import no_such_file
from gptasst.models.ends import shutdown_of
from gptasst.values import dataclass

_Saved = Mapping[str, Any]

STANDARD_INPUT = Path("-")
_UNNAMED = "definition from standard input"
_STDIN_SECONDS = 600.0
_FILE_SEARCH = ("file_search", "retrieval")  # `retrieval` until v2 of the API
_NO_CONTENT = "knowledge can't be downloaded from the server; add the file from your disk"


@dataclass(frozen=True, slots=True)
class ReadImport:
    """The parts of an assistant in a file; see `AssistantImport`."""

    definition: Definition
    notes: tuple[str, ...] = ()
    left_behind: tuple[LeftBehind, ...] = ()


def read_import(
    path: Path, name: str | None, screening: Screening, library: InstructionLibrary
) -> ReadImport:
    """Read a definition in TOML, or an assistant of the Assistants API in JSON.

    Args:
        path: the file, or `-` for standard input; its stem is the default for the name.
        name: the assistant's name instead of its own; in a file with several assistants, the
            name or id of the one to import.
        screening: checks the file itself for secrets.
        library: finds the instructions that the definition extends.

    Raises:
        InvalidInput: there is no such file, or it counts as secret.
        InvalidDefinition: it has neither format.
        UsageError: it has several assistants and `name` selects none.
    """
    content = _read(path, screening)
    if not _is_json(content, path):
        stem = _UNNAMED if path == STANDARD_INPUT else path.stem
        definition, extended = library.definition_of(content, path, name=name or stem)
        if path != STANDARD_INPUT:
            definition = with_cases(Instruction(definition, str(path), "file"), screening)
        if definition.name == _UNNAMED:
            raise UsageError("the definition has no `name`", hint="--name gives it one")
        definition = replace(definition, name=_usable(name or definition.name))
        notes = notices_of(extended, definition.name, "file")
        return ReadImport(definition, (*notes, *_what_a_sync_reads(definition)))
    saved = _saved_in(content, path)
    chosen = saved[0] if len(saved) == 1 else _pick(saved, path, name)
    return _from_saved(chosen, path, name if len(saved) == 1 else None)


def _what_a_sync_reads(definition: Definition) -> Iterator[str]:
    """A note on the `knowledge` paths of somebody else's definition that a sync would read."""
    if not definition.knowledge:
        return
    here = os.path.realpath(".")
    outside = [
        word
        for word in definition.knowledge
        if not Path(os.path.realpath(Path(word))).is_relative_to(here)
    ]
    command = cmd(f"assistant files sync {shlex.quote(definition.name)}")
    note = f"{command} will read {_listed(definition.knowledge)}"
    yield f"{note}; outside of the working directory: {_listed(outside)}" if outside else note


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _read(path: Path, screening: Screening) -> bytes:
    """The content, read once, because a pipe can't be read twice."""
    piped = path == STANDARD_INPUT
    if not piped and not path.exists():
        raise no_such_file(path)
    screening.refuse_file(STDIN if piped else path)
    try:
        content = read_standard_input(_STDIN_SECONDS) if piped else path.read_bytes()
    except OSError as error:
        raise InvalidDefinition(f"can't be read: {error.strerror}", file=path) from None
    screening.refuse_content(path, content)
    return content


def _is_json(content: bytes, path: Path) -> bool:
    beginning = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    return path.suffix.lower() == ".json" or beginning[:1] == b"{"


def _saved_in(content: bytes, path: Path) -> Sequence[_Saved]:
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidDefinition(f"not JSON: {error}", file=path) from None
    listed = found.get("data", [found]) if isinstance(found, dict) else found
    assistants = listed if isinstance(listed, list) else []
    if not assistants or not all(_is_assistant(each) for each in assistants):
        raise InvalidDefinition(
            "not an assistant of the Assistants API or a list of them",
            file=path,
            hint=f"a definition in TOML is fine, too: {cmd('assistant export NAME')} writes one",
        )
    return assistants


def _is_assistant(saved: object) -> bool:
    if not isinstance(saved, dict) or saved.get("object", "assistant") != "assistant":
        return False
    return "instructions" in saved or "model" in saved


def _pick(saved: Sequence[_Saved], path: Path, name: str | None) -> _Saved:
    names = ", ".join(f"`{each.get('name') or each.get('id')}`" for each in saved)
    if name is None:
        raise UsageError(
            f"`{path}` holds {len(saved)} assistants",
            hint=f"--name picks one: {names}",
            code="several_assistants",
        )
    same = [each for each in saved if name in (each.get("name"), each.get("id"))]
    if len(same) == 1:
        return same[0]
    if same:
        ids = ", ".join(f"`{each.get('id')}`" for each in same)
        raise UsageError(
            f"`{path}` holds {len(same)} assistants `{name}`",
            hint=f"--name takes an id as well: {ids}",
            code="several_assistants",
        )
    raise UsageError(
        f"`{path}` holds no assistant `{name}`", hint=f"it has {names}", code="no_such_assistant"
    )


def _from_saved(saved: _Saved, path: Path, name: str | None) -> ReadImport:
    """The definition made from a saved assistant."""
    reader = _SavedReader(saved, path)
    named = _usable(name or reader.text("name") or path.stem)
    instructions = reader.text("instructions")
    if not instructions:
        raise InvalidDefinition(f"`{named}` has no `instructions`", file=path)
    types = [tool.get("type") for tool in reader.objects("tools")]
    model, notes = _model(reader.text("model"))
    settings = _settings(reader)
    schema, formats = _schema(reader)
    for key in ("temperature", "top_p"):
        if getattr(settings, key) is not None:
            notes += (f"{key} is kept; models that reason refuse it",)
    return ReadImport(
        definition=Definition(
            name=named,
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


def _usable(name: str) -> str:
    problem = name_problem(name)
    if name == str(STANDARD_INPUT):  # it has no name
        problem = "is none"
    if problem:
        raise UsageError(
            f"the name `{name}` {problem}", hint="--name gives it another", code="bad_name"
        )
    return name


def _model(model: str | None) -> tuple[str | None, tuple[str, ...]]:
    """A model that is still available, and a note if the saved one is not."""
    shutdown = shutdown_of(model) if model else None
    if shutdown is None or shutdown.date > datetime.datetime.now(datetime.UTC).date():
        return model, ()
    gone = f"model `{model}` was shut down on {shutdown.date}, so the profile's is used"
    return None, (f"{gone}; its successor is `{shutdown.successor}`",)


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
            most = _number_within(told.get("max_num_results"), 1, MOST_RESULTS)
            return SearchSettings(
                max_results=None if most is None else int(most),
                score_threshold=_number_within(least, 0, 1) or None,
            )
    return SearchSettings()


def _number_within(value: object, low: float, high: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if low <= value <= high else None


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
        yield LeftBehind("file", file_id, _NO_CONTENT)
    for store_id in _ids(search, "vector_store_ids"):
        yield LeftBehind("vector_store", store_id, _NO_CONTENT)
    metadata = reader.saved.get("metadata")
    for key, value in (metadata if isinstance(metadata, dict) else {}).items():
        yield LeftBehind(
            "metadata", str(key), f"definitions have no such key; its value was `{value}`"
        )


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
