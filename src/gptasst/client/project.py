"""`Client.files`, `Client.cache`, `Client.batches` and `Client.conversations`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from gptasst.api.types import Batch, Purpose
from gptasst.batches.types import Fetched, Submission
from gptasst.client.options import Files, MapOptions, each_job, spelled_out, words_of
from gptasst.context import AppContext
from gptasst.conversations.types import Conversation, Transcript
from gptasst.errors import UsageError
from gptasst.hints import shown
from gptasst.inputs.screening import Screening
from gptasst.project_files.types import FileEntry, UploadOutcome

if TYPE_CHECKING:
    from gptasst.project_files.cache_types import CacheRebuild, CacheStatus, CacheVerification


class ProjectFiles:
    """The files of the project on the server. Raises `UsageError` if the profile has no server."""

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
        """Upload files, each content once: content that is on the server is not sent again.

        Args:
            files: paths, patterns, directories.
            purpose: `assistants` for knowledge, `user_data` for inputs.
            expires_after: seconds until the server deletes them; `None` keeps them.
            allow_secrets: accept files that look secret: `.env`, private keys, …

        Raises:
            InvalidInput: a word matches no file, a secret one, or one that can't be uploaded for
                this purpose.

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
        """A file by id, local path or name on the server; the newest with that content.

        Raises:
            NotFound: there is none.

        Examples:
            >>> client.files.get("style.md").purpose
            'assistants'
        """
        return max(self._context.files.find([file]), key=lambda entry: entry.created_at)

    def delete(self, files: Files) -> Sequence[FileEntry]:
        """Delete files (see `get`), which removes them from every assistant. Files on disk stay.

        Returns:
            The files that were deleted.

        Raises:
            PartlyDone: the server refused some; `done` are the deleted ones.

        Examples:
            >>> [file.filename for file in client.files.delete("style.md")]
            ['style.md']
        """
        found = self._context.files.find(words_of(files))
        self._context.files.delete(found)
        return found


