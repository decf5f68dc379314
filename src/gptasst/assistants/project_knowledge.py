"""Carry out a plan: upload, attach and index the files of an assistant's vector store."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.api.files import FileGateway
from gptasst.api.types import Attachment, UploadRequest, VectorStore, VectorStoreFile
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.knowledge_texts import KnowledgeTexts, is_plain
from gptasst.assistants.project_commit import Announcements, KnowledgeCommit, KnowledgeJob
from gptasst.assistants.project_directory import knowledge_file
from gptasst.assistants.unready_files import GONE
from gptasst.errors import GptasstError, NotFound, ServiceError
from gptasst.inputs.reading import Refusal
from gptasst.knowledge.types import KnowledgeFile, KnowledgePlan
from gptasst.storage.locks import under_way
from gptasst.threads import workers
from gptasst.uploads.types import KnowledgeSource, OnTransfer, TransferState
from gptasst.uploads.uploader import KNOWLEDGE_JOBS, Uploader
from gptasst.values import dataclass

if TYPE_CHECKING:
    import concurrent.futures

_JOBS = 8
_ATTACH_TRIES = 4
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 3.0
# Seconds without an indexed file after which gptasst stops waiting.
LONGEST_STALL = 300.0
_NO_BATCHES = ("no_endpoint", "bad_request")


@dataclass(frozen=True, slots=True)
class AppliedPlan:
    """The state of a vector store after a plan.

    Attributes:
        knowledge: its files, as the server lists them.
        failed: the files that could not be added.
        detached: the ids of removed files.
        notes: notes for the user.
        fresh: the ids of the files that were uploaded for it.
    """

    knowledge: Sequence[KnowledgeFile]
    failed: Sequence[Refusal] = ()
    detached: Collection[str] = ()
    notes: Sequence[str] = ()
    fresh: Collection[str] = ()


class KnowledgeWriter:
    """Changes the files of vector stores.

    Args:
        files, vector_stores: the project.
        uploader: uploads contents.
        pause: waits for a number of seconds, or until the connection is closed.
        texts: text of files in formats that the server does not read.
        lock: held while files are uploaded but not attached, so that no other process of this
            home considers them unused.
        stall: seconds without progress after which waiting for the index ends.
    """

    def __init__(
        self,
        files: FileGateway,
        vector_stores: VectorStoreGateway,
        uploader: Uploader,
        pause: Callable[[float], None],
        lock: Path,
        texts: KnowledgeTexts,
        stall: float = LONGEST_STALL,
    ) -> None:
        self._files = files
        self._stores = vector_stores
        self._uploader = uploader
        self._pause = pause
        self._lock = lock
        self._texts = texts
        self._stall = stall

    def apply(
        self, store_id: str, plan: KnowledgePlan, report: OnTransfer, told: Announcements
    ) -> AppliedPlan:
        """Carry out a plan.

        New files are attached and indexed before old ones are detached.

        Args:
            store_id: the vector store.
            plan: the plan.
            report: called with the progress.
            told: announces the change before anything is detached.

        Raises:
            ChangedMeanwhile: see there.
        """
        with under_way(self._lock), contextlib.ExitStack() as last:
            last.callback(self._texts.forget)
            job = self._attached(store_id, plan, report)

            def upload_again(attachment: Attachment) -> str | None:
                return self._upload_again(job, plan, attachment, report)

            commit = KnowledgeCommit(self._stores, plan, job, self._pause, told, upload_again)
            left, detached = commit.run()
            notes = self._texts.notes(source for source in plan.wanted if source.path in job.ids)
        knowledge = [knowledge_file(file) for file in left]
        return AppliedPlan(knowledge, job.failures(), detached, notes, frozenset(job.fresh))

    def _upload_again(
        self, job: KnowledgeJob, plan: KnowledgePlan, attachment: Attachment, report: OnTransfer
    ) -> str | None:
        """Upload a content again that somebody deleted; `None` if it is not available."""
        path = attachment.attributes["path"]
        source = next((s for s in (*plan.wanted, *plan.kept) if s.path == path), None)
        if source is None:
            return None
        if "sent_sha256" in attachment.attributes:
            self._texts.read(source)
        request = self._texts.upload(source)
        self._uploader.forget([attachment.file_id])
        uploaded = self._uploader.upload_all([request], report, force=True)
        job.fresh |= set(uploaded.ids.values())
        return uploaded.ids.get(request)

    def _attached(self, store_id: str, plan: KnowledgePlan, report: OnTransfer) -> KnowledgeJob:
        there = {file.id for file in (*plan.unchanged, *plan.remove)}
        there |= {replacement.old.id for replacement in plan.replace}
        sources = {self._texts.upload(source): source for source in plan.wanted}
        job = KnowledgeJob(store_id, sources, there)
        job.whole = plan.whole and not plan.follows
        before = (*plan.unchanged, *plan.remove, *(change.old for change in plan.replace))
        job.slow_before = sum(file.status == "in_progress" for file in before)
        for file in before:
            if (
                file.status == GONE
            ):  # OGX identifies passages by content: detaching would remove the new ones
                self._stores.detach(store_id, file.id)
        self._upload(job, list(sources), there, report)
        attached = self._attach(job, report)
        self._wait(job, report, attached)
        self._retry_unsupported(job, report)
        self._replace_lost(job, report)
        self._drop_failed(job)
        self._send_text_instead(job, report)
        return job

    def _send_text_instead(self, job: KnowledgeJob, report: OnTransfer) -> None:
        """Send text instead of files that the server could not read (its formats may differ)."""
        sources: dict[UploadRequest, KnowledgeSource] = {}
        for path in job.reasons.keys() & job.ids.keys() - job.slow:
            source = job.source(path)
            if self._texts.has(source) or is_plain(source):
                continue
            unreadable = self._texts.read(source)
            if unreadable:
                job.reasons[path] += f" ({unreadable})"
            else:
                sources[self._texts.upload(source)] = source
        if not sources:
            return
        taken = {file_id for path, file_id in job.ids.items() if path not in job.reasons}
        again = KnowledgeJob(job.store_id, sources, job.there | taken)
        again.slow_before = job.slow_before
        self._upload(again, list(sources), again.there, report)
        self._wait(again, report, self._attach(again, report))
        self._drop_failed(again)
        job.take_over(again)

    def _upload(
        self,
        job: KnowledgeJob,
        requests: Sequence[UploadRequest],
        taken: Iterable[str],
        report: OnTransfer,
        *,
        force: bool = False,
    ) -> None:
        uploaded = self._uploader.upload_all(
            requests, report, set(taken), force=force, jobs=KNOWLEDGE_JOBS
        )
        job.fresh |= set(uploaded.ids.values()) - uploaded.known
        for request, file_id in uploaded.ids.items():
            job.ids[job.sources[request].path] = file_id
        for request, refusal in uploaded.failed:
            job.reasons[job.sources[request].path] = refusal.reason

    def _attach(self, job: KnowledgeJob, report: OnTransfer) -> VectorStore | None:
        """Attach all files; return the vector store if it was read after that."""
        attachments, store = job.attachments(), None
        if len(attachments) > 1:
            try:
                self._stores.attach_all(job.store_id, list(attachments.values()))
            except (NotFound, ServiceError) as error:
                # A file is not known (yet), or the server has no file batches: attach one by one.
                if isinstance(error, ServiceError) and error.code not in _NO_BATCHES:
                    raise
            else:
                with workers(1) as pool:
                    reading = pool.submit(self._stores.get, job.store_id)
                    attachments = self._without_attributes(job, attachments)
                    store = None if attachments else reading.result()
        self._attach_each(job, attachments, report)
        return store

    def _without_attributes(
        self, job: KnowledgeJob, attachments: dict[str, Attachment]
    ) -> dict[str, Attachment]:
        """The files that a server skipped in a batch, or attached without attributes."""
        sample = next(iter(attachments.values()))
        try:
            file = self._stores.file(job.store_id, sample.file_id)
        except NotFound:
            return attachments
        return {} if "sha256" in file.attributes else attachments

    def _attach_each(
        self, job: KnowledgeJob, attachments: Mapping[str, Attachment], report: OnTransfer
    ) -> None:
        from concurrent.futures import as_completed

        if not attachments:
            return
        with workers(min(_JOBS, len(attachments))) as pool:
            jobs = {
                pool.submit(self._attach_one, job, path, attachment, report): path
                for path, attachment in attachments.items()
            }
            for done in as_completed(jobs):
                self._note_failure(job, jobs[done], done)

    def _note_failure(
        self, job: KnowledgeJob, path: str, done: concurrent.futures.Future[None]
    ) -> None:
        try:
            done.result()
        except GptasstError as error:
            if not isinstance(error, NotFound) and error.code != "bad_request":
                raise
            job.reasons[path] = error.message

    def _attach_one(
        self, job: KnowledgeJob, path: str, attachment: Attachment, report: OnTransfer
    ) -> None:
        """Attach a file that the server may not know yet, or no longer."""
        for attempt in range(_ATTACH_TRIES):
            try:
                self._stores.attach(job.store_id, attachment)
            except NotFound:
                if attempt == _ATTACH_TRIES - 1:
                    raise
                self._stores.get(job.store_id)  # or the vector store itself is gone
                last = attempt == _ATTACH_TRIES - 2
                if attachment.file_id not in job.fresh or (
                    last and self._is_gone(attachment.file_id)
                ):
                    attachment = self._upload_anew(job, path, attachment, report)
                else:
                    self._pause(_FIRST_PAUSE * 2**attempt)
            else:
                return

    def _upload_anew(
        self, job: KnowledgeJob, path: str, attachment: Attachment, report: OnTransfer
    ) -> Attachment:
        self._uploader.forget([attachment.file_id])
        self._upload(job, [job.request(path)], (), report, force=True)
        if path in job.reasons:
            raise NotFound(job.reasons[path], code="gone")
        return job.attachments()[path]

    def _wait(
        self, job: KnowledgeJob, report: OnTransfer, store: VectorStore | None = None
    ) -> VectorStore | None:
        """Wait until all attached files are indexed, or the server stalls.

        Args:
            job: the attached files.
            report: called with the progress.
            store: the vector store, if it was read after that.

        Returns the vector store with everything indexed, or `None`.
        """
        wanted = job.attachments()
        pause, fewest, deadline = _FIRST_PAUSE, len(wanted) + 1, 0.0
        while wanted:
            store = store or self._stores.get(job.store_id)
            # Don't wait for files that were being indexed before.
            left = min(max(store.in_progress - job.slow_before, 0), len(wanted))
            if left == 0 and store.completed == len(job.there | set(job.ids.values())):
                report(TransferState("indexing", len(wanted), len(wanted)))
                return store
            if left == 0:  # some failed, or the counts lag behind
                statuses = self._by_id(job.store_id)
                left = sum(_is_indexing(statuses.get(a.file_id)) for a in wanted.values())
            report(TransferState("indexing", len(wanted) - left, len(wanted)))
            if left < fewest:
                fewest, deadline = left, time.monotonic() + self._stall
            if left == 0 or time.monotonic() > deadline:
                self._note_statuses(job)
                break
            store = None
            self._pause(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return None

    def _note_statuses(self, job: KnowledgeJob) -> None:
        there = self._by_id(job.store_id)
        for path, attachment in job.attachments().items():
            file = there.get(attachment.file_id)
            if file is None:
                if not job.whole:  # else the commit finds out who removed it
                    job.reasons[path] = "the server did not take it into the vector store"
            elif file.status == "in_progress":
                job.slow.add(path)
                job.reasons[path] = f"it is still being indexed after {self._stall:g} s"
            elif file.status != "completed":
                job.reasons[path] = file.error or f"indexing was {file.status}"
                if file.error_code == "unsupported_file":
                    job.unsupported.add(path)

    def _retry_unsupported(self, job: KnowledgeJob, report: OnTransfer) -> None:
        """Try files again that were refused as unsupported, which servers may report wrongly."""
        if not job.unsupported:
            return
        sources = {job.request(path): job.source(path) for path in job.unsupported}
        again = KnowledgeJob(job.store_id, sources, job.there)
        for path in job.unsupported:
            self._stores.detach(job.store_id, job.ids[path])
            again.ids[path] = job.ids[path]
            del job.reasons[path]
        again.fresh, again.slow_before = job.fresh, job.slow_before
        self._attach_each(again, again.attachments(), report)
        self._wait(again, report)
        job.reasons |= again.reasons
        job.slow |= again.slow

    def _replace_lost(self, job: KnowledgeJob, report: OnTransfer) -> None:
        """Upload missing files again: some servers attach a file that no longer exists."""
        failed = job.reasons.keys() & job.ids.keys() - job.slow
        lost = [path for path in failed if self._is_lost(job, job.ids[path])]
        if not lost:
            return
        sources = {job.request(path): job.source(path) for path in lost}
        for path in lost:
            self._stores.detach(job.store_id, job.ids[path])
        self._uploader.forget([job.ids[path] for path in lost])
        taken = {file_id for path, file_id in job.ids.items() if path not in job.reasons}
        again = KnowledgeJob(job.store_id, sources, job.there | taken)
        again.slow_before = job.slow_before
        self._upload(again, list(sources), (), report, force=True)
        self._wait(again, report, self._attach(again, report))
        job.take_over(again)

    def _is_lost(self, job: KnowledgeJob, file_id: str) -> bool:
        return file_id not in job.fresh and self._is_gone(file_id)

    def _is_gone(self, file_id: str) -> bool:
        """Whether somebody deleted an upload."""
        try:
            self._files.get(file_id)
        except NotFound:
            return True
        return False

    def _drop_failed(self, job: KnowledgeJob) -> None:
        """Detach files that could not be indexed, and delete those that were uploaded for this."""
        for path in job.reasons.keys() & job.ids.keys() - job.slow:
            file_id = job.ids[path]
            self._stores.detach(job.store_id, file_id)
            if file_id in job.fresh:
                self._files.delete(file_id)
                self._uploader.forget([file_id])

    def _by_id(self, store_id: str) -> dict[str, VectorStoreFile]:
        return {file.id: file for file in self._stores.files(store_id)}


def _is_indexing(file: VectorStoreFile | None) -> bool:
    return file is not None and file.status == "in_progress"
