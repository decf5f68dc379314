"""Deleting uploads that left an assistant's knowledge: gptasst's own, and unused everywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from gptasst.api.files import FileGateway
from gptasst.api.upload_marks import read_mark
from gptasst.assistants.file_usage import FileUsage
from gptasst.errors import NotFound
from gptasst.threads import workers
from gptasst.uploads.cached_uploads import Origin
from gptasst.uploads.project_cache import ProjectCache

_JOBS = 8
# Up to so many files are asked for one by one; for more, the whole list is read.
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
        """Delete what no vector store holds, each looked up right before.

        Args:
            file_ids: of uploads.
            besides: vector stores that don't count.

        Returns the files that nothing uses and that may be somebody else's: these stay.
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
        """Note uploads that an assistant leaves behind, for when it is deleted."""
        self._cache.remember_former_knowledge(store_id, file_ids)

    def kept(self, store_id: str) -> Sequence[str]:
        """Uploads that an assistant left behind earlier, as far as this machine knows."""
        return self._cache.former_knowledge(store_id)

    def begin(self, store_id: str, file_ids: Iterable[str]) -> None:
        """Note uploads that are about to leave an assistant and are to be deleted then."""
        self._cache.begin_removal(store_id, file_ids)

    def begun(self, store_id: str) -> Sequence[str]:
        """What was noted by `begin` and not ended, as a command was killed in between."""
        return self._cache.begun_removal(store_id)

    def end(self, file_ids: Iterable[str]) -> None:
        """Forget what was noted by `begin`."""
        self._cache.end_removal(file_ids)

    def _proven(self, file_ids: Collection[str]) -> tuple[set[str], set[str]]:
        """Those that this machine sent, or whose names have gptasst's mark; and those not there."""
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
