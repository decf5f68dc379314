"""Who has a name that several take at once.

The API does not know that names are unique. So who takes one first writes that down in the store's
metadata (`creating`, `renaming`), then looks for others, then settles, then looks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gptasst.api.types import VectorStore
from gptasst.assistants.project_directory import AssistantDirectory, now, read_pointer
from gptasst.assistants.store import name_taken

# From taking a new name to knowing that nobody else has it.
_RENAME_TAKES = timedelta(minutes=1)


class NameClaims:
    """The names of a project's assistants."""

    def __init__(self, directory: AssistantDirectory) -> None:
        self._directory = directory

    def refuse_taken(self, name: str) -> None:
        """Raise if some assistant has a name, even one whose creation is under way."""
        if any(store.name == name for store in self._directory.all()):
            raise name_taken(name)

    def has_rival(self, store: VectorStore) -> bool:
        """Whether another assistant of the name goes before one that takes it just now."""
        return any(
            _has_settled(other) or _precedence(other) < _precedence(store)
            for other in self._others(store)
        )

    def was_overtaken(self, store: VectorStore) -> bool:
        """Whether another assistant took the name in the last moment, and goes before this one."""
        return any(
            _has_settled(other) and _precedence(other) < _precedence(store)
            for other in self._others(store)
        )

    def _others(self, store: VectorStore) -> Sequence[VectorStore]:
        return [o for o in self._directory.all() if o.name == store.name and o.id != store.id]


def age(store: VectorStore) -> tuple[datetime, str]:
    """What puts stores in order of their age."""
    return store.created_at, store.id


def _has_settled(store: VectorStore) -> bool:
    """Whether an assistant has its name for good."""
    pointer = read_pointer(store)
    stale = pointer.renaming and pointer.updated_at < now() - _RENAME_TAKES  # it was killed
    return stale or not (pointer.creating or pointer.renaming)


def _precedence(store: VectorStore) -> tuple[bool, datetime, str]:
    """The least has the name: a renamed assistant before one that is being created, then by age."""
    return (read_pointer(store).creating, *age(store))
