"""`Client.files` and `Client.cache`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gptasst.api.types import Purpose
from gptasst.client.arguments import words_of
from gptasst.client.options import Files
from gptasst.context import AppContext
from gptasst.inputs.screening import Screening
from gptasst.project_files.types import FileEntry, UploadOutcome

if TYPE_CHECKING:
    from gptasst.project_files.cache_types import CacheRebuild, CacheStatus, CacheVerification


class ProjectFiles:
    """The files of the project on the server; `UsageError` where the profile has no server."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def upload(
        self,
        files: Files,
        *,
        purpose: Purpose = "assistants",
        expires_after: int | None = None,
        allow_secrets: bool = False,
    ) -> UploadOutcome:
        """Get files to the server, each content once: what is there already is not sent again.

        Args:
            files: paths, patterns, directories.
            purpose: `assistants` for knowledge, `user_data` for inputs.
            expires_after: seconds until the server deletes them; `None` keeps them.
            allow_secrets: take files that count as secret: `.env`, private keys, …

        Raises:
            InvalidInput: a word means no file, one that counts as secret, or one that can't be
                uploaded for this purpose.

        Examples:
            >>> uploaded = client.files.upload("guide.md").files[0]
            >>> uploaded.new, client.files.upload("guide.md").files[0].id == uploaded.id
            (True, True)
        """
        service = self._context.uploads
        words = words_of(files)
        plan = service.plan(words, purpose, expires_after, Screening(allow_secrets=allow_secrets))
        return service.carry_out(plan, lambda _: None)

    def list(self) -> Sequence[FileEntry]:
        """Every file of the project, newest first, with local paths and who uses it.

        Examples:
            >>> [(file.filename, file.used_by) for file in client.files.list()]
            [('style.md', ('DocWriter-1',))]
        """
        return self._context.files.list()

    def get(self, file: str) -> FileEntry:
        """One file by its id, a local path or its name on the server; the newest of a content.

        Raises:
            NotFound: there is none.

        Examples:
            >>> client.files.get("style.md").purpose
            'assistants'
        """
        return max(self._context.files.find([file]), key=lambda entry: entry.created_at)

    def delete(self, files: Files) -> Sequence[FileEntry]:
        """Delete files, named as in `get`, also out of every assistant. Files on disk stay.

        Returns:
            The files that were deleted.

        Raises:
            PartlyDone: the server refused some; its `done` are those that were deleted.

        Examples:
            >>> [file.filename for file in client.files.delete("style.md")]
            ['style.md']
        """
        found = self._context.files.find(words_of(files))
        self._context.files.delete(found)
        return found


class Cache:
    """The file-ID cache: what local files hold, and which ids the server gave to it."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def status(self) -> CacheStatus:
        """What is in the cache. Nothing is asked of the server.

        Examples:
            >>> client.cache.status().uploads
            1
        """
        return self._context.cache.status()

    def verify(self) -> CacheVerification:
        """Hold the cache to the server and the disk; what is wrong is forgotten.

        Examples:
            >>> client.cache.verify().uploads_gone
            ()
        """
        return self._context.cache.verify()

    def rebuild(self, files: Files = ()) -> CacheRebuild:
        """Rebuild the cache from the server and the disk.

        Args:
            files: paths, patterns, directories in which contents are looked for.

        Examples:
            >>> client.cache.rebuild("docs").knowledge
            1
        """
        return self._context.cache.rebuild(words_of(files))

    def clear(self) -> None:
        """Forget everything; it is found out again when it is needed.

        Examples:
            >>> client.cache.clear()
        """
        self._context.cache.clear()
