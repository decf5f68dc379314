"""What an import found, made and left behind; what an export wrote."""

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

# When a model ends or ended, and its successor, where that is known.
ModelEnd = Callable[[str], tuple[datetime.date, str | None] | None]


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A part of something that could not be carried over.

    `kind` is what it is there (`function`, `file`, `vector_store`, `response_format`, `metadata`,
    `model`, …), `name` its name or id, `reason` says why, and what to do instead.
    """

    kind: str
    name: str
    reason: str


class NotTaken(ValueError):
    """A file can't be imported. The message is the reason; `line` is where, counted from 1."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.reason = reason
        super().__init__(reason if line is None else f"line {line}: {reason}")


class NoPrompt(NotTaken):
    """A file is in none of the formats."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A definition that was read from another format, and what to know of it.

    `cases` are tables of a `NAME.cases.toml`.
    """

    format: Format
    definition: Definition
    notes: tuple[str, ...] = ()
    left_behind: tuple[LeftBehind, ...] = ()
    cases: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedInstruction:
    """An instruction that an import writes, or would write.

    `source` is where it was read, `path` is its file, `cases_path` that of its cases, if it has
    any, and `cases` is how many. `variables` are those that it leaves open; `hosted_tools` run on
    the server and reach further than the knowledge. `toml` is the text of the file.
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
    """What an import wrote or would write.

    `refused` are prompts that could not be imported; `skipped` are files that are none, found in
    a directory.
    """

    dry_run: bool
    imported: tuple[ImportedInstruction, ...]
    refused: tuple[Refusal, ...]
    skipped: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class InstructionExport:
    """What an export wrote: the paths of its files, and what the format can't hold."""

    name: str
    format: ExportFormat
    paths: tuple[str, ...]
    notes: tuple[str, ...]
    left_behind: tuple[LeftBehind, ...]
