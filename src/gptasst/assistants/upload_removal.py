"""Delete uploads that left an assistant's knowledge, if gptasst made them and nothing uses them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from gptasst.api.files import FileGateway
from gptasst.api.types import VectorStore, VectorStoreFile
from gptasst.api.upload_marks import read_mark
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_listing import is_assistant
from gptasst.errors import NotFound, ServiceError
from gptasst.threads import workers
from gptasst.uploads.project_cache import Origin, ProjectCache

_LOOKS = 16


class FileUsage:
    """The files of all vector stores of a project, including those of other programs.

    A second reading takes one request for the list of stores, and more only for stores that
    changed. May be used from many threads.
    """

    def __init__(self, vector_stores: VectorStoreGateway) -> None:
        self._stores = vector_stores
        self._read: dict[str, tuple[VectorStore, Sequence[VectorStoreFile]]] = {}

    def look(self) -> list[tuple[VectorStore, Sequence[VectorStoreFile]]]:
        """Every vector store with its current files."""
        stores = self.listed()
        before = self._read
        changed = [s for s in stores if s.id not in before or before[s.id][0] != s]
        with workers(_LOOKS) as pool:
            files = list(pool.map(self._files_of, changed))
        read = {store.id: (store, found) for store, found in zip(changed, files, strict=True)}
        current = [read.get(store.id) or before[store.id] for store in stores]
        self._read = {store.id: (store, found) for store, found in current}
        return current

    def _files_of(self, store: VectorStore) -> Sequence[VectorStoreFile]:
        return self._stores.files_if_there(store.id) if store.files else ()

    def as_seen(
        self, cache: ProjectCache, file_ids: Collection[str], stores: Sequence[VectorStore]
    ) -> Sequence[tuple[VectorStore, Mapping[str, str]]]:
        """Every vector store with the sha256 of its files by id, for display.

        An unchanged assistant is not read again, unless one of its files is gone. Use `look` before
        deleting anything.

        Args:
            cache: remembers the results.
            file_ids: all files of the project.
            stores: the vector stores as they are `listed`.
        """
        before = cache.store_files()
        there = set(file_ids)

        def stands(store: VectorStore) -> bool:
            state, files = before.get(store.id, ("", {}))
            return bool(state) and state == _state(store) and files.keys() <= there

        changed = [store for store in stores if not stands(store)]
        with workers(_LOOKS) as pool:
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
        """The vector stores that currently contain a file, except some."""
        return [
            store
            for store, files in self.look()
            if store.id not in besides and any(file.id == file_id for file in files)
        ]

    def listed(self) -> Sequence[VectorStore]:
        """Every vector store; none where the server has no such thing."""
        try:
            return list(self._stores.list())
        except ServiceError as error:
            if error.code == "no_endpoint":  # a server with files but without vector stores
                return []
            raise


def _state(store: VectorStore) -> str:
    """A value that changes with an assistant's files; empty for other vector stores.

    An assistant's metadata has a digest. The files of other programs may change unnoticed.
    """
    import hashlib

    if not is_assistant(store) or store.in_progress:
        return ""
    signs = (sorted(store.metadata.items()), store.files, store.usage_bytes, store.active_at)
    return hashlib.sha256(json.dumps(signs).encode()).hexdigest()


_JOBS = 8
# Check up to this many files one by one; for more, read the whole list.
_FEW = 3


class UploadRemover:
    """Deletes uploads of one project.

    Args:
        files: the project's files.
        usage: which vector stores hold a file.
        cache: what this machine uploaded.
    """

    def __init__(self, files: FileGateway, usage: FileUsage, cache: ProjectCache) -> None:
        self._files = files
        self._usage = usage
        self._cache = cache

    def remove(self, file_ids: Iterable[str], besides: Collection[str] = ()) -> Sequence[str]:
        """Delete files that no vector store contains, each checked right before.

        Args:
            file_ids: the uploads.
            besides: vector stores to ignore.

        Returns unused files that stay because they may be somebody else's.
        """
        wanted = list(dict.fromkeys(file_ids))
        if not wanted:
            return ()
        proven, gone = self._proven(wanted)

        def remove(file_id: str) -> bool:
            if self._usage.users(file_id, besides):
                return False
            if file_id in proven:
                self._files.delete(file_id)
            return True

        with workers(min(_JOBS, len(wanted))) as pool:
            unused = [i for i, free in zip(wanted, pool.map(remove, wanted), strict=True) if free]
        self._cache.forget_uploads([i for i in unused if i in proven])
        self._cache.forget_uploads(gone)
        return [file_id for file_id in unused if file_id not in proven | gone]

    def keep(self, store_id: str, file_ids: Iterable[str]) -> None:
        """Remember uploads that an assistant no longer uses, until it is deleted."""
        self._cache.remember_former_knowledge(store_id, file_ids)

    def kept(self, store_id: str) -> Sequence[str]:
        """Uploads that an assistant no longer uses, as far as this machine knows."""
        return self._cache.former_knowledge(store_id)

    def begin(self, store_id: str, file_ids: Iterable[str]) -> None:
        """Remember uploads that are about to be removed from an assistant and then deleted."""
        self._cache.begin_removal(store_id, file_ids)

    def begun(self, store_id: str) -> Sequence[str]:
        """Uploads of `begin` without an `end`, because a command was killed in between."""
        return self._cache.begun_removal(store_id)

    def end(self, file_ids: Iterable[str]) -> None:
        """Forget uploads of `begin`."""
        self._cache.end_removal(file_ids)

    def _proven(self, file_ids: Collection[str]) -> tuple[set[str], set[str]]:
        """The files that this machine sent or that have gptasst's mark; and the missing ones."""
        uploads = self._cache.all_uploads()
        own = {upload.file_id for upload in uploads if upload.origin == Origin.HERE}
        proven = own.intersection(file_ids)
        rest = [file_id for file_id in file_ids if file_id not in proven]
        names = dict(self._names(rest))
        marked = {file_id for file_id, name in names.items() if read_mark(name)}
        return proven | marked, set(rest) - names.keys()

    def _names(self, file_ids: Sequence[str]) -> Iterable[tuple[str, str]]:
        if len(file_ids) > _FEW:
            return [(f.id, f.filename) for f in self._files.list() if f.id in file_ids]
        return [(i, name) for i in file_ids if (name := self._name(i)) is not None]

    def _name(self, file_id: str) -> str | None:
        try:
            return self._files.get(file_id).filename
        except NotFound:
            return None
