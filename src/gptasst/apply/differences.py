"""The differences between two definitions."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.apply.reading import read_as_kept
from gptasst.apply.sources import file_of_source
from gptasst.definitions.toml import differing_keys, dump_definition

if TYPE_CHECKING:
    from gptasst.assistants.types import Assistant
    from gptasst.definitions.library import InstructionLibrary
    from gptasst.definitions.types import Definition


def difference(assistant: Assistant, definition: Definition, path: str) -> str:
    """A unified diff from the definition in the store to that of a file; empty if equal."""
    revision = f"{assistant.name} (revision {assistant.revision})"
    old, new = (dump_definition(each) for each in (assistant.definition, definition))
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), revision, path, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _shortest(path: Path, here: Path) -> str:
    """A path relative to the working directory, for messages."""
    return os.path.relpath(path, os.path.realpath(here)).replace(os.sep, "/")


def compared_with_file(
    assistant: Assistant, here: Path, library: InstructionLibrary, machine: Callable[[], str]
) -> tuple[str, tuple[str, ...]] | None:
    """The file of an assistant, and the differing keys.

    `None` if it does not come from a file of this repository.

    Args:
        assistant: the assistant.
        here: the working directory.
        library: finds the instructions that definitions extend.
        machine: returns the mark of this machine.

    Raises:
        InvalidDefinition: the file can't be used.
    """
    path = file_of_source(assistant.source, here, machine) if assistant.source else None
    if path is None:
        return None
    called = _shortest(path, here)
    definition, manages = read_as_kept(Path(called), library)
    if not manages:
        definition = replace(definition, knowledge=assistant.definition.knowledge)
    return called, differing_keys(assistant.definition, definition)
