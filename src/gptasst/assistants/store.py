"""The interface of a place that stores assistants and their knowledge."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from gptasst.errors import NotFound, UsageError
from gptasst.hints import cmd, did_you_mean, nearest
from gptasst.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

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

    `name` is always an assistant's name or id. `report` is called with the progress of a
    transfer.
    """

    def create(
        self, definition: Definition, plan: KnowledgePlan, report: OnTransfer, *, source: str = ""
    ) -> KnowledgeOutcome:
        """Store a new assistant and its knowledge, which is searchable when this returns.

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
        """Every assistant, sorted by name.

        Args:
            whole_list: read the server's whole list again, and use nothing remembered.
        """
        ...

    def get(self, name: str, *, revision: int | None = None) -> Assistant:
        """One assistant with its knowledge; with a `revision`, with the definition of that.

        Raises:
            NotFound: there is none; the hint has the nearest name.
        """
        ...

    def summary(self, name: str) -> AssistantSummary:
        """The summary of an assistant, even if its definition is damaged.

        Raises:
            NotFound: there is none; the hint has the nearest name.
        """
        ...

    def open(self, name: str, *, briefly: bool = False, revision: int | None = None) -> Resolved:
        """An assistant with everything that a run needs.

        Args:
            name: its name or id.
            briefly: an instruction of that name may exist, so an assistant that somebody else has
                just renamed need not be found at once.
            revision: the number of an earlier definition to take instead.

        Raises:
            NotFound: there is none; the hint has the nearest name.
        """
        ...

    def update(
        self, assistant: Assistant, definition: Definition, *, source: str | None = None
    ) -> Assistant:
        """Save `definition` as the next revision of an assistant, as it was read.

        Args:
            assistant: as it was read.
            definition: the new one.
            source: where it comes from, in the same step; `None`: that stays as it is.

        Raises:
            UsageError: the new name is taken, or somebody else changed it in between.
            NotFound: it was deleted in between.
        """
        ...

    def propose(self, assistant: Assistant, definition: Definition) -> int:
        """Keep a definition as a revision that is not in force, and return its number.

        `update` with the same definition puts it in force.

        Raises:
            UsageError: the new name is taken, or somebody else changed it in between.
            NotFound: it was deleted in between.
        """
        ...

    def trial(
        self,
        assistant: Assistant | None,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
    ) -> AbstractContextManager[Trial]:
        """An assistant as a change would make it, while the context lasts; `None`: a new one.

        The assistant itself stays as it is. What was uploaded for it stays for `apply`, unless
        the context ends with an exception: then it is deleted.
        """
        ...

    def finish_rename(self, name: str | None, new: str) -> Assistant | None:
        """Finish a rename that this machine started; `None` if there is none.

        Args:
            name: the name that it had; `None`: any.
            new: the new one.

        Raises:
            UsageError: the new name is taken; the assistant has the old one again.
        """
        ...

    def delete(self, assistant: AssistantSummary, *, keep_files: bool) -> Sequence[str]:
        """Delete an assistant, its history and its knowledge, including earlier knowledge.

        Args:
            assistant: as it was read.
            keep_files: keep all uploads. Files that something else uses are always kept.

        Returns the ids of unused files that stay, as they may be somebody else's.
        """
        ...

    def content(self, file: KnowledgeFile) -> bytes:
        """The content of a knowledge file, as it was added.

        Raises:
            GptasstError: the store does not have it, or does not serve it.
        """
        ...

    def problem(self, source: KnowledgeSource) -> str | None:
        """Why a file can't be knowledge here, or `None`. Sends nothing."""
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
        """Save a definition, if it changed, and carry out a plan.

        New content is searchable before old content is removed. The local store does everything in
        one step; on a server the definition is saved first. Uploads that nothing uses any more are
        deleted, unless `keep_files`. `source` is as in `update`.

        Raises:
            UsageError: as in `update`; nothing is changed.
        """
        ...

    def checked(self, assistants: Sequence[Assistant]) -> Sequence[Assistant]:
        """Assistants, with the status `gone` for knowledge whose upload was deleted elsewhere."""
        ...

    def finish_removal(self, assistant: Assistant) -> None:
        """Delete uploads that an interrupted command removed from the knowledge."""
        ...

    def history(self, assistant: AssistantSummary | Assistant) -> Iterator[Revision]:
        """Every revision, oldest first, as they arrive."""
        ...

    def search(self, target: RunTarget, question: Question, limit: int) -> Sequence[FoundPassage]:
        """The passages of an assistant's knowledge that match a question, best first."""
        ...

    def close(self) -> None: ...


_REVISION = re.compile(r"(.+)@(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Trial:
    """An assistant as it would be after a change; `store` searches its knowledge."""

    resolved: Resolved
    store: AssistantStore


def revision_named(name: str) -> tuple[str, int] | None:
    """The assistant and the revision that `NAME@REVISION` means; `None` for other names."""
    found = _REVISION.fullmatch(name)
    return (found[1], int(found[2])) if found else None


def compared(revisions: Iterable[Revision]) -> Iterator[Revision]:
    """Revisions, oldest first, each with the keys that it changed."""
    from gptasst.definitions.toml import differing_keys

    before = None
    for revision in revisions:
        changed = differing_keys(before, revision.definition) if before else ()
        before = revision.definition
        yield replace(revision, changed=changed)


def numbered(revisions: Sequence[Revision], number: int, name: str) -> Revision:
    """The revision of a number.

    Raises:
        NotFound: there is none.
    """
    found = next((revision for revision in revisions if revision.number == number), None)
    if found is None:
        raise no_revision(name, number)
    return found


def no_revision(name: str, number: int) -> NotFound:
    return NotFound(
        f"`{name}` has no revision {number}",
        hint=f"{cmd(f'assistant history {shlex.quote(name)}')} lists its revisions",
        code="no_revision",
    )


def name_taken(name: str) -> UsageError:
    return UsageError(
        f"there is an assistant `{name}` already",
        hint=f"{cmd(f'assistant edit {shlex.quote(name)} …')} changes it",
        code="name_taken",
    )


def no_assistant(name: str, names: Iterable[str]) -> NotFound:
    """The error for an unknown name; it suggests the most similar one of `names`."""
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
