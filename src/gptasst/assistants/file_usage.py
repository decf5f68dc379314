"""Which vector stores hold a file, looked up again before each delete."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gptasst.api.types import VectorStore, VectorStoreFile
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.errors import ServiceError
from gptasst.threads import workers

_JOBS = 16


class FileUsage:
    """The files of all vector stores of a project, whoever they belong to.

    To look again takes one request for the list of stores, and more only for those that changed
    since. May be used from many threads.
    """

    def __init__(self, vector_stores: VectorStoreGateway) -> None:
        self._stores = vector_stores
        self._read: dict[str, tuple[VectorStore, Sequence[VectorStoreFile]]] = {}

    def look(self) -> list[tuple[VectorStore, Sequence[VectorStoreFile]]]:
        """Every vector store with its files, as they are now."""
        stores = self._listed()
        before = self._read
        changed = [s for s in stores if s.id not in before or before[s.id][0] != s]
        with workers(_JOBS) as pool:
            files = list(pool.map(self._files_of, changed))
        read = {store.id: (store, found) for store, found in zip(changed, files, strict=True)}
        current = [read.get(store.id) or before[store.id] for store in stores]
        self._read = {store.id: (store, found) for store, found in current}
        return current

    def _files_of(self, store: VectorStore) -> Sequence[VectorStoreFile]:
        return self._stores.files_if_there(store.id) if store.files else ()

    def users(self, file_id: str, besides: Collection[str] = ()) -> list[VectorStore]:
        """The vector stores that hold a file now, but for those of some ids."""
        return [
            store
            for store, files in self.look()
            if store.id not in besides and any(file.id == file_id for file in files)
        ]

    def _listed(self) -> Sequence[VectorStore]:
        try:
            return list(self._stores.list())
        except ServiceError as error:
            if error.code == "no_endpoint":  # a server with files and no vector stores
                return []
            raise
