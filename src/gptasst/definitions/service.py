"""List, create, edit and validate instructions, and change definitions."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.toml import file_name_problem, name_problem, without_name
from gptasst.definitions.types import (
    CASES_ENDING,
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
class NewInstruction:
    """A new instruction: its file, and the file of its cases if there is one.

    `notes` tell which cases of the original were not copied.
    """

    name: str
    path: str
    cases_path: str | None = None
    notes: tuple[str, ...] = ()


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

    def new(
        self, name: str, *, source: str | None = None, in_project: bool = False
    ) -> NewInstruction:
        """Create the file of a new instruction, and that of its cases if it is a copy.

        Args:
            name: the instruction's name, and the file's.
            source: an instruction to copy, instead of the template.
            in_project: create it in `./instructions`, instead of the user's directory.

        Raises:
            UsageError: the name can't be used, or its file exists.
            NotFound: there is no instruction `source`.
            InvalidDefinition: its cases are invalid.
        """
        problem = file_name_problem(name)
        if problem:
            raise UsageError(f"the name `{name}` {problem}", code="bad_name")
        directory = self._project if in_project else self._user
        text, cases = _TEMPLATE, None
        notes: tuple[str, ...] = ()
        if source is not None:
            found = self._library.find(source)
            text = without_name(Path(found.path).read_text("utf-8-sig"))
            cases, notes = _copied_cases(found, directory, name)
        path, cases_path = directory / f"{name}.toml", directory / f"{name}{CASES_ENDING}"
        hint = f"{cmd(f'instruction edit {shlex.quote(name)}')} changes it"
        if os.path.lexists(path):
            raise _taken(path, hint)
        if source is None and name in self._library.names():
            notes = (f"it hides the instruction `{name}` that was there before",)
        if cases is not None:
            _create(cases_path, cases, "rename it, or choose another name", in_project=in_project)
        _create(path, text.encode("utf-8"), hint, in_project=in_project)
        copied = None if cases is None else str(cases_path)
        return NewInstruction(name, str(path), copied, notes)

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


def _copied_cases(
    found: Instruction, directory: Path, name: str
) -> tuple[bytes | None, tuple[str, ...]]:
    """The file of cases for a copy in a directory, and which cases don't follow it there.

    Cases name files from where they are, so those that do only hold in the same directory.
    """
    from gptasst.definitions.case_files import cases_beside, cases_of, read_cases_file

    cases_of(found)
    source = Path(found.path)
    moves = source.parent.resolve() != directory.resolve()
    notes = tuple(
        f"case `{case.name}` names `{case.file}`, which is not beside the copy"
        for case in found.definition.cases
        if moves and case.needs_file and not (directory / str(case.file)).exists()
    )
    beside = cases_beside(source)
    if not found.path.endswith(".toml") or not beside.exists():
        return None, notes
    if moves and any(case.needs_file for case in read_cases_file(beside)):
        words = shlex.join(("test", name, "--cases", str(beside)))
        note = f"`{beside}` is not copied, because its cases name files beside it"
        return None, (*notes, f"{note}; {cmd(words)} runs them on the copy")
    return beside.read_bytes(), notes


def _create(path: Path, content: bytes, hint: str, *, in_project: bool) -> None:
    try:
        if in_project:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            private_directory(path.parent)
        with path.open("xb") if in_project else open_private(path, "xb") as stream:
            stream.write(content)
    except FileExistsError:
        raise _taken(path, hint) from None
    except OSError as error:
        raise UsageError(f"`{path}` can't be written: {error.strerror}") from None


def _taken(path: Path, hint: str) -> UsageError:
    return UsageError(f"`{path}` already exists", hint=hint, code="name_taken")


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
