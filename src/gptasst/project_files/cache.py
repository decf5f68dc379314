"""The cache of file hashes and ids: show, verify and rebuild it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.api.upload_marks import shown_name
from gptasst.errors import InvalidInput
from gptasst.project_files.cache_types import CacheRebuild, CacheStatus, CacheVerification

if TYPE_CHECKING:
    from gptasst.api.files import FileGateway
    from gptasst.api.types import RemoteFile
    from gptasst.knowledge.types import KnowledgeFile
    from gptasst.uploads.cache import FileCache, FileHash
    from gptasst.uploads.project_cache import CachedUpload, ProjectCache


class CacheService:
    """Shows, verifies, rebuilds and clears the cache.

    Args:
        cache: the cache.
        project: the project's part of the cache; `None` without a server.
        open_files: opens the project's files.
        read_knowledge: reads the knowledge of all assistants of the project.
        machine: returns this machine's mark.
    """

    def __init__(
        self,
        cache: FileCache,
        project: ProjectCache | None,
        open_files: Callable[[], FileGateway],
        read_knowledge: Callable[[], Iterable[KnowledgeFile]],
        machine: Callable[[], str],
    ) -> None:
        self._cache = cache
        self._project = project
        self._open_files = open_files
        self._read_knowledge = read_knowledge
        self._machine = machine

    def path(self) -> Path:
        return self._cache.path

    def status(self) -> CacheStatus:
        """The contents of the cache. Sends no request."""
        path, project = self._cache.path, self._project
        return CacheStatus(
            path=str(path),
            size=path.stat().st_size if path.is_file() else 0,
            scope=project.scope if project else None,
            files=len(self._cache.hashed_files()),
            uploads=len(project.all_uploads()) if project else 0,
            assistants=len(project.assistant_names()) if project else 0,
            synced=bool(project and project.is_synced()),
        )

    def verify(self) -> CacheVerification:
        """Check ids against the server, in one listing, and hashes against the files on disk.

        Wrong entries are dropped.

        Raises:
            GptasstError: the server can't be asked; see `errors`.
        """
        uploads, gone = self._verify_uploads()
        files, changed, missing = self._verify_files()
        return CacheVerification(
            uploads=uploads,
            uploads_gone=tuple(sorted(gone)),
            files=files,
            files_changed=tuple(map(str, changed)),
            files_missing=tuple(map(str, missing)),
        )

    def _verify_uploads(self) -> tuple[int, list[str]]:
        if self._project is None:
            return 0, []
        uploads = self._project.all_uploads()
        if not uploads:
            return 0, []
        there = {(file.id, file.size, file.purpose) for file in self._open_files().list()}
        gone = [u.file_id for u in uploads if (u.file_id, u.size, u.purpose) not in there]
        self._project.forget_uploads(gone)
        return len(uploads), gone

    def _verify_files(self) -> tuple[int, list[Path], list[Path]]:
        """The number of known files, those with a wrong hash, and the missing ones."""
        known = self._cache.hashed_files()
        self._cache.forget_files(list(known))  # so that they are read
        changed, missing = [], []
        for file, before in known.items():
            try:
                now = self._cache.sha256(file)
            except InvalidInput:
                missing.append(file)
            else:
                if now != before:
                    changed.append(file)
        return len(known), changed, missing

    def rebuild(self, words: Sequence[str]) -> CacheRebuild:
        """Rebuild the cache from the server and the disk.

        A file on the server is recognized by the sha256 that gptasst wrote into the attributes of
        an assistant's file or into the name of an upload. All others are unknown.

        Args:
            words: files, patterns or directories to hash, in addition to known files.
        """
        from gptasst.assistants.known_uploads import proven_uploads

        knowledge: list[KnowledgeFile] = []
        remote: list[RemoteFile] = []
        if self._project is not None:  # read everything before forgetting anything
            knowledge = list(self._read_knowledge())
            remote = list(self._open_files().list())
        hashes = self._hash_local(words, knowledge, remote)
        if self._project is None:
            return CacheRebuild(len(hashes), knowledge=0, kept=0, matched=0, unknown=0)
        there = {file.id: file for file in remote}
        before = self._project.all_uploads()
        kept = {u.file_id for u in before if u.file_id in there and _is_same(u, there[u.file_id])}
        proven = proven_uploads(remote, knowledge, self._machine())
        known = {file.id for file in knowledge if file.sha256} & {u.file_id for u in proven}
        matched = {upload.file_id for upload in proven} - known - kept
        gone = [upload.file_id for upload in before if upload.file_id not in kept]
        self._project.forget_uploads(gone)
        self._project.remember_uploads([u for u in proven if u.file_id not in kept])
        self._project.mark_synced()
        kept -= known
        unknown = there.keys() - known - kept - matched
        return CacheRebuild(len(hashes), len(known), len(kept), len(matched), len(unknown))

    def _hash_local(
        self,
        words: Sequence[str],
        knowledge: Iterable[KnowledgeFile],
        remote: Iterable[RemoteFile],
    ) -> dict[Path, FileHash]:
        """Hash known files, and those that may be on the server."""
        from gptasst.inputs.words import expand_words

        known = list(self._cache.hashed_files())
        wanted = [file for file in known if file.is_file()]
        wanted += [Path(file.path) for file in knowledge if Path(file.path).is_file()]
        sizes = {(name, file.size) for file in remote for name in _local_names(file)}
        for path in expand_words(words) if words else ():
            if (path.name, path.stat().st_size) in sizes:
                wanted.append(path)
        self._cache.forget_files(known)
        hashes = {}
        for file in dict.fromkeys(path.absolute() for path in wanted):
            with contextlib.suppress(InvalidInput):  # it may be missing or unreadable
                hashes[file] = self._cache.sha256(file)
        return hashes

    def clear(self) -> None:
        self._cache.clear()


def _local_names(file: RemoteFile) -> tuple[str, ...]:
    """The possible local names of a file on the server; knowledge may have an added `.txt`."""
    name = shown_name(file.filename)
    if file.purpose == "assistants" and name.endswith(".txt"):
        return name, name.removesuffix(".txt")
    return (name,)


def _is_same(upload: CachedUpload, file: RemoteFile) -> bool:
    return (upload.size, upload.purpose) == (file.size, file.purpose)
