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

    `complete` is false where the knowledge is not what gptasst last put there: somebody deleted
    files of it on the server. `gone` are the paths of these, as far as this machine knows.
    """

    id: str
    definition: Definition
    revision: int
    created_at: datetime
    updated_at: datetime
    knowledge: tuple[KnowledgeFile, ...] = ()
    complete: bool = True
    gone: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.definition.name


@dataclass(frozen=True, slots=True)
class AssistantSummary:
    """A line of `assistant list`. `size` is the knowledge in bytes.

    `state` is `creating`, `renaming` or `deleting` while that goes on, or where it was interrupted.
    """

    id: str
    name: str
    model: str | None
    instruction: str | None
    files: int
    size: int
    updated_at: datetime
    state: str = "ready"


@dataclass(frozen=True, slots=True)
class Revision:
    """One saved state of an assistant's definition; `number` counts from 1."""

    number: int
    definition: Definition
    created_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class RunTarget:
    """What a run needs of an assistant besides its definition.

    `knowledge_sha256` changes whenever the knowledge does; empty: there is none. With a
    `vector_store_id` the server searches the knowledge, else the store does. `search` says how,
    and `paths` are those that its filters leave, where the server has to be told.
    """

    id: str
    knowledge_sha256: str
    vector_store_id: str | None = None
    search: SearchSettings = field(default_factory=SearchSettings)
    paths: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name stands for: the definition of an assistant, else of an instruction.

    `path` is the file of the instruction; `doubt` is why there may be an assistant all the same.
    """

    definition: Definition
    assistant: RunTarget | None = None
    path: str | None = None
    doubt: str | None = None

    def filled(self, values: Mapping[str, str]) -> Resolved:
        """The same with the values of its variables in its texts; see `definitions.variables`.

        Raises:
            UsageError: a value is missing, of no variable, or none of the choices.
        """
        definition = filled(self.definition, values)
        return self if definition is self.definition else replace(self, definition=definition)

    @property
    def source(self) -> Literal["assistant", "instruction"]:
        return "instruction" if self.assistant is None else "assistant"

    def searches(self, *, asked_for: bool) -> bool:
        """Whether a run searches knowledge, where it is not asked to leave that alone."""
        known = self.assistant is not None and bool(self.assistant.knowledge_sha256)
        return known and asked_for and self.definition.tools.file_search is not False


@dataclass(frozen=True, slots=True)
class KnowledgeOutcome:
    """An assistant after its knowledge was changed, and the files that could not be taken.

    `left` are ids of files that left it and stay on the server: they may be somebody else's.
    `notes` tell what of the files that were taken could not be read.
    """

    assistant: Assistant
    plan: KnowledgePlan
    failed: tuple[Refusal, ...] = ()
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssistantImport:
    """An assistant that was made from a file. `notes` say what is different from the file."""

    assistant: Assistant
    notes: tuple[str, ...] = ()
    left_behind: tuple[LeftBehind, ...] = ()
