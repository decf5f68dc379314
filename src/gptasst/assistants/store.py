"""Where assistants and their knowledge live."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from gptasst.errors import NotFound, UsageError
from gptasst.hints import cmd, did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gptasst.assistants.types import (
        Assistant,
        AssistantSummary,
        KnowledgeOutcome,
        Resolved,
        Revision,
        RunTarget,
    )
    from gptasst.definitions.types import Definition
    from gptasst.knowledge.question import Question
    from gptasst.knowledge.types import FoundPassage, KnowledgeFile, KnowledgePlan
    from gptasst.uploads.types import KnowledgeSource, OnTransfer


class AssistantStore(Protocol):
    """Assistants under unique names, each with the history of its definition.

    Wherever an assistant is asked for, `name` is its name or its id. `report` is called
    with how far a transfer has come.
    """

    def create(
        self, definition: Definition, plan: KnowledgePlan, report: OnTransfer, *, source: str = ""
    ) -> KnowledgeOutcome:
        """Keep a new assistant and its knowledge; when it returns, the knowledge is searchable.

        Args:
            definition: its definition.
            plan: its knowledge.
            report: see the class.
            source: see `Assistant`.

        Raises:
            UsageError: the name is taken.
        """
        ...

    def list(self, *, whole_list: bool = False) -> Sequence[AssistantSummary]:
        """Every assistant, by name.

        Args:
            whole_list: read the server's whole list again, and rely on nothing seen before.
        """
        ...

    def get(self, name: str) -> Assistant:
        """One assistant with its knowledge.

        Raises:
            NotFound: there is none; the hint has the nearest name.
        """
        ...

    def summary(self, name: str) -> AssistantSummary:
        """One assistant in short, even if its definition is damaged.

        Raises:
            NotFound: there is none; the hint has the nearest name.
        """
        ...

    def open(self, name: str, *, briefly: bool = False) -> Resolved:
        """One assistant as a run needs it.

        Args:
            name: its name or id.
            briefly: there may be an instruction of that name. So an assistant that somebody else
                has just renamed to it need not be found at once.

        Raises:
            NotFound: there is none; the hint has the nearest name.
        """
        ...

    def update(
        self, assistant: Assistant, definition: Definition, *, source: str | None = None
    ) -> Assistant:
        """Make `definition` the next revision of an assistant as it was read.

        Args:
            assistant: as it was read.
            definition: the new one.
            source: where it comes from, in the same step; `None`: that stays as it is.

        Raises:
            UsageError: the new name is taken, or somebody else changed it in between.
            NotFound: it was deleted in between.
        """
        ...

    def finish_rename(self, name: str | None, new: str) -> Assistant | None:
        """Give an assistant the new name that this machine began to give it; `None`: it did not.

        Args:
            name: the name that it had; `None`: any.
            new: the new one.

        Raises:
            UsageError: the new name is taken; the assistant has the old one again.
        """
        ...

    def delete(self, assistant: AssistantSummary, *, keep_files: bool) -> Sequence[str]:
        """Remove an assistant, its history and its knowledge, also what it knew earlier.

        Args:
            assistant: as it was read.
            keep_files: leave uploaded files where they are. Files that something else uses
                stay in any case.

        Returns the ids of unused files that stay, as they may be somebody else's.
        """
        ...

    def content(self, file: KnowledgeFile) -> bytes:
        """What a knowledge file held when it was taken in.

        Raises:
            GptasstError: the store does not have it, or does not give it out.
        """
        ...

    def problem(self, source: KnowledgeSource) -> str | None:
        """Why a file can't be knowledge here, if it can't. Nothing is sent."""
        ...

    def apply(
        self,
        assistant: Assistant,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
        *,
        keep_files: bool = False,
        source: str | None = None,
    ) -> KnowledgeOutcome:
        """Make a definition the newest if it differs, and carry out a plan.

        New content gets in and is searchable before old goes. In one step where the store can
        do that; on a server the definition comes first. Uploads that nothing uses any more are
        deleted, unless `keep_files`. `source` is as in `update`.

        Raises:
            UsageError: as `update`; nothing is changed.
        """
        ...

    def checked(self, assistants: Sequence[Assistant]) -> Sequence[Assistant]:
        """Assistants with the status `gone` for knowledge whose upload was deleted elsewhere."""
        ...

    def finish_removal(self, assistant: Assistant) -> None:
        """Delete uploads that left the knowledge in a command that was cut before it did so."""
        ...

    def history(self, assistant: AssistantSummary | Assistant) -> Sequence[Revision]:
        """Every revision, oldest first."""
        ...

    def search(self, target: RunTarget, question: Question, limit: int) -> Sequence[FoundPassage]:
        """The passages of an assistant's knowledge that fit a question, best first."""
        ...

    def close(self) -> None: ...


def name_taken(name: str) -> UsageError:
    return UsageError(
        f"there is an assistant `{name}` already",
        hint=f"{cmd(f'assistant edit {shlex.quote(name)} …')} changes it",
        code="name_taken",
    )


def no_assistant(name: str, names: Iterable[str]) -> NotFound:
    """The error for a name that is not there; it suggests the nearest one of `names`."""
    known = list(names)
    hint = did_you_mean(name, known, f"{cmd('assistant list')} shows them")
    return NotFound(f"no assistant `{name}`", hint=hint, near=nearest(name, known))


def edit_conflict(name: str) -> UsageError:
    return UsageError(
        f"`{name}` was changed by somebody else in the meantime",
        hint=f"{cmd(f'assistant show {shlex.quote(name)}')} shows it; then try again",
        code="edit_conflict",
    )


def deleted_meanwhile(name: str) -> NotFound:
    return NotFound(
        f"`{name}` was deleted by somebody else in the meantime",
        hint=f"{cmd('assistant list')} shows what is there",
        code="gone",
    )
