"""Assistants of a store, with the history of their definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Literal

from gptasst.definitions.types import SearchSettings
from gptasst.definitions.variables import filled
from gptasst.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from gptasst.definitions.formats.types import LeftBehind
    from gptasst.definitions.types import Definition
    from gptasst.inputs.reading import Refusal
    from gptasst.knowledge.types import KnowledgeFile, KnowledgePlan


@dataclass(frozen=True, slots=True)
class Assistant:
    """A definition and its knowledge under a name that is unique in its store.

    `complete` is false if the knowledge is not what gptasst last stored, because somebody deleted
    files on the server. `gone` are their paths, as far as this machine knows.
    `source` is the file that `apply` made it from; see `apply.sources`. It is empty otherwise.
    """

    id: str
    definition: Definition
    revision: int
    created_at: datetime
    updated_at: datetime
    knowledge: tuple[KnowledgeFile, ...] = ()
    complete: bool = True
    gone: tuple[str, ...] = ()
    source: str = ""

    @property
    def name(self) -> str:
        return self.definition.name


@dataclass(frozen=True, slots=True)
class AssistantSummary:
    """A line of `assistant list`. `size` is the knowledge in bytes.

    `state` is `creating`, `renaming` or `deleting` while that is under way or interrupted, and
    `unreadable` if its metadata is damaged or was written by a newer gptasst.
    `source` is as in `Assistant`.
    """

    id: str
    name: str
    model: str | None
    instruction: str | None
    files: int
    size: int
    updated_at: datetime
    state: str = "ready"
    source: str = ""


WHY_UNREADABLE = "a newer gptasst wrote it, or its metadata is damaged"


@dataclass(frozen=True, slots=True)
class Revision:
    """One saved state of an assistant's definition; `number` counts from 1.

    In a history, `changed` are the keys that differ from the revision before:
    `settings.temperature`.
    """

    number: int
    definition: Definition
    created_at: datetime
    current: bool
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunTarget:
    """The parts of an assistant that a run needs, besides its definition.

    `knowledge_sha256` changes whenever the knowledge does; it is empty without knowledge. With a
    `vector_store_id` the server searches the knowledge, else the store does. `search` has the
    settings, and `paths` the files that match its filters, if the server needs them.
    """

    id: str
    knowledge_sha256: str
    vector_store_id: str | None = None
    search: SearchSettings = field(default_factory=SearchSettings)
    paths: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name refers to: the definition of an assistant, or else of an instruction.

    `path` is the instruction's file; `doubt` is why an assistant may exist nevertheless.
    """

    definition: Definition
    assistant: RunTarget | None = None
    path: str | None = None
    doubt: str | None = None

    def filled(self, values: Mapping[str, str]) -> Resolved:
        """A copy with variables replaced by their values; see `definitions.variables`.

        Raises:
            UsageError: a value is missing, unknown, or not one of the choices.
        """
        definition = filled(self.definition, values)
        return self if definition is self.definition else replace(self, definition=definition)

    @property
    def source(self) -> Literal["assistant", "instruction"]:
        return "instruction" if self.assistant is None else "assistant"

    def searches(self, *, asked_for: bool) -> bool:
        """Whether a run searches knowledge by default."""
        known = self.assistant is not None and bool(self.assistant.knowledge_sha256)
        return known and asked_for and self.definition.tools.file_search is not False


@dataclass(frozen=True, slots=True)
class AssistantChange:
    """A planned change of an assistant: its next definition, and what becomes of its knowledge."""

    assistant: Assistant
    definition: Definition
    plan: KnowledgePlan

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be different."""
        return self.plan.is_empty and self.definition == self.assistant.definition


@dataclass(frozen=True, slots=True)
class KnowledgeChange:
    """A planned change of an assistant's knowledge.

    `collections` are the directories and patterns that a sync will read again. `outside` are files
    outside of the working directory that would be sent without being named in this command:
    anybody who may edit the assistant can name any file of this disk.
    """

    assistant: Assistant
    plan: KnowledgePlan
    collections: tuple[str, ...]
    outside: tuple[str, ...] = ()

    @property
    def change(self) -> AssistantChange:
        definition = replace(self.assistant.definition, knowledge=self.collections)
        return AssistantChange(self.assistant, definition, self.plan)


@dataclass(frozen=True, slots=True)
class KnowledgeOutcome:
    """An assistant after a change of its knowledge, and the files that could not be added.

    `left` are ids of removed files that stay on the server, as they may be somebody else's.
    `notes` list what could not be read in the added files.
    """

    assistant: Assistant
    plan: KnowledgePlan
    failed: tuple[Refusal, ...] = ()
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssistantImport:
    """An assistant that was created from a file. `notes` list differences from the file."""

    assistant: Assistant
    notes: tuple[str, ...] = ()
    left_behind: tuple[LeftBehind, ...] = ()
