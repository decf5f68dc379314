"""Upload many files: each content once, several at a time, remembering finished ones."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TypeGuard

from gptasst.api.files import FileGateway, GivenUp
from gptasst.api.types import RemoteFile, UploadRequest
from gptasst.api.upload_marks import marked_name
from gptasst.errors import GptasstError, InvalidInput
from gptasst.inputs.reading import Refusal
from gptasst.storage.atomic_files import private_directory
from gptasst.storage.locks import alone
from gptasst.threads import in_groups
from gptasst.uploads.project_cache import CachedUpload, ProjectCache
from gptasst.uploads.types import OnTransfer, TransferState
from gptasst.values import dataclass

# The SDK uploads five at a time; at the rate limit of 1,000 per minute, uploads wait.
DEFAULT_JOBS = 16
# Knowledge is indexed after its upload, so its uploads may run at a higher rate.
KNOWLEDGE_JOBS = 32
# Seconds to wait for other processes that upload the same contents.
_LONGEST_WAIT = 600.0
# Failures of one file; others would affect all files.
_OWN_FAULTS = ("bad_request", "file_changed", "too_large", "invalid_input")


@dataclass(slots=True)
class Uploaded:
    """The ids of uploaded files by request, existing ones, and failures."""

    ids: dict[UploadRequest, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    failed: list[tuple[UploadRequest, Refusal]] = field(default_factory=list)


class Uploader:
    """Uploads to one project.

    Args:
        files: the project's files.
        cache: the cache of earlier uploads.
        learn: fills the cache from the server.
        locks: the directory of locks between processes.
        machine: returns this machine's mark for names; see `upload_marks`.
    """

    def __init__(
        self,
        files: FileGateway,
        cache: ProjectCache,
        learn: Callable[[], None],
        locks: Path,
        machine: Callable[[], str],
    ) -> None:
        self._files = files
        self._cache = cache
        self._learn = learn
        self._locks = locks
        self._machine = machine

    def upload_all(
        self,
        requests: Sequence[UploadRequest],
        report: OnTransfer,
        taken: Collection[str] = (),
        *,
        force: bool = False,
        jobs: int = DEFAULT_JOBS,
    ) -> Uploaded:
        """Upload missing contents.

        Args:
            requests: the uploads; two with the same content get separate ids.
            report: called with bytes and files.
            taken: ids that must not be used again.
            force: ignore the cache.
            jobs: the most concurrent uploads.

        Raises:
            GptasstError: a failure that does not concern a single file; finished uploads are
                remembered.
        """
        if requests and not force:
            self.learn()
        result = Uploaded()
        used = set(taken)
        missing = list(requests) if force else self._not_known(requests, used, result)
        if missing:
            with self._alone(missing, report):
                if not force:  # another process may have done it
                    missing = self._not_known(missing, used, result)
                self._upload_missing(missing, result, report, jobs)
        return result

    def _not_known(
        self, requests: Sequence[UploadRequest], used: set[str], result: Uploaded
    ) -> list[UploadRequest]:
        missing = []
        uploads = self._cache.uploads({(r.sha256, r.purpose) for r in requests})
        for request in requests:
            there = uploads[request.sha256, request.purpose]
            known = next((file_id for file_id in there if file_id not in used), None)
            if known is None:
                missing.append(request)
            else:
                used.add(known)
                result.ids[request] = known
                result.known.add(known)
        return missing

    @contextlib.contextmanager
    def _alone(self, requests: Sequence[UploadRequest], report: OnTransfer) -> Iterator[None]:
        """Keep other processes from uploading the same contents at the same time."""
        end = time.monotonic() + _LONGEST_WAIT
        waiting = TransferState("waiting", 0, len(requests))
        with contextlib.suppress(OSError):
            private_directory(self._locks)
        with contextlib.ExitStack() as held:
            for digit in sorted({request.sha256[0] for request in requests}):
                lock = self._locks / f"upload-{digit}.lock"
                left = end - time.monotonic()
                held.enter_context(alone(lock, left, lambda: report(waiting)))
            yield

    def take_back(self, uploaded: Uploaded) -> None:
        """Delete new uploads of a failed operation; existing ones stay."""
        for file_id in {*uploaded.ids.values()} - uploaded.known:
            with contextlib.suppress(GptasstError):  # the original error is raised
                self._files.delete(file_id)
                self.forget([file_id])

    def learn(self) -> None:
        """Fill the cache from the server, unless that was done."""
        self._learn()

    def forget(self, file_ids: Sequence[str]) -> None:
        """Drop ids that the server no longer has."""
        self._cache.forget_uploads(file_ids)

    def _upload_missing(
        self, missing: Sequence[UploadRequest], result: Uploaded, report: OnTransfer, jobs: int
    ) -> None:
        if not missing:
            return
        progress = _Progress(missing, report)
        self._cache.begin_uploads(missing)

        broken: list[BaseException] = []
        stop = threading.Event()  # uploads under way are still remembered

        def upload(request: UploadRequest) -> RemoteFile:
            name = marked_name(request.filename, request.sha256, self._machine())
            marked = replace(request, filename=name)
            try:
                return self._files.upload(marked, progress.sent, stop.is_set)
            except BaseException as error:
                if not _is_own_fault(error):
                    stop.set()
                raise

        with contextlib.closing(in_groups(upload, missing, jobs, stop)) as groups:
            for group in groups:
                broken += self._collect(group, result)
                progress.files_done(len(group))
        if broken:
            raise broken[0]

    def _collect(
        self, group: Sequence[tuple[UploadRequest, RemoteFile | BaseException]], result: Uploaded
    ) -> list[BaseException]:
        """Collect the results of some uploads; return errors that don't concern a single file."""
        files = {request: file for request, file in group if not isinstance(file, BaseException)}
        self._cache.remember_uploads(
            [cached_upload(request, file) for request, file in files.items()]
        )
        result.ids |= {request: file.id for request, file in files.items()}
        own = [(request, error) for request, error in group if _is_own_fault(error)]
        result.failed += [(r, Refusal(str(r.file), error.message)) for r, error in own]
        others = [e for _, e in group if isinstance(e, BaseException) and not _is_own_fault(e)]
        return [error for error in others if not isinstance(error, GivenUp)]


def _is_own_fault(outcome: object) -> TypeGuard[GptasstError]:
    if isinstance(outcome, InvalidInput):
        return True
    return isinstance(outcome, GptasstError) and outcome.code in _OWN_FAULTS


def cached_upload(request: UploadRequest, file: RemoteFile) -> CachedUpload:
    """An upload in the cache's form."""
    return CachedUpload(
        file_id=file.id,
        sha256=request.sha256,
        purpose=request.purpose,
        filename=request.filename,
        size=request.size,
        uploaded_at=file.created_at,
        expires_at=file.expires_at,
    )


class _Progress:
    """Totals the progress of many threads."""

    def __init__(self, requests: Sequence[UploadRequest], report: OnTransfer) -> None:
        self._lock = threading.Lock()
        self._report = report
        self._files = len(requests)
        self._total = sum(request.size for request in requests)
        self._done = 0
        self._sent = 0
        self._tell()

    def sent(self, count: int) -> None:
        with self._lock:
            self._sent += count
            self._tell()

    def files_done(self, count: int) -> None:
        with self._lock:
            self._done += count
            self._tell()

    def _tell(self) -> None:
        sent = min(self._sent, self._total)  # a file that is sent twice counts only once
        self._report(TransferState("uploading", self._done, self._files, sent, self._total))