class Cache:
    """The file-ID cache: contents of local files, and their ids on the server."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def status(self) -> CacheStatus:
        """The contents of the cache. Sends no request.

        Examples:
            >>> client.cache.status().uploads
            1
        """
        return self._context.cache.status()

    def verify(self) -> CacheVerification:
        """Check the cache against the server and the disk, and drop wrong entries.

        Examples:
            >>> client.cache.verify().uploads_gone
            ()
        """
        return self._context.cache.verify()

    def rebuild(self, files: Files = ()) -> CacheRebuild:
        """Rebuild the cache from the server and the disk.

        Args:
            files: paths, patterns, directories to hash.

        Examples:
            >>> client.cache.rebuild("docs").knowledge
            1
        """
        return self._context.cache.rebuild(words_of(files))

    def clear(self) -> None:
        """Clear the cache. It is filled again when needed.

        Examples:
            >>> client.cache.clear()
        """
        self._context.cache.clear()


class Batches:
    """Run many files within 24 hours at half price, if the server supports batches."""

    def __init__(self, context: AppContext, note: Callable[[str], None]) -> None:
        self._context = context
        self._note = note

    @spelled_out
    def submit(self, name: str, files: Files, **options: Unpack[MapOptions]) -> Submission:
        """Submit a run for each file; `fetch` gets the answers.

        Requires `output` or `in_place`.

        Args:
            name: an assistant's name or id, else an instruction's name.
            files: paths, patterns, directories.
            options: see `MapOptions`.

        Raises:
            UsageError: there is no output, or the server has no batches.

        Examples:
            >>> handed_in = client.batches.submit("MarkdownLinter", "docs", output="linted")
            >>> handed_in.submitted, len(handed_in.batches)
            (1, 1)
        """
        job = each_job(name, files, options, self._note)
        if job.by is not None:
            raise UsageError(
                "a batch takes up to 24 hours, so `by` can't be used", hint="use `map`"
            )
        if job.purpose not in ("write", "replace"):
            raise UsageError(
                "a batch needs a place for the answers",
                hint="`output` or `in_place`",
                code="no_output",
            )
        self._context.each(lambda _done, _all: None).admit(job, "24h")
        command = f"client.batches.submit({name!r}, …)"
        made = self._context.batches.submit(job, command, lambda _: None)
        return replace(made, warnings=tuple(shown(text, None) for text in made.warnings))

    def list(self) -> Sequence[Batch]:
        """The batches that gptasst submitted from any machine, newest first.

        Examples:
            >>> client.batches.list()
            []
        """
        return list(self._context.batches.all())

    def get(self, batch_id: str) -> Batch:
        """The state of a batch.

        Raises:
            NotFound: there is none of that id.

        Examples:
            >>> handed_in = client.batches.submit("MarkdownLinter", "docs", output="linted")
            >>> client.batches.get(handed_in.batches[0].id).metadata["assistant"]
            'MarkdownLinter'
        """
        return self._context.batches.get(batch_id)

    def wait(self, batches: Sequence[Batch]) -> Sequence[Batch]:
        """Wait until batches have ended, up to a day; return their final states.

        Examples:
            >>> handed_in = client.batches.submit("MarkdownLinter", "docs", output="linted")
            >>> [batch.is_final for batch in client.batches.wait(handed_in.batches)]
            [True]
        """
        return self._context.batches.wait(batches, lambda _: None)

    def fetch(self, batch: Batch | str, directory: str | os.PathLike[str] | None = None) -> Fetched:
        """Write the answers of a batch to their outputs; may be repeated.

        Args:
            batch: the batch or its id.
            directory: a directory for all answers instead.

        Examples:
            >>> handed_in = client.batches.submit("DocWriter", "docs", output="written")
            >>> (done,) = client.batches.wait(handed_in.batches)
            >>> [result.status for result in client.batches.fetch(done).results]
            ['written']
        """
        found = self.get(batch) if isinstance(batch, str) else batch
        return self._context.batches.fetch(found, None if directory is None else Path(directory))

    def cancel(self, batch_id: str) -> Batch:
        """Cancel a batch. Finished answers can be fetched, and are billed.

        Raises:
            UsageError: it has ended already.

        Examples:
            >>> handed_in = client.batches.submit("MarkdownLinter", "docs", output="linted")
            >>> client.batches.cancel(handed_in.batches[0].id).id == handed_in.batches[0].id
            True
        """
        return self._context.batches.cancel(batch_id)


class Conversations:
    """The conversations known to this machine, and those on the server by id.

    Conversations are stored with the assistants, on the server or on this machine. The option
    `conversation` of a run continues one. A conversation is given as a `Conversation`, its id, its
    title, or the start of either; an unknown one raises `NotFound`.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def start(self) -> Conversation:
        """Start a new, empty conversation.

        Examples:
            >>> talk = client.conversations.start()
            >>> _ = client.run("DocWriter-1", text="Describe it.", conversation=talk)
            >>> again = client.run("DocWriter-1", text="Shorter.", conversation=talk)
            >>> again.conversation == talk.id
            True
        """
        return self._context.conversations.start()

    def list(self) -> Sequence[Conversation]:
        """Every known conversation, the most recently used first.

        Examples:
            >>> client.conversations.list()
            []
        """
        return self._context.conversations.list()

    def find(self, conversation: Conversation | str) -> Conversation:
        """A conversation by its id, its title, or the start of either.

        Raises:
            NotFound: there is none; the hint suggests a similar title.
            UsageError: several match.

        Examples:
            >>> talk = client.conversations.start()
            >>> client.conversations.find(talk.id).messages
            0
        """
        if isinstance(conversation, Conversation):
            return conversation
        return self._context.conversations.find(conversation)

    def get(self, conversation: Conversation | str) -> Transcript:
        """All messages of a conversation, oldest first.

        Examples:
            >>> talk = client.conversations.start()
            >>> _ = client.run("DocWriter-1", text="Describe it.", conversation=talk)
            >>> [(each.role, each.text) for each in client.conversations.get(talk).messages]
            [('user', 'Describe it.'), ('assistant', '# A guide')]
        """
        return self._context.conversations.transcript(self.find(conversation))

    def delete(self, conversation: Conversation | str) -> bool:
        """Delete a conversation permanently.

        Returns:
            `False` if gptasst did not create it, so that it was only removed from the list here.

        Examples:
            >>> client.conversations.delete(client.conversations.start())
            True
        """
        return self._context.conversations.delete(self.find(conversation))
