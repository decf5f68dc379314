"""Who has a name that several take at once.

The API does not know that names are unique. So who takes one first writes that down in the store's
metadata (`creating`, `renaming`), then looks for others, then settles, then looks again. An
assistant without knowledge is made settled, and looks once: of two, the later is withdrawn.
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
# Seconds from making an assistant to withdrawing it, where its name is another's.
_WITHDRAWAL_TAKES = 2.0


class NameClaims:
    """The names of a project's assistants.

    Args:
        stores: the project.
        directory: finds assistants there.
        machine: gives this machine's mark.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        stores: VectorStoreGateway,
        directory: AssistantDirectory,
        machine: Callable[[], str],
        pause: Callable[[float], None],
    ) -> None:
        self._stores = stores
        self._directory = directory
        self._machine = machine
        self._pause = pause

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
        return _goes_before(store, self._directory.all())

    def has_new_rival(self, made: VectorStore) -> bool:
        """As `has_rival`, among new assistants only: one that is renamed is left to the last look.

        For an assistant that is being made. A renamed one goes before it whenever it is seen.
        """
        return _goes_before(made, self._directory.newest(made))

    def is_withdrawn(self, made: VectorStore) -> bool:
        """Whether an assistant that was made settled has to go, as another has its name.

        One that was made later withdraws when it sees this one. If it stays, the server's clock
        had them in another order, or both in one second.
        """
        others = _others(made, self._directory.all(made=made))
        if any(_was_earlier(other, made) for other in others):
            return True
        if not any(map(_has_settled, others)):
            return False
        self._pause(_WITHDRAWAL_TAKES)
        return any(map(_has_settled, _others(made, self._directory.all())))

    def was_overtaken(self, store: VectorStore) -> bool:
        """Whether another assistant took the name in the last moment, and goes before this one."""
        return any(
            _has_settled(other) and _precedence(other) < _precedence(store)
            for other in _others(store, self._directory.all())
        )


def _goes_before(store: VectorStore, found: Sequence[VectorStore]) -> bool:
    return any(
        _has_settled(other) or _precedence(other) < _precedence(store)
        for other in _others(store, found)
    )


def _others(store: VectorStore, found: Sequence[VectorStore]) -> Sequence[VectorStore]:
    return [other for other in found if other.name == store.name and other.id != store.id]


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


def _was_earlier(other: VectorStore, made: VectorStore) -> bool:
    return read_pointer(other).renaming or age(other) < age(made)


def _precedence(store: VectorStore) -> tuple[bool, datetime, str]:
    """The least has the name: a renamed assistant before one that is being created, then by age."""
    return (read_pointer(store).creating, *age(store))
