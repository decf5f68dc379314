"""Finding uploads again that a new cache, or a process that was killed, does not know of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gptasst.threads import workers
from gptasst.uploads.cache import FileCache
from gptasst.uploads.cached_uploads import BegunUpload, CachedUpload
from gptasst.uploads.hashes import FileHash

if TYPE_CHECKING:
    from gptasst.api.files import FileGateway
    from gptasst.api.types import Purpose, RemoteFile
    from gptasst.knowledge.types import KnowledgeFile

# How far the server's clock may be behind ours.
_CLOCK_SKEW = timedelta(minutes=5)


def learn_uploads(
    files: FileGateway,
    read_knowledge: Callable[[], Iterable[KnowledgeFile]],
    cache: FileCache,
    scope: str,
) -> None:
    """Read into a new cache which files on the server have which content.

    Args:
        files: the project's files.
        read_knowledge: gives that of all assistants of the project.
        cache: what it knows of local files is compared with the other files on the server.
        scope: endpoint and project, as the cache has them.
    """
    hashes = cache.hashed_files()
    with workers(1) as pool:
        listing = pool.submit(lambda: list(files.list()) if hashes else [])
        exact = knowledge_uploads(read_knowledge())
        remote = listing.result()
    known = {upload.file_id for upload in (*exact, *cache.all_uploads(scope))}
    others = [file for file in remote if file.id not in known]
    cache.remember_uploads(scope, [*exact, *match_uploads(others, hashes)])
    cache.mark_synced(scope)


def knowledge_uploads(knowledge: Iterable[KnowledgeFile]) -> list[CachedUpload]:
    """The contents of knowledge files, as their attributes have them."""
    found = {
        file.id: CachedUpload(
            file_id=file.id,
            sha256=file.sha256,
            purpose="assistants",
            filename=file.path.rpartition("/")[2],
            size=file.size,
            uploaded_at=file.added_at,
        )
        for file in knowledge
        if file.sha256
    }
    return list(found.values())


def match_uploads(
    remote: Iterable[RemoteFile], local: Mapping[Path, FileHash]
) -> list[CachedUpload]:
    """The files on the server that local files leave no doubt about.

    Name and size must be those of just one file on the server (of a purpose) and of just one
    content on this disk, which must lie there as it is since before the upload.
    """
    alike = defaultdict(list)
    for file in remote:
        for name in local_names(file):
            alike[name, file.size, file.purpose].append(file)
    wanted = {(name, size) for name, size, _ in alike}
    contents: defaultdict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for path, known in local.items():
        key = (path.name, known.size)
        since = _unchanged_since(path, known.size) if key in wanted else None
        if since is not None:
            contents[key][known.sha256] = min(since, contents[key].get(known.sha256, since))
    matched: dict[str, CachedUpload] = {}
    for (name, size, _), files in alike.items():
        candidates = contents.get((name, size), {})
        if len(files) == 1 and len(candidates) == 1:
            ((sha256, since),) = candidates.items()
            # The server's times are whole seconds.
            if since < files[0].created_at.timestamp() + 1:
                matched[files[0].id] = _as_cached(sha256, files[0], own=False)
    return list(matched.values())


def local_names(file: RemoteFile) -> tuple[str, ...]:
    """What a file on the server may be called on a disk: knowledge gets `.txt` behind its name."""
    if file.purpose == "assistants" and file.filename.endswith(".txt"):
        return file.filename, file.filename.removesuffix(".txt")
    return (file.filename,)


def _unchanged_since(path: Path, size: int) -> float | None:
    """When a file came to lie where it is as it is; `None` if it has another size by now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return max(found.st_mtime, found.st_ctime) if found.st_size == size else None


def recover_begun(files: FileGateway, cache: FileCache, scope: str) -> None:
    """Look for uploads that were begun and never heard of again.

    A file on the server is taken for one of them only where name, size and time leave no doubt.
    """
    begun = cache.begun_uploads(scope)
    if not begun:
        return
    known = {upload.file_id for upload in cache.all_uploads(scope)}
    counts = Counter((upload.filename, upload.size) for upload in begun)
    for purpose in sorted({upload.purpose for upload in begun}):
        own = [upload for upload in begun if upload.purpose == purpose]
        candidates = _candidates(files, own, known)
        for upload in own:
            matches = candidates.get((upload.filename, upload.size), [])
            if len(matches) == 1 and counts[upload.filename, upload.size] == 1:
                cache.remember_uploads(scope, [_as_cached(upload.sha256, matches[0])])
    cache.end_uploads(scope, begun)


def _candidates(
    files: FileGateway, begun: list[BegunUpload], known: set[str]
) -> dict[tuple[str, int], list[RemoteFile]]:
    earliest = min(upload.begun_at for upload in begun) - _CLOCK_SKEW
    found: dict[tuple[str, int], list[RemoteFile]] = {}
    for file in files.list(cast("Purpose", begun[0].purpose)):
        if file.created_at < earliest:
            break
        if file.id not in known:
            found.setdefault((file.filename, file.size), []).append(file)
    return found


def _as_cached(sha256: str, file: RemoteFile, *, own: bool = True) -> CachedUpload:
    return CachedUpload(
        file_id=file.id,
        sha256=sha256,
        purpose=file.purpose,
        filename=file.filename,
        size=file.size,
        uploaded_at=file.created_at,
        expires_at=file.expires_at,
        own=own,
    )
