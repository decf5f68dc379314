"""What `apply` plans, and what came of it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.assistants.knowledge_files import NamedSources
    from gptasst.assistants.types import Assistant, AssistantSummary
    from gptasst.definitions.types import Definition
    from gptasst.errors import GptasstError
    from gptasst.inputs.reading import Refusal
    from gptasst.knowledge.types import KnowledgePlan

Action = Literal["create", "change", "rename", "delete", "unchanged"]
Status = Literal["planned", "done", "failed", "not_done"]


@dataclass(frozen=True, slots=True)
class CodedAssistant:
    """A definition with a name, as its file has it.

    `path` is the file as it was found, `source` what an assistant that is made from it carries
    (see `sources`). `knowledge` are the files that it names; `None` where it leaves the knowledge
    alone. `outside` are those of them that lie outside of the repository and of the working
    directory. `line` and `knowledge_line` are those of these keys, `notes` tell what it extends
    and hides, `extended` has the files of that.
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
    """What happens to the knowledge: paths of files; `unchanged` counts those that stay."""

    add: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    unchanged: int = 0
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedAssistant:
    """What is done with one assistant.

    Attributes:
        action: what it comes to; a `rename` may change more than the name.
        name: the assistant's name when it is done.
        id: of the assistant, where there is one.
        file: the file of its definition; `None` where that is gone.
        old_name: the name that it has, where that changes.
        keys: keys of the definition that differ, with dots: `settings.temperature`.
        diff: the definition in the store and that of the file, as a unified diff.
        knowledge: what happens to it; `None`: it is left alone.
        taken_from: where an assistant that this directory has not made comes from; empty: it was
            made by hand; `None`: it is made by this directory, or nothing changes.
        tools: hosted tools that the change turns on.
        outside: knowledge files that would be sent from outside of the repository.
        unfinished: an earlier command was interrupted; this one finishes it.
        files: how many knowledge files a deletion takes along.
        notes: what else to know of it, such as that it extends an instruction that hides another.
        status: what came of it.
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
    problem: GptasstError | None = None
    coded: CodedAssistant | None = field(default=None, repr=False)
    assistant: Assistant | None = field(default=None, repr=False)
    summary: AssistantSummary | None = field(default=None, repr=False)
    definition: Definition | None = field(default=None, repr=False)
    plan: KnowledgePlan | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """What it takes to bring a store into line with files.

    Attributes:
        assistants: in the order in which they are done.
        left: names of assistants that came from these directories and have no file there any
            more, and stay, as nobody asked to delete them.
        passed_over: files without a `name` that no other definition extends.
    """

    assistants: tuple[PlannedAssistant, ...]
    left: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[PlannedAssistant, ...]:
        """Those with which something is done."""
        return tuple(one for one in self.assistants if one.action != "unchanged")

    @property
    def is_empty(self) -> bool:
        return not self.changes

    @property
    def outside(self) -> tuple[str, ...]:
        """The files that would be sent from outside of their repository."""
        return tuple(dict.fromkeys(path for one in self.assistants for path in one.outside))
