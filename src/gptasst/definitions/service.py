"""List, create, edit and validate instructions, and change definitions."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.toml import file_name_problem, name_problem, without_name
from gptasst.definitions.types import (
    CodeSettings,
    Definition,
    DefinitionChanges,
    Instruction,
    SearchSettings,
    WebSettings,
)
from gptasst.definitions.variables import unused_variables, with_defaults
from gptasst.errors import GptasstError, InvalidDefinition, UsageError
from gptasst.hints import cmd
from gptasst.storage.atomic_files import open_private, private_directory
from gptasst.values import dataclass

_TEMPLATE = """\
description = "what it does, in one line"
# model = "…"                  # without it: the model of the profile
default_text = "Do it."        # the task of a run that brings files and no text
unwrap_fence = false           # true takes one code fence around the whole answer off

instructions = '''
You are …

Answer with … and nothing else.
'''
"""


@dataclass(frozen=True, slots=True)
class Validation:
    """The result of a validation: valid paths, the errors of others, and what looks wrong."""

    valid: tuple[str, ...]
    errors: tuple[GptasstError, ...]
    notes: tuple[str, ...] = ()


class InstructionService:
    """Lists, creates, edits and validates instructions.

    Args:
        library: finds the instructions.
        project: the project's own directory of instructions.
        user: the user's directory of instructions.
    """

    def __init__(self, library: InstructionLibrary, *, project: Path, user: Path) -> None:
        self._library = library
        self._project = project
        self._user = user

    def list(self) -> tuple[Sequence[Instruction], Sequence[InvalidDefinition]]:
        """Every instruction by name, and the errors of unreadable ones."""
        return self._library.all()

    def get(self, name: str) -> Instruction:
        return self._library.find(name)

    def new(self, name: str, *, source: str | None = None, in_project: bool = False) -> Path:
        """Create the file of a new instruction and return its path.

        Args:
            name: the instruction's name, and the file's.
            source: an instruction to copy, instead of the template.
            in_project: create it in `./instructions`, instead of the user's directory.

        Raises:
            UsageError: the name can't be used, or its file exists.
            NotFound: there is no instruction `source`.
        """
        problem = file_name_problem(name)
        if problem:
            raise UsageError(f"the name `{name}` {problem}", code="bad_name")
        text = _TEMPLATE
        if source is not None:
            text = without_name(Path(self._library.find(source).path).read_text("utf-8-sig"))
        path = (self._project if in_project else self._user) / f"{name}.toml"
        try:
            if in_project:
                path.parent.mkdir(parents=True, exist_ok=True)
            else:
                private_directory(path.parent)
            with path.open("xb") if in_project else open_private(path, "xb") as stream:
                stream.write(text.encode("utf-8"))
        except FileExistsError:
            raise UsageError(
                f"`{path}` already exists",
                hint=f"{cmd(f'instruction edit {shlex.quote(name)}')} changes it",
                code="name_taken",
            ) from None
        except OSError as error:
            raise UsageError(f"`{path}` can't be written: {error.strerror}") from None
        return path

    def edit(self, name: str, open_editor: Callable[[Path], None]) -> Instruction:
        """Open an instruction in the user's editor, and validate the result.

        A shipped instruction is first copied to the user's directory, where it shadows the shipped
        one.

        Raises:
            InvalidDefinition: the result is invalid; the file is kept.
        """
        path, origin = self._library.locate(name)
        if origin == "shipped":
            self._edit_copy(path, open_editor)
        else:
            open_editor(path)
        return self._library.find(name)

    def _edit_copy(self, shipped: Path, open_editor: Callable[[Path], None]) -> None:
        copy = self._user / shipped.name
        private_directory(copy.parent)
        with open_private(copy, "wb") as stream:
            stream.write(shipped.read_bytes())
        try:
            open_editor(copy)
        except BaseException:
            if copy.read_bytes() == shipped.read_bytes():
                copy.unlink()
            raise

    def _valid(self, word: str) -> tuple[str, tuple[str, ...]]:
        """The path of a valid instruction (with its cases) or file of cases, and notes on it."""
        from gptasst.definitions.case_files import cases_of, is_cases_file, read_cases_file

        if is_cases_file(word):
            read_cases_file(Path(word))
            return word, ()
        found = self._library.find(word)
        cases_of(found)
        unused = unused_variables(found.definition)
        notes = tuple(f"{found.path}: nothing has {{{{{name}}}}} in it" for name in unused)
        return found.path, notes

    def validate(self, words: Sequence[str] = ()) -> Validation:
        """Validate instructions by name or file, by default all."""
        valid: list[str] = []
        errors: list[GptasstError] = []
        notes: list[str] = []
        for word in words or self._library.names():
            try:
                path, found = self._valid(word)
            except GptasstError as error:
                errors.append(error)
            else:
                valid.append(path)
                notes += found
        return Validation(tuple(valid), tuple(errors), tuple(notes))


def with_changes(definition: Definition, changes: DefinitionChanges) -> Definition:
    """A definition with changes applied.

    Raises:
        UsageError: the new name can't be used, no instructions are left, or a value has no
            variable.
    """
    problem = name_problem(changes.name) if changes.name is not None else None
    if problem:
        raise UsageError(f"the name `{changes.name}` {problem}", code="bad_name")
    tools = replace(
        definition.tools, **_given(changes, "file_search", "code_interpreter", "web_search")
    )
    if tools.file_search is False:
        tools = replace(tools, search=SearchSettings())
    if not tools.web_search:
        tools = replace(tools, web=WebSettings())
    if not tools.code_interpreter:
        tools = replace(tools, code=CodeSettings())
    changed = replace(
        definition,
        **_given(
            changes,
            "name",
            "instruction",
            "instructions",
            "model",
            "description",
            "schema",
            "cases",
        ),
        tools=tools,
        settings=replace(definition.settings, **_given(changes, "reasoning_effort")),
    )
    if changes.variables:
        changed = with_defaults(changed, changes.variables)
    if not changed.instructions.strip():
        raise UsageError("an assistant needs an instruction, or instructions of its own")
    return changed


def _given(changes: DefinitionChanges, *names: str) -> dict[str, Any]:
    values = {name: getattr(changes, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
