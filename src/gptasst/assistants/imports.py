"""Import assistants from files: definitions, and saved objects of the Assistants API.

The Assistants API was shut down on 2026-08-26. What people saved of it is the JSON of one
assistant object, or of a list of them (`{"data": [...]}`).
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gptasst.definitions.case_files import with_cases
from gptasst.definitions.formats.saved_assistants import (
    is_saved_assistant,
    read_saved_assistant,
    saved_name,
)
from gptasst.definitions.formats.types import LeftBehind
from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.toml import name_problem
from gptasst.definitions.types import Definition, Instruction, notices_of
from gptasst.errors import InvalidDefinition, UsageError
from gptasst.hints import cmd
from gptasst.inputs.reading import read_standard_input
from gptasst.inputs.screening import STDIN, Screening
from gptasst.inputs.words import no_such_file
from gptasst.models.ends import model_end
from gptasst.values import dataclass

_Saved = Mapping[str, Any]

STANDARD_INPUT = Path("-")
_UNNAMED = "definition from standard input"
_STDIN_SECONDS = 600.0


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
    if not assistants or not all(is_saved_assistant(each) for each in assistants):
        raise InvalidDefinition(
            "not an assistant of the Assistants API or a list of them",
            file=path,
            hint=f"a definition in TOML is fine, too: {cmd('assistant export NAME')} writes one",
        )
    return assistants


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
    named = _usable(name or saved_name(saved, path) or path.stem)
    read = read_saved_assistant(saved, path, named, model_end)
    return ReadImport(read.definition, read.notes, read.left_behind)


def _usable(name: str) -> str:
    problem = name_problem(name)
    if name == str(STANDARD_INPUT):  # it has no name
        problem = "is none"
    if problem:
        raise UsageError(
            f"the name `{name}` {problem}", hint="--name gives it another", code="bad_name"
        )
    return name
