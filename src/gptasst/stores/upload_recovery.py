"""Finding uploads again that a new cache, or a process that was killed, does not know of."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import cast

from gptasst.file_cache import BegunUpload, CachedUpload, FileCache
from gptasst.models.files import Purpose, RemoteFile
from gptasst.openai_gateway.files import FileGateway
from gptasst.stores.openai import OpenAIStore

# How far the server's clock may be behind ours.
_CLOCK_SKEW = timedelta(minutes=5)


def learn_uploads(store: OpenAIStore, cache: FileCache, scope: str) -> int:
    """Read which contents the assistants of a project hold into the cache; how many they are."""
    found = {
        file.id: CachedUpload(
            file_id=file.id,
            sha256=file.sha256,
            purpose="assistants",
            filename=file.path.rpartition("/")[2],
            size=file.size,
            uploaded_at=file.added_at,
        )
        for _, files in store.knowledge_of_all()
        for file in files
        if file.sha256
    }
    cache.remember_uploads(scope, list(found.values()))
    cache.mark_synced(scope)
    return len(found)


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
                cache.remember_uploads(scope, [_as_cached(upload, matches[0])])
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


def _as_cached(upload: BegunUpload, file: RemoteFile) -> CachedUpload:
    return CachedUpload(
        file_id=file.id,
        sha256=upload.sha256,
        purpose=upload.purpose,
        filename=file.filename,
        size=file.size,
        uploaded_at=file.created_at,
        expires_at=file.expires_at,
    )
