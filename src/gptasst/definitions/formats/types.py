"""The results of imports and exports."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal

from gptasst.definitions.types import Definition, Variable
from gptasst.inputs.reading import Refusal
from gptasst.values import dataclass

Format = Literal[
    "fabric",
    "skill",
    "prompt-yml",
    "llm",
    "prompty",
    "dotprompt",
    "claude-agent",
    "openai-response",
    "openai-prompt",
    "openai-assistant",
]
Action = Literal["create", "replace", "unchanged"]
ExportFormat = Literal["skill", "llm", "prompt-yml", "fabric"]

# Returns the known shutdown of a model.
ModelEnd = Callable[[str], tuple[datetime.date, str | None] | None]


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A part that could not be carried over.

    `kind` is its kind in the original (`function`, `file`, `vector_store`, `response_format`,
    `metadata`, `model`, …), `name` its name or id, `reason` why, and what to do instead.
    """

    kind: str
    name: str
    reason: str


class NotTaken(ValueError):
    """A file can't be imported. The message is the reason; `line` counts from 1."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.reason = reason
        super().__init__(reason if line is None else f"line {line}: {reason}")


class NoPrompt(NotTaken):
    """A file has none of the formats."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A definition that was read from another format, with notes.

    `cases` are tables of a `NAME.cases.toml`.
    """

    format: Format
    definition: Definition
    notes: tuple[str, ...] = ()
    left_behind: tuple[LeftBehind, ...] = ()
    cases: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedInstruction:
    """An instruction that an import writes or would write.

    `source` is its original file, `path` its new file, `cases_path` that of its cases, if any, and
    `cases` their number. `variables` are its variables; `hosted_tools` run on the server and reach
    further than the knowledge. `toml` is the content of the file.
    """

    name: str
    format: Format
    source: str
    path: str
    action: Action
    variables: tuple[Variable, ...]
    hosted_tools: tuple[str, ...]
    knowledge: tuple[str, ...]
    cases: int
    cases_path: str | None
    notes: tuple[str, ...]
    left_behind: tuple[LeftBehind, ...]
    toml: str
    cases_toml: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class InstructionImport:
    """The result or plan of an import.

    `refused` are prompts that can't be imported; `skipped` are other files found in a directory.
    """

    dry_run: bool
    imported: tuple[ImportedInstruction, ...]
    refused: tuple[Refusal, ...]
    skipped: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class InstructionExport:
    """The result of an export: the paths of its files, and what the format can't contain."""

    name: str
    format: ExportFormat
    paths: tuple[str, ...]
    notes: tuple[str, ...]
    left_behind: tuple[LeftBehind, ...]
