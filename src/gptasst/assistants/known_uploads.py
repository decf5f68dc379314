"""Recognize the files of a project: by their marks, and by the attributes of knowledge."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import cast

from gptasst.api.files import FileGateway
from gptasst.api.types import Purpose, RemoteFile
from gptasst.api.upload_marks import content_mark, marked_name, read_mark, shown_name
from gptasst.knowledge.types import KnowledgeFile
from gptasst.threads import workers
from gptasst.uploads.project_cache import BegunUpload, CachedUpload, Origin, ProjectCache

# Seconds that the server's clock may be behind ours.
_CLOCK_SKEW = timedelta(minutes=5)


def learn_uploads(
    files: FileGateway,
    read_knowledge: Callable[[], Iterable[KnowledgeFile]],
    cache: ProjectCache,
    machine: str,
) -> None:
    """Fill a new cache with the contents of the files on the server.

    Args:
        files: the project's files.
        read_knowledge: reads the knowledge of all assistants of the project.
        cache: the cache, which keeps its entries.
        machine: this machine's mark.
    """
    with workers(1) as pool:
        listing = pool.submit(lambda: list(files.list()))
        knowledge = list(read_knowledge())
        remote = listing.result()
    known = {upload.file_id for upload in cache.all_uploads()}
    found = proven_uploads(remote, knowledge, machine)
    cache.remember_uploads([upload for upload in found if upload.file_id not in known])
    cache.mark_synced()


def proven_uploads(
    remote: Iterable[RemoteFile], knowledge: Iterable[KnowledgeFile], machine: str
) -> list[CachedUpload]:
    """The files on the server whose content gptasst recorded."""
    attributes = {file.id: file for file in knowledge if file.sha256}
    found = []
    for file in remote:
        mark = read_mark(file.filename)
        known = attributes.get(file.id)
        if known is not None and (known.sent_sha256 or known.size == file.size):
            sha256 = known.sent_sha256 or known.sha256
            if mark is not None and mark.content != _mark_of(sha256):
                continue  # one of the two is wrong
        elif mark is not None and known is None:
            sha256 = mark.content
        else:
            continue
        origin = origin_of(file, machine) or Origin.ELSEWHERE
        found.append(_as_cached(sha256, file, origin))
    return found


def proven_by_attributes(file: KnowledgeFile) -> CachedUpload:
    """A file of an assistant, from its attributes."""
    return CachedUpload(
        file_id=file.id,
        sha256=file.sent_sha256 or file.sha256,
        purpose="assistants",
        filename=file.path.rpartition("/")[2],
        size=file.size,
        uploaded_at=file.added_at,
        origin=Origin.ELSEWHERE,
    )


def origin_of(file: RemoteFile, machine: str) -> Origin | None:
    """The machine that uploaded a file, from its name; `None` if it may not be gptasst's."""
    mark = read_mark(file.filename)
    if mark is None:
        return None
    return Origin.HERE if mark.machine == machine else Origin.ELSEWHERE


def _mark_of(sha256: str) -> str:
    """The mark of a content; a mark without content for an invalid sha256."""
    try:
        return content_mark(sha256)
    except ValueError:
        return ""


def recover_begun(files: FileGateway, cache: ProjectCache, machine: str) -> None:
    """Find unfinished uploads of this machine on the server, by their marks."""
    begun = cache.begun_uploads()
    if not begun:
        return
    known = {upload.file_id for upload in cache.all_uploads()}
    for purpose in sorted({upload.purpose for upload in begun}):
        own = [upload for upload in begun if upload.purpose == purpose]
        candidates = _candidates(files, own, known)
        for upload in own:
            name = marked_name(upload.filename, upload.sha256, machine)
            matches = candidates.get((name, upload.size), [])
            made = [_as_cached(upload.sha256, file, Origin.HERE) for file in matches]
            cache.remember_uploads(made)
    cache.end_uploads(begun)


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


def _as_cached(sha256: str, file: RemoteFile, origin: Origin) -> CachedUpload:
    return CachedUpload(
        file_id=file.id,
        sha256=sha256,
        purpose=file.purpose,
        filename=shown_name(file.filename),
        size=file.size,
        uploaded_at=file.created_at,
        expires_at=file.expires_at,
        origin=origin,
    )
