"""Where assistants and their knowledge live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gptasst.models.assistants import Assistant, AssistantSummary, Revision
from gptasst.models.definitions import Definition
from gptasst.models.knowledge import Excerpt, KnowledgeSource


class AssistantStore(Protocol):
    """Assistants under unique names, each with the history of its definition.

    Wherever an assistant is asked for, `name` is its name or its id.
    """

    def create(self, definition: Definition, files: Sequence[KnowledgeSource]) -> Assistant:
        """Keep a new assistant and its knowledge, whole or not at all.

        Raises:
            UsageError: the name is taken.
            InvalidInput: a file has no text in it.
        """
        ...

    def list(self) -> Sequence[AssistantSummary]:
        """Every assistant, by name."""
        ...

    def get(self, name: str) -> Assistant:
        """One assistant.

        Raises:
            NotFound: there is none; the hint has the nearest name.
        """
        ...

    def update(
        self,
        assistant: Assistant,
        definition: Definition,
        add: Sequence[KnowledgeSource] = (),
        remove: Sequence[str] = (),
    ) -> Assistant:
        """Make `definition` the next revision of an assistant as it was read.

        Knowledge is changed with it as `change_files` does.

        Raises:
            UsageError: the new name is taken, or somebody else changed it in between.
            NotFound: it was deleted in between.
            InvalidInput: a file has no text in it; nothing is changed.
        """
        ...

    def delete(self, assistant: Assistant) -> None:
        """Remove an assistant, its history and its knowledge."""
        ...

    def change_files(
        self, assistant: Assistant, add: Sequence[KnowledgeSource], remove: Sequence[str]
    ) -> Assistant:
        """Add knowledge, then take files away by id. A path that is there is replaced.

        Raises:
            InvalidInput: a file has no text in it; nothing is changed.
        """
        ...

    def history(self, assistant: Assistant) -> Sequence[Revision]:
        """Every revision, oldest first."""
        ...

    def search(self, assistant: Assistant, task: str, max_characters: int) -> Sequence[Excerpt]:
        """The passages of an assistant's knowledge that fit a task best, best first."""
        ...

    def close(self) -> None: ...
