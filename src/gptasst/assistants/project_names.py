"""Who has a name that several take at once.

The API does not know that names are unique. So who takes one first writes that down in the store's
metadata (`creating`, `renaming`), then looks for others, then settles, then looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gptasst.api.types import VectorStore
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_directory import (
    AssistantDirectory,
    Pointer,
    interrupted_deletion,
    now,
    read_pointer,
    rename_claim,
)
from gptasst.assistants.store import name_taken
from gptasst.errors import GptasstError

# From taking a new name to knowing that nobody else has it.
_RENAME_TAKES = timedelta(minutes=1)


class NameClaims:
    """The names of a project's assistants.

    Args:
        stores: the project.
        directory: finds assistants there.
        machine: gives this machine's mark.
    """

    def __init__(
        self, stores: VectorStoreGateway, directory: AssistantDirectory, machine: Callable[[], str]
    ) -> None:
        self._stores = stores
        self._directory = directory
        self._machine = machine

    def refuse_taken(self, name: str) -> None:
        """Raise if some assistant has a name, even one whose creation is under way."""
        for store in self._directory.all():
            if store.name == name:
                raise taken(store)

    def claimed(self, pointer: Pointer, name: str) -> Pointer:
        """What the metadata says while this machine gives an assistant of that name another."""
        return replace(pointer, renaming=True, rename=rename_claim(self._machine(), name))

    def unfinished_rename(self, name: str, new: str) -> VectorStore | None:
        """The assistant whose new name this machine wrote down, without coming to the end."""
        claim = rename_claim(self._machine(), name)
        found = (store for store in self._directory.all() if store.name == new)
        return next((s for s in found if self._is_claimed(read_pointer(s), claim)), None)

    @staticmethod
    def _is_claimed(pointer: Pointer, claim: str) -> bool:
        return pointer.renaming and pointer.rename == claim

    def settle(self, before: VectorStore, store: VectorStore) -> VectorStore:
        """Keep a new name, unless somebody else took it at the same time.

        Args:
            before: the assistant with the name and the metadata that it gets back then.
            store: the assistant with its new name.

        Raises:
            UsageError: somebody did; the assistant has its old name again.
        """
        overtaken = self.has_rival(store)
        if not overtaken:
            settled = replace(read_pointer(store), renaming=False).metadata(store.metadata)
            store = self._stores.update(store.id, metadata=settled)
            overtaken = self.was_overtaken(store)
        if overtaken:
            self._stores.update(store.id, name=before.name, metadata=before.metadata)
            raise name_taken(store.name)
        return store

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


def taken(store: VectorStore) -> GptasstError:
    """The error for a name that an assistant has, if only as its deletion was interrupted."""
    if read_pointer(store).deleting:
        return interrupted_deletion(store)
    return name_taken(store.name)


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
