"""Which vector stores hold a file, looked up again before each delete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence

from gptasst.api.types import VectorStore, VectorStoreFile
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_listing import is_assistant
from gptasst.errors import ServiceError
from gptasst.threads import workers
from gptasst.uploads.project_cache import ProjectCache

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

    def as_seen(
        self, cache: ProjectCache, file_ids: Collection[str]
    ) -> Sequence[tuple[VectorStore, Mapping[str, str]]]:
        """Every vector store with the sha256 of its files by id, to be shown.

        An assistant that is as it was seen before is not read again, unless one of its files is
        gone. What is about to be deleted is looked up by `look`.

        Args:
            cache: keeps what was seen.
            file_ids: all files of the project.
        """
        stores = self._listed()
        before = cache.store_files()
        there = set(file_ids)

        def stands(store: VectorStore) -> bool:
            state, files = before.get(store.id, ("", {}))
            return bool(state) and state == _state(store) and files.keys() <= there

        changed = [store for store in stores if not stands(store)]
        with workers(_JOBS) as pool:
            listed = list(pool.map(self._files_of, changed))
        held: dict[str, Mapping[str, str]] = {
            store_id: files for store_id, (_, files) in before.items()
        }
        for store, found in zip(changed, listed, strict=True):
            held[store.id] = {f.id: str(f.attributes.get("sha256", "")) for f in found}
        seen = {store.id: (_state(store), held[store.id]) for store in stores if _state(store)}
        if seen != before:
            cache.remember_store_files(seen)
        return [(store, held[store.id]) for store in stores]

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


def _state(store: VectorStore) -> str:
    """What changes with the files of an assistant; empty where nobody writes that down.

    Its metadata says what it knows. The files of other programs may change without a sign.
    """
    if not is_assistant(store) or store.in_progress:
        return ""
    signs = (sorted(store.metadata.items()), store.files, store.usage_bytes, store.active_at)
    return hashlib.sha256(json.dumps(signs).encode()).hexdigest()
