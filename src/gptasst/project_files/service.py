"""Files on the server: list, show and delete them, and find unused ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from gptasst.api.files import FileGateway
from gptasst.api.types import RemoteFile, VectorStore
from gptasst.api.upload_marks import CONTENT_MARK, content_mark, read_mark, shown_name
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.known_uploads import origin_of
from gptasst.assistants.project_listing import is_assistant
from gptasst.assistants.upload_removal import FileUsage, HeldFiles, delete_all
from gptasst.errors import GptasstError, NotFound, PartlyDone, UsageError
from gptasst.hints import cmd, did_you_mean
from gptasst.project_files.types import FileEntry, Leftovers, Prunable
from gptasst.storage.locks import is_under_way
from gptasst.threads import workers
from gptasst.uploads.cache import FileCache
from gptasst.uploads.project_cache import CachedUpload, Origin, ProjectCache
from gptasst.values import dataclass

# Younger uploads of other machines may be on their way into an assistant.
DEFAULT_MIN_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OwnUploads:
    """Distinguishes the uploads of this machine from others'.

    `machine` returns its mark; `lock` is held while uploads are not attached yet.
    """

    machine: Callable[[], str]
    lock: Path

    def are_under_way(self) -> bool:
        """Whether a process of this home is adding knowledge to an assistant."""
        return is_under_way(self.lock)


class FileService:
    """Lists, finds and deletes the files of one project.

    Args:
        files, vector_stores: the project.
        cache: the cache of local files.
        project: the project's part of the cache.
        uploads: recognizes this machine's uploads.
        note: called for a vector store that can't be read.
    """

    def __init__(
        self,
        files: FileGateway,
        vector_stores: VectorStoreGateway,
        cache: FileCache,
        project: ProjectCache,
        uploads: OwnUploads,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._files = files
        self._usage = FileUsage(vector_stores, project, note)
        self._cache = cache
        self._project = project
        self._uploads = uploads

    def list(self) -> Sequence[FileEntry]:
        """Every file of the project, newest first, with local paths and its users."""
        with workers(1) as pool:
            stores = pool.submit(self._usage.listed)
            files = list(self._files.list())
            if not files:
                return []
            ids = frozenset(file.id for file in files)
            held = self._usage.files_of(stores.result(), whole_list=True, there=ids)
        return self._entries(files, held.stores)

    def find(self, words: Sequence[str], *, to_delete: bool = False) -> Sequence[FileEntry]:
        """The files that ids, local paths or names on the server match, each once.

        A local path stands for every upload of its content. If they are `to_delete`, every vector
        store is read for their users.

        Raises:
            NotFound: a word matches none.
            UsageError: a name matches several.
        """
        with workers(1) as pool:
            stores = pool.submit(self._usage.look, to_delete=to_delete)
            files = {file.id: file for file in self._files.list()}
            found: dict[str, RemoteFile] = {}
            for word in words:
                for file in self._meant(word, files):
                    found[file.id] = file
            return self._entries(list(found.values()), stores.result().stores)

    def _meant(self, word: str, files: dict[str, RemoteFile]) -> Sequence[RemoteFile]:
        if word in files:
            return [files[word]]
        by_content = self._by_content(word, files)
        if by_content:
            return by_content
        named = [f for f in files.values() if word in (f.filename, shown_name(f.filename))]
        if len(named) > 1:
            ids = ", ".join(f"`{file.id}`" for file in named)
            raise UsageError(
                f"{len(named)} files are called `{word}`: {ids}",
                hint=f"name one by its id; {cmd('file list')} shows more of them",
                code="ambiguous_name",
            )
        if not named:
            raise _no_file(word, files.values())
        return named

    def _by_content(self, word: str, files: dict[str, RemoteFile]) -> Sequence[RemoteFile]:
        if not Path(word).is_file():
            return []
        sha256 = self._cache.sha256(Path(word)).sha256
        content = (sha256, content_mark(sha256))
        uploads = self._project.all_uploads()
        return [files[u.file_id] for u in uploads if u.sha256 in content and u.file_id in files]

    def _entries(
        self, files: Sequence[RemoteFile], stores: Sequence[HeldFiles]
    ) -> Sequence[FileEntry]:
        contents = {u.file_id: u.sha256 for u in self._project.all_uploads()}
        users, attributes = _used_by(stores)
        contents |= attributes
        paths = self._local_paths({contents[f.id] for f in files if f.id in contents})
        return [
            FileEntry(
                id=file.id,
                filename=shown_name(file.filename),
                size=file.size,
                purpose=file.purpose,
                created_at=file.created_at,
                expires_at=file.expires_at,
                sha256=_known(contents.get(file.id)),
                paths=tuple(str(path) for path in paths.get(contents.get(file.id, ""), ())),
                used_by=tuple(sorted(users.get(file.id, ()))),
            )
            for file in files
        ]

    def _local_paths(self, contents: set[str]) -> dict[str, Sequence[Path]]:
        """Local files by content, which may be known only by its mark."""
        marks = {content for content in contents if content.startswith(CONTENT_MARK)}
        paths: dict[str, Sequence[Path]] = dict(self._cache.local_paths(contents - marks))
        if marks:
            here = {known.sha256 for known in self._cache.hashed_files().values()}
            by_mark = {content_mark(sha256): sha256 for sha256 in here}
            known = {mark: by_mark[mark] for mark in marks if mark in by_mark}
            found = self._cache.local_paths(set(known.values()))
            paths |= {mark: found[sha256] for mark, sha256 in known.items() if sha256 in found}
        return paths

    def leftovers(self, min_age: timedelta = DEFAULT_MIN_AGE) -> Leftovers:
        """Unused and duplicate uploads of gptasst. Changes nothing.

        Knowledge is used by vector stores; an input stays as long as its local file exists. Of
        other machines' uploads, only knowledge of that age is included: younger uploads may be on
        their way into an assistant.
        """
        files = list(self._files.list())
        recorded = {u.file_id: u for u in self._project.all_uploads()}
        gone = recorded.keys() - {file.id for file in files}
        # Read after the list, so that uploads under way are either in it or start later.
        busy = self._uploads.are_under_way()
        young = datetime.now(UTC) - DEFAULT_MIN_AGE
        old = datetime.now(UTC) - min_age
        candidates = []
        for file in files:
            origin = self._origin(file, recorded.get(file.id))
            here = origin == Origin.HERE and not (
                busy and file.purpose == "assistants" and file.created_at > young
            )
            others = origin == Origin.ELSEWHERE and file.created_at <= old
            if here or (others and file.purpose == "assistants"):
                candidates.append(file)
        found: Sequence[Prunable] = ()
        if candidates:
            found = self._prunable(candidates, recorded, self._usage.of_assistants().stores)
        if found:  # other programs may use them
            stores, unread = self._usage.look()
            found = () if unread else self._prunable(candidates, recorded, stores)
        found = sorted(found, key=lambda prunable: (prunable.file.filename, prunable.file.id))
        return Leftovers(tuple(found), tuple(sorted(gone)))

    def _prunable(
        self,
        files: Sequence[RemoteFile],
        recorded: Mapping[str, CachedUpload],
        stores: Sequence[HeldFiles],
    ) -> Sequence[Prunable]:
        """The uploads among files that none of these vector stores needs."""
        copies: defaultdict[tuple[str, str], list[FileEntry]] = defaultdict(list)
        for file, entry in zip(files, self._entries(files, stores), strict=True):
            copies[_content_of(file, recorded.get(file.id)), file.purpose].append(entry)
        return [prunable for same in copies.values() for prunable in _prunable_copies(same)]

    def forget(self, file_ids: Sequence[str]) -> None:
        """Forget uploads that the server no longer has; see `Leftovers`."""
        self._project.forget_uploads(file_ids)

    def _origin(self, file: RemoteFile, recorded: CachedUpload | None) -> Origin | None:
        """Which machine uploaded a file, from the cache or its name."""
        if recorded is not None and recorded.origin == Origin.HERE:
            return Origin.HERE
        return origin_of(file, self._uploads.machine())

    def delete(
        self, files: Sequence[FileEntry], *, unless_used: bool = False
    ) -> Sequence[FileEntry]:
        """Delete files, also from every vector store. Ones already gone are ignored.

        Args:
            files: the files, as they were read.
            unless_used: keep those that a vector store uses now; each is checked.

        Returns the deleted files.

        Raises:
            PartlyDone: the server refused some; `done` are the deleted ones.
            GptasstError: it refused all, or the failure does not concern a single file.
        """
        named = {file.id: file for file in files}
        if unless_used:
            outcomes = self._usage.delete_unused(list(named), self._files.delete)
        else:
            outcomes = delete_all(list(named), self._files.delete)
        deleted = [named[ident] for ident, outcome in outcomes if outcome is True]
        self._project.forget_uploads([file.id for file in deleted])
        failed = [(named[i], e) for i, e in outcomes if isinstance(e, GptasstError)]
        for _, error in failed:
            if not (deleted and _is_own_fault(error)):
                raise error
        if failed:
            raise _partly_deleted(deleted, failed)
        return deleted


def _prunable_copies(copies: Sequence[FileEntry]) -> list[Prunable]:
    """The unused copies of one content and purpose, except one if it is still needed."""
    unused = [entry for entry in copies if not entry.used_by]
    used = len(copies) - len(unused)
    kept_for_disk = copies[0].purpose == "user_data" and bool(copies[0].paths)
    if copies[0].purpose not in ("assistants", "user_data"):
        return []
    # Prefer to keep an upload that never expires, then the newest.
    unused.sort(key=lambda e: (e.expires_at is not None, -e.created_at.timestamp()))
    keep = 1 if kept_for_disk and not used else 0
    reason: Literal["duplicate", "unused"] = "duplicate" if used or keep else "unused"
    return [Prunable(entry, reason) for entry in unused[keep:]]


def _known(content: str | None) -> str | None:
    """The full sha256, if more than its mark is known."""
    return None if content is None or content.startswith(CONTENT_MARK) else content


def _content_of(file: RemoteFile, recorded: CachedUpload | None) -> str:
    """The common key of all copies of a content."""
    if recorded is not None:
        return content_mark(recorded.sha256)
    mark = read_mark(file.filename)
    return mark.content if mark else file.id


def _called(store: VectorStore) -> str:
    return store.name if is_assistant(store) else f"vector store {store.name or store.id}"


def _is_own_fault(error: GptasstError) -> bool:
    """Whether an error concerns one file; others would affect all files."""
    return error.code == "bad_request"


def _partly_deleted(
    deleted: Sequence[FileEntry], failed: Sequence[tuple[FileEntry, GptasstError]]
) -> PartlyDone:
    named = "; ".join(f"`{file.filename}` ({file.id}): {error}" for file, error in failed)
    again = cmd(f"file delete {' '.join(file.id for file, _ in failed)}")
    error = PartlyDone(
        f"{len(failed):,} of {len(failed) + len(deleted):,} files could not be deleted: {named}",
        hint=f"{again} tries again",
    )
    error.done = tuple(deleted)
    return error


def _no_file(word: str, files: Iterable[RemoteFile]) -> NotFound:
    shown = [shown_name(file.filename) for file in files]
    hint = did_you_mean(word, shown, f"{cmd('file list')} shows them")
    return NotFound(f"no file `{word}` on the server", hint=hint)


def _used_by(
    stores: Sequence[HeldFiles],
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """The assistants and other vector stores that use a file, and the hashes that they have."""
    users: dict[str, tuple[str, ...]] = {}
    contents: dict[str, str] = {}
    for store, files in stores:
        for file_id, sha256 in files.items():
            users[file_id] = (*users.get(file_id, ()), _called(store))
            if is_assistant(store) and sha256:
                contents[file_id] = sha256
    return users, contents
