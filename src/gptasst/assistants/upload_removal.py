"""Delete uploads that left an assistant's knowledge, if gptasst made them and nothing uses them."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from gptasst.api.files import FileGateway
from gptasst.api.types import VectorStore
from gptasst.api.upload_marks import read_mark
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_listing import AssistantListing, is_assistant
from gptasst.errors import GptasstError, NotFound, ServiceError
from gptasst.threads import mapped
from gptasst.uploads.project_cache import Origin, ProjectCache

_JOBS = 16
# Read so many vector stores before writing down what they hold: an interrupted command keeps it.
_STORES_AT_ONCE = 200
# Look once for so many files that are about to be deleted.
_FILES_AT_ONCE = 100
# Seconds for which a reading of the same command is good enough to delete files.
_RECENT = 60.0

# A vector store, and the sha256 of its files by id, where an attribute has it.
HeldFiles: TypeAlias = tuple[VectorStore, Mapping[str, str]]
# A file's id, and whether it was deleted (`None`: kept, as it may be in use); or why that failed.
Deletion: TypeAlias = tuple[str, bool | GptasstError | None]
# The codes of errors that may concern one vector store, and how many such there may be.
_OF_ONE_STORE = ("service_error", "bad_request", "no_permission", "not_an_api", "incomplete_list")
_MOST_UNREAD = 3


class Usage(NamedTuple):
    """Which vector store holds which files.

    `unread` are the ids of vector stores whose files can't be read. They may use any file.
    """

    stores: Sequence[HeldFiles]
    unread: frozenset[str] = frozenset()


class FileUsage:
    """The files of all vector stores of a project, including those of other programs.

    What a vector store holds is remembered, and read again when the list shows that it changed. So
    a reading takes the requests for the list of stores, and one for each that changed. A file that
    took the place of one of the same size leaves no sign there: before files are deleted, all are
    read. May be used from many threads.

    Args:
        vector_stores: the project.
        cache: remembers what was read.
        note: called once for a vector store whose files the server fails to list.
    """

    def __init__(
        self,
        vector_stores: VectorStoreGateway,
        cache: ProjectCache,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._stores = vector_stores
        self._cache = cache
        self._note = note
        self._lock = threading.Lock()
        self._read_at: dict[str, float] = {}
        self._told: set[str] = set()

    def look(self, *, to_delete: bool = False) -> Usage:
        """Every vector store with its current files."""
        return self.files_of(self.listed(), whole_list=True, to_delete=to_delete)

    def of_assistants(self) -> Usage:
        """The same for the assistants only, which takes fewer requests."""
        try:
            return self.files_of(AssistantListing(self._stores, self._cache).all())
        except ServiceError as error:
            if error.code != "no_vector_stores":
                raise
            return Usage(())

    def files_of(
        self,
        stores: Sequence[VectorStore],
        *,
        whole_list: bool = False,
        there: frozenset[str] | None = None,
        to_delete: bool = False,
    ) -> Usage:
        """The current files of listed vector stores.

        Args:
            stores: the vector stores as they are listed now.
            whole_list: these are all that there are.
            there: the ids of all files of the project, if they are known. A vector store that held
                another one is read again.
            to_delete: read those again that this object did not read just now.
        """
        with self._lock:
            before = self._cache.store_files()
            now = time.monotonic()

            def stands(store: VectorStore) -> bool:
                state, files = before.get(store.id, ("", {}))
                same = bool(state) and state == _state(store)
                age = now - self._read_at.get(store.id, -math.inf) if to_delete else 0.0
                return same and age < _RECENT and (there is None or there.issuperset(files))

            changed = [store for store in stores if not stands(store)]
            held = {store.id: before[store.id][1] for store in stores if store.id in before}
            failed: list[tuple[VectorStore, GptasstError]] = []
            for start in range(0, len(changed), _STORES_AT_ONCE):
                group = changed[start : start + _STORES_AT_ONCE]
                found = mapped(self._files_of, group, _JOBS)
                seen: dict[str, tuple[str, dict[str, str]]] = {}
                for store, files in zip(group, found, strict=True):
                    if isinstance(files, GptasstError):
                        failed.append((store, files))
                        continue
                    held[store.id] = files
                    self._read_at[store.id] = now
                    if state := _state(store):
                        seen[store.id] = (state, files)
                self._cache.remember_store_files(seen)
                if len(failed) > _MOST_UNREAD:
                    raise failed[0][1]
            self._tell_unread(failed)
            if whole_list:
                self._cache.forget_store_files(before.keys() - held.keys())
            unread = frozenset(store.id for store, _ in failed)
            return Usage([(store, held.get(store.id, {})) for store in stores], unread)

    def _tell_unread(self, failed: Sequence[tuple[VectorStore, GptasstError]]) -> None:
        for store, error in failed:
            if store.id not in self._told:
                self._told.add(store.id)
                called = f"`{store.name}` ({store.id})" if store.name else f"`{store.id}`"
                self._note(
                    f"the files of the vector store {called} can't be read, so any may be used"
                    f" there: {error.message}"
                )

    def _files_of(self, store: VectorStore) -> dict[str, str] | GptasstError:
        try:
            found = self._stores.files_if_there(store.id) if store.files else ()
        except GptasstError as error:
            if error.code in _OF_ONE_STORE:
                return error
            raise
        return {file.id: str(file.attributes.get("sha256", "")) for file in found}

    def delete_unused(
        self,
        file_ids: Sequence[str],
        delete: Callable[[str], object],
        besides: Collection[str] = (),
    ) -> Sequence[Deletion]:
        """Delete files that no vector store holds, looking right before.

        None is deleted if the files of a vector store can't be read.

        Args:
            file_ids: the files.
            delete: deletes one.
            besides: vector stores to ignore.
        """
        outcomes: list[Deletion] = []
        for start in range(0, len(file_ids), _FILES_AT_ONCE):
            group = file_ids[start : start + _FILES_AT_ONCE]
            stores, unread = self.look(to_delete=True)
            used = {i for store, ids in stores if store.id not in besides for i in ids}
            outcomes += [(file_id, False) for file_id in group if file_id in used]
            unused = [file_id for file_id in group if file_id not in used]
            if unread.difference(besides):
                outcomes += [(file_id, None) for file_id in unused]
            else:
                outcomes += delete_all(unused, delete)
        return outcomes

    def listed(self) -> Sequence[VectorStore]:
        """Every vector store; none where the server has no such thing."""
        try:
            return list(self._stores.list())
        except ServiceError as error:
            if error.code == "no_endpoint":  # a server with files but without vector stores
                return []
            raise


def _state(store: VectorStore) -> str:
    """A value that changes with the files of a vector store; empty if nothing would show it.

    An assistant's metadata has a digest of them. Other programs leave no sign but the number of
    files, the size of the index, and the time of the last use, which some servers don't set.
    """
    import hashlib

    unsized = store.files and not store.usage_bytes and not is_assistant(store)
    if store.in_progress or unsized:
        return ""
    signs = (sorted(store.metadata.items()), store.files, store.usage_bytes, store.active_at)
    return hashlib.sha256(json.dumps(signs).encode()).hexdigest()


def delete_all(file_ids: Sequence[str], delete: Callable[[str], object]) -> Sequence[Deletion]:
    """Delete files, each by `delete`; one that fails leaves the others alone."""

    def work(file_id: str) -> Deletion:
        try:
            delete(file_id)
        except GptasstError as error:
            return file_id, error
        return file_id, True

    return mapped(work, file_ids, _JOBS)


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

        Returns files that stay because they may be somebody else's, or used by somebody else.
        """
        wanted = list(dict.fromkeys(file_ids))
        if not wanted:
            return ()
        proven, gone = self._proven(wanted)

        def remove(file_id: str) -> None:
            if file_id in proven:
                self._files.delete(file_id)

        there = [file_id for file_id in wanted if file_id not in gone]
        outcomes = self._usage.delete_unused(there, remove, besides)
        unused = [file_id for file_id, outcome in outcomes if outcome is True]
        doubtful = [file_id for file_id, outcome in outcomes if outcome is None]
        self._cache.forget_uploads([i for i in unused if i in proven])
        self._cache.forget_uploads(gone)
        for _, outcome in outcomes:
            if isinstance(outcome, GptasstError):
                raise outcome
        return [*doubtful, *(file_id for file_id in unused if file_id not in proven)]

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
