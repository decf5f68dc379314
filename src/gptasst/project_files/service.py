"""Files on the server: listing, showing, deleting, and what nothing uses any more."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from gptasst.api.files import FileGateway
from gptasst.api.types import RemoteFile, VectorStore
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_metadata import is_assistant
from gptasst.errors import GptasstError, NotFound, PartlyDone, ServiceError, UsageError
from gptasst.project_files.types import FileEntry, Prunable
from gptasst.threads import workers
from gptasst.uploads.cache import FileCache

_JOBS = 16


class FileService:
    """What can be done with the files of one project.

    Args:
        files, vector_stores: the project.
        cache: what is known of local files and of earlier uploads.
        scope: endpoint and project, as the cache has them.
    """

    def __init__(
        self,
        files: FileGateway,
        vector_stores: VectorStoreGateway,
        cache: FileCache,
        scope: str,
    ) -> None:
        self._files = files
        self._stores = vector_stores
        self._cache = cache
        self._scope = scope

    def list(self) -> Sequence[FileEntry]:
        """Every file of the project, newest first, with local paths and who uses it."""
        return self._entries(list(self._files.list()))

    def find(self, words: Sequence[str]) -> Sequence[FileEntry]:
        """The files that ids, local paths or names on the server mean, each once.

        A local path means every upload of its content.

        Raises:
            NotFound: a word means none.
            UsageError: a name means several.
        """
        files = {file.id: file for file in self._files.list()}
        found: dict[str, RemoteFile] = {}
        for word in words:
            for file in self._meant(word, files):
                found[file.id] = file
        return self._entries(list(found.values()))

    def _meant(self, word: str, files: dict[str, RemoteFile]) -> Sequence[RemoteFile]:
        if word in files:
            return [files[word]]
        by_content = self._by_content(word, files)
        if by_content:
            return by_content
        named = [file for file in files.values() if file.filename == word]
        if len(named) > 1:
            ids = ", ".join(f"`{file.id}`" for file in named)
            raise UsageError(
                f"{len(named)} files are called `{word}`: {ids}",
                hint="name one by its id; `gptasst file list` shows more of them",
                code="ambiguous_name",
            )
        if not named:
            raise _no_file(word, files.values())
        return named

    def _by_content(self, word: str, files: dict[str, RemoteFile]) -> Sequence[RemoteFile]:
        if not Path(word).is_file():
            return []
        sha256 = self._cache.sha256(Path(word)).sha256
        uploads = self._cache.all_uploads(self._scope)
        return [files[u.file_id] for u in uploads if u.sha256 == sha256 and u.file_id in files]

    def _entries(self, files: Sequence[RemoteFile]) -> Sequence[FileEntry]:
        if not files:
            return []
        contents = {u.file_id: u.sha256 for u in self._cache.all_uploads(self._scope)}
        users, attributes = self._usage()
        contents |= attributes
        paths = self._cache.local_paths({contents[f.id] for f in files if f.id in contents})
        return [
            FileEntry(
                id=file.id,
                filename=file.filename,
                size=file.size,
                purpose=file.purpose,
                created_at=file.created_at,
                expires_at=file.expires_at,
                sha256=contents.get(file.id),
                paths=tuple(str(path) for path in paths.get(contents.get(file.id, ""), ())),
                used_by=tuple(sorted(users.get(file.id, ()))),
            )
            for file in files
        ]

    def _usage(self) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        """Which assistants and other vector stores hold a file, and the hashes they give."""
        users: dict[str, tuple[str, ...]] = {}
        contents: dict[str, str] = {}
        stores = [store for store in self._all_stores() if store.files]
        with workers(_JOBS) as pool:
            listed = pool.map(lambda store: self._stores.files_if_there(store.id), stores)
            for store, files in zip(stores, listed, strict=True):
                ours = is_assistant(store)
                user = store.name if ours else f"vector store {store.name or store.id}"
                for file in files:
                    users[file.id] = (*users.get(file.id, ()), user)
                    if ours and "sha256" in file.attributes:
                        contents[file.id] = str(file.attributes["sha256"])
        return users, contents

    def _all_stores(self) -> Sequence[VectorStore]:
        try:
            return list(self._stores.list())
        except ServiceError as error:
            if error.code == "no_endpoint":  # a server with files and no vector stores
                return []
            raise

    def prunable(self) -> Sequence[Prunable]:
        """What gptasst uploaded and nothing uses any more, and duplicates.

        Knowledge is used by vector stores; an input is kept for as long as the file that it was
        made from is on this disk.
        """
        files = list(self._files.list())
        own = {u.file_id: u for u in self._cache.all_uploads(self._scope) if u.own}
        gone = own.keys() - {file.id for file in files}
        self._cache.forget_uploads(self._scope, gone)
        entries = [entry for entry in self._entries(files) if entry.id in own]
        copies: defaultdict[tuple[str, str], list[FileEntry]] = defaultdict(list)
        for entry in entries:
            copies[own[entry.id].sha256, entry.purpose].append(entry)
        found = [prunable for same in copies.values() for prunable in _prunable_copies(same)]
        return sorted(found, key=lambda prunable: (prunable.file.filename, prunable.file.id))

    def delete(self, files: Sequence[FileEntry]) -> None:
        """Delete files, also out of every vector store; one that is gone already is fine.

        Raises:
            PartlyDone: the server refused some; its `done` are those that were deleted.
            GptasstError: it refused all, or what failed is no fault of one file.
        """
        with workers(_JOBS) as pool:
            jobs = [(file, pool.submit(self._files.delete, file.id)) for file in files]
        deleted = [file for file, job in jobs if job.exception() is None]
        self._cache.forget_uploads(self._scope, [file.id for file in deleted])
        failed = [(file, job.exception()) for file, job in jobs if job.exception()]
        for _, error in failed:
            if error and not (deleted and _is_own_fault(error)):
                raise error
        if failed:
            raise _partly_deleted(deleted, failed)


def _prunable_copies(copies: Sequence[FileEntry]) -> list[Prunable]:
    """Of one content and purpose: all that nobody uses but one, and that too if nobody needs it."""
    unused = [entry for entry in copies if not entry.used_by]
    used = len(copies) - len(unused)
    kept_for_disk = copies[0].purpose == "user_data" and bool(copies[0].paths)
    if copies[0].purpose not in ("assistants", "user_data"):
        return []
    # An upload that stays for ever is the better one to keep, then the newest.
    unused.sort(key=lambda e: (e.expires_at is not None, -e.created_at.timestamp()))
    keep = 1 if kept_for_disk and not used else 0
    reason: Literal["duplicate", "unused"] = "duplicate" if used or keep else "unused"
    return [Prunable(entry, reason) for entry in unused[keep:]]


def _is_own_fault(error: BaseException) -> bool:
    """Whether it is one file's; anything else would befall the others as well."""
    return isinstance(error, GptasstError) and error.code == "bad_request"


def _partly_deleted(
    deleted: Sequence[FileEntry], failed: Sequence[tuple[FileEntry, BaseException | None]]
) -> PartlyDone:
    named = "; ".join(f"`{file.filename}` ({file.id}): {error}" for file, error in failed)
    error = PartlyDone(
        f"{len(failed):,} of {len(failed) + len(deleted):,} files could not be deleted: {named}",
        hint=f"`gptasst file delete {' '.join(file.id for file, _ in failed)}` tries again",
    )
    error.done = tuple(deleted)
    return error


def _no_file(word: str, files: Iterable[RemoteFile]) -> NotFound:
    names = {file.filename.casefold(): file.filename for file in files}
    near = difflib.get_close_matches(word.casefold(), names, n=1)
    hint = f"did you mean `{names[near[0]]}`?" if near else "`gptasst file list` shows them"
    return NotFound(f"no file `{word}` on the server", hint=hint)
