"""The plans and results of `apply`."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from gptasst.errors import (
    InvalidDefinition,
    InvalidInput,
    NotFound,
    PartlyDone,
    StateError,
    UsageError,
)
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.assistants.knowledge_files import NamedSources
    from gptasst.assistants.types import Assistant, AssistantSummary
    from gptasst.definitions.types import Definition
    from gptasst.errors import GptasstError
    from gptasst.inputs.reading import Refusal
    from gptasst.knowledge.types import KnowledgePlan

Action = Literal["create", "change", "rename", "delete", "unchanged", "blocked"]
Status = Literal["planned", "done", "failed", "not_done"]

# What one assistant has to itself: the others go on.
OF_ONE = (UsageError, InvalidInput, InvalidDefinition, NotFound, StateError, PartlyDone)
# Knowledge that is stored, and that no search by meaning finds yet.
STORED = ("no_embeddings",)


@dataclass(frozen=True, slots=True)
class CodedAssistant:
    """A definition with a name, from its file.

    `path` is the file as it was found, `source` what an assistant that is made from it carries
    (see `sources`). `knowledge` are the files that it names; `None` where it leaves the knowledge
    alone. `outside` are those of them that lie outside of `SourceDirectory.bounds`. `line` and
    `knowledge_line` are those of these keys. `notes` tell what it extends and hides; `extended`
    has the files of that.
    """

    path: str
    source: str
    line: int
    definition: Definition
    knowledge: NamedSources | None
    outside: tuple[str, ...] = ()
    knowledge_line: int = 1
    notes: tuple[str, ...] = ()
    extended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedKnowledge:
    """The changes of knowledge, by path; `unchanged` is a count."""

    add: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    unchanged: int = 0
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedAssistant:
    """The change of one assistant.

    Attributes:
        action: the kind of change; a `rename` may change more than the name. One that is
            `blocked` can't be read, so it stays as it is; see `problem`.
        name: the assistant's final name.
        id: the id of the assistant, if it exists.
        file: the file of its definition; `None` if that is gone.
        old_name: its current name, if that changes.
        keys: the differing keys of the definition, with dots: `settings.temperature`.
        diff: a unified diff from the definition in the store to the file.
        knowledge: the changes of its knowledge; `None`: none.
        taken_from: the source of an assistant that this directory did not make; empty: it was
            made by hand; `None`: this directory made it, or nothing changes.
        tools: hosted tools that the change turns on.
        outside: knowledge files that would be sent from outside of the repository.
        unfinished: an earlier command was interrupted, which this one finishes.
        files: the number of knowledge files that a deletion removes.
        notes: further notes, such as extending an instruction that shadows another.
        status: the result; a `blocked` one is `failed` from the beginning.
        problem: why it failed.
    """

    action: Action
    name: str
    id: str | None = None
    file: str | None = None
    old_name: str | None = None
    keys: tuple[str, ...] = ()
    diff: str = ""
    knowledge: PlannedKnowledge | None = None
    taken_from: str | None = None
    tools: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    unfinished: bool = False
    files: int = 0
    notes: tuple[str, ...] = ()
    status: Status = "planned"
    problem: GptasstError | None = field(default=None, compare=False)  # errors have no equals
    coded: CodedAssistant | None = field(default=None, repr=False)
    assistant: Assistant | None = field(default=None, repr=False)
    summary: AssistantSummary | None = field(default=None, repr=False)
    definition: Definition | None = field(default=None, repr=False)
    plan: KnowledgePlan | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """The changes that make a store match files.

    Attributes:
        assistants: the changes, in order.
        left: names of assistants from these directories whose file is gone, and which stay
            because `prune` was not given.
        passed_over: files without a `name` that no other definition extends, and files of cases
            without a definition.
        doubtful: names of assistants without a file that an earlier version made from a directory
            of this path, here or on another machine. They stay, even with `prune`.
    """

    assistants: tuple[PlannedAssistant, ...]
    left: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[PlannedAssistant, ...]:
        """The entries that change something."""
        return tuple(one for one in self.assistants if one.action != "unchanged")

    @property
    def possible(self) -> tuple[PlannedAssistant, ...]:
        """The changes that can be carried out."""
        return tuple(one for one in self.changes if one.action != "blocked")

    @property
    def blocked(self) -> tuple[PlannedAssistant, ...]:
        """The entries that can't be compared with their files."""
        return tuple(one for one in self.assistants if one.action == "blocked")

    @property
    def is_empty(self) -> bool:
        return not self.changes

    @property
    def outside(self) -> tuple[str, ...]:
        """The files that would be sent from outside of the repository."""
        return tuple(dict.fromkeys(path for one in self.assistants for path in one.outside))
