"""Submit files as batches, except those that are finished or in a running batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gptasst.api.batches import BatchGateway
from gptasst.api.types import MAX_BYTES, MAX_REQUESTS, Batch, ModelRequest, UploadRequest
from gptasst.assistants.types import Resolved
from gptasst.batches.records import BatchRecords, item_line, manifest_line
from gptasst.batches.types import BatchItem, BatchManifest
from gptasst.definitions.types import EditSettings
from gptasst.each.files import EachFiles, EachInput
from gptasst.each.journal import RunJournal
from gptasst.each.types import EachJob, FileResult, named_paths
from gptasst.errors import GptasstError, InvalidInput, NotFound, ServiceError, UsageError
from gptasst.runs.preparation import ABOUT_KNOWLEDGE
from gptasst.runs.service import RunService
from gptasst.storage.atomic_files import open_private
from gptasst.storage.scratch import scratch_directory
from gptasst.uploads.types import OnTransfer
from gptasst.uploads.uploader import Uploader

# Metadata key of gptasst's batches; its value is the format's version.
MARK, MARK_VERSION = "gptasst", "1"
_LONGEST_VALUE = 512
# Errors after which the batch may exist nevertheless and needs its files.
_MAY_BE_THERE = ("service_error", "timeout", "unreachable", "not_an_api", "too_much")


class Submitter:
    """Writes, uploads and creates batches in one project.

    Args:
        gateway: the project's batches.
        uploader: uploads to the project.
        records: the local records.
        scope: endpoint and project, as in the records.
        temporary: the directory for temporary files.
    """

    def __init__(
        self,
        gateway: BatchGateway,
        uploader: Uploader,
        records: BatchRecords,
        scope: str,
        temporary: Path,
    ) -> None:
        self._gateway = gateway
        self._uploader = uploader
        self._records = records
        self._scope = scope
        self._temporary = temporary

    def submit(
        self,
        manifest: BatchManifest,
        requests: Iterator[tuple[BatchItem, bytes | None]],
        report: OnTransfer,
    ) -> Iterator[Batch]:
        """Submit requests, in as few batches as the server's limits allow.

        Args:
            manifest: the parts that all inputs share.
            requests: inputs with their lines; without a line, an earlier line is the same run.
            report: called with the progress of uploads.
        """
        with scratch_directory(self._temporary, "batch-") as directory:
            kept: tuple[BatchItem, bytes | None] | None = next(requests, None)
            while kept is not None:
                with BatchFiles(directory, manifest) as files:
                    while kept is not None and (kept[1] is None or files.takes(kept[1])):
                        files.add(*kept)
                        kept = next(requests, None)
                    yield self._send(manifest, files, report)

    def _send(self, manifest: BatchManifest, files: BatchFiles, report: OnTransfer) -> Batch:
        try:
            batch = self._create(manifest, files, report, force=False)
        except NotFound:  # an earlier upload of the same content was deleted
            batch = self._create(manifest, files, report, force=True)
        self._records.add(self._scope, batch.id, manifest, files.items, Path.cwd())
        return batch

    def _create(
        self, manifest: BatchManifest, files: BatchFiles, report: OnTransfer, *, force: bool
    ) -> Batch:
        uploads = files.uploads()
        uploaded = self._uploader.upload_all(uploads, report, force=force)
        for _, refusal in uploaded.failed:
            raise ServiceError(f"the batch can't be uploaded: {refusal.reason}")
        requests_id, manifest_id = (uploaded.ids[upload] for upload in uploads)
        metadata = {
            MARK: MARK_VERSION,
            "assistant": manifest.name[:_LONGEST_VALUE],
            "model": manifest.model[:_LONGEST_VALUE],
            "basis": manifest.basis,
            "manifest": manifest_id,
            "requests": str(len(files.runs)),
            "files": str(len(files.items)),
        }
        try:
            return self._gateway.create(requests_id, metadata)
        except GptasstError as error:
            if not isinstance(error, NotFound) and error.code not in _MAY_BE_THERE:
                self._uploader.take_back(uploaded)
            raise


class JobRequests:
    """The requests of a job to submit; results of its other files are collected.

    Args:
        job: the job.
        runs: prepares requests.
        resolved: the assistant or instruction.
        journal: the journal of finished runs.
        on_the_way: running batches by the digests of their runs.
        takes_file_search: whether the server supports file search in batches.
    """

    def __init__(
        self,
        job: EachJob,
        runs: RunService,
        resolved: Resolved,
        journal: RunJournal,
        on_the_way: dict[str, str],
        *,
        takes_file_search: bool,
    ) -> None:
        self._job = job
        self._runs = runs
        self._resolved = resolved
        self._on_the_way = on_the_way
        self._takes_file_search = takes_file_search
        self.basis = runs.basis(job.asked, resolved)
        self._files = EachFiles(job, self.basis, journal)
        self.results: list[FileResult] = []
        self.waiting: list[tuple[str, BatchItem]] = []
        self.submitted = 0
        self._without_passages: dict[str, list[str]] = {}

    def check(self) -> None:
        """Raise, before anything is sent, if the server may refuse the requests.

        Raises:
            UsageError: the requests need file search, which batches may not support.
        """
        target, asked = self._resolved.assistant, self._job.asked
        hosted = bool(target and target.vector_store_id)
        keyed = next((s for s in self._resolved.definition.tools.mcp if s.key_env), None)
        if keyed:
            raise UsageError(
                f"`{asked.name}` uses `mcp:{keyed.label}` with a key, and a batch would keep that",
                hint="run it without --batch",
                code="secret",
            )
        searches = hosted and self._resolved.searches(asked_for=asked.file_search)
        if searches and not self._takes_file_search:
            raise UsageError(
                f"`{asked.name}` searches its knowledge, and batches may not support that",
                hint="run without the knowledge with --no-file-search, or leave out --batch; if the"
                " server supports it, set `batch_file_search = true` in the profile",
                code="no_file_search_in_batch",
            )

    def lines(self, gateway: BatchGateway) -> Iterator[tuple[BatchItem, bytes | None]]:
        """Inputs and their lines, read lazily.

        Raises:
            NotFound: the model was shut down; nothing is sent then.
        """
        seen: set[str] = set()
        for target in self._job.targets:
            given = self._files.to_ask(target)
            if isinstance(given, FileResult):
                self.results.append(given)
                continue
            item = _item(given)
            if given.run in self._on_the_way:
                self.waiting.append((self._on_the_way[given.run], item))
            elif given.run in seen:
                self.submitted += 1
                yield item, None
            else:
                if not seen:  # a batch would fail hours later, file by file
                    self._runs.refuse_retired(self._job.asked, self._resolved)
                line = self._line(gateway, given)
                if line is not None:
                    seen.add(given.run)
                    self.submitted += 1
                    yield item, line

    def _line(self, gateway: BatchGateway, given: EachInput) -> bytes | None:
        try:
            return gateway.line(given.run, self._request(given))
        except InvalidInput as error:
            self.results.append(self._files.result(given.target, "failed", error=error))
            return None

    def _request(self, given: EachInput) -> ModelRequest:
        prepared = self._runs.prepare(self._job.request(given.file), self._resolved)
        for note in ABOUT_KNOWLEDGE.intersection(prepared.notes):
            self._without_passages.setdefault(note, []).append(str(given.target.path))
        return (
            prepared.without_functions().model_request
        )  # nothing answers function calls in a batch

    def warnings(self) -> tuple[str, ...]:
        """Warnings about some of the files, with their names."""
        found = self._without_passages.items()
        return tuple(f"{note}: {named_paths(paths)}" for note, paths in found)

    def manifest(self, command: str) -> BatchManifest:
        """The manifest of the parts that all inputs share."""
        assert self._job.purpose in ("write", "replace")
        asked, definition = self._job.asked, self._resolved.definition
        return BatchManifest(
            name=asked.name,
            model=self._runs.model(asked, self._resolved),
            basis=self.basis,
            command=command,
            purpose="replace" if self._job.purpose == "replace" else "write",
            unwrap_fence=definition.unwrap_fence,
            encoding=asked.encoding,
            schema=asked.schema or definition.schema,
            edit=_edit_keys(definition.edit),
        )


def _edit_keys(edit: EditSettings | None) -> Mapping[str, Any] | None:
    return None if edit is None else {"keep": edit.keep, "max_change": edit.max_change}


def _item(given: EachInput) -> BatchItem:
    target = given.target
    assert target.output is not None
    return BatchItem(given.run, given.sha256, target.path.as_posix(), target.output.as_posix())


# OpenAI's expiry of batch files, set explicitly for servers without a default.
LIFETIME = 30 * 86_400


class BatchFiles:
    """Requests and their manifest in temporary files; a context that deletes them at its end.

    Args:
        directory: the directory for the files.
        manifest: the first line of the manifest.
    """

    def __init__(self, directory: Path, manifest: BatchManifest) -> None:
        self._requests = _LineFile(directory / "requests.jsonl")
        self._manifest = _LineFile(directory / "manifest.jsonl")
        self._manifest.write(manifest_line(manifest))
        self.items: list[BatchItem] = []
        self.runs: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._requests.delete()
        self._manifest.delete()

    def takes(self, line: bytes) -> bool:
        """Whether one more request fits in."""
        return len(self.runs) < MAX_REQUESTS and self._requests.size + len(line) <= MAX_BYTES

    def add(self, item: BatchItem, line: bytes | None) -> None:
        """Add an input; without a line, its request is already in the file."""
        if line is not None:
            self._requests.write(line)
            self.runs.add(item.run)
        self._manifest.write(item_line(item))
        self.items.append(item)

    def uploads(self) -> tuple[UploadRequest, UploadRequest]:
        """The two files, finished: requests and manifest."""
        return self._requests.upload("requests"), self._manifest.upload("manifest")


class _LineFile:
    """A file that is hashed while it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = open_private(path, "wb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, line: bytes) -> None:
        self._stream.write(line)
        self._digest.update(line)
        self.size += len(line)

    def upload(self, kind: str) -> UploadRequest:
        self._stream.close()
        sha256 = self._digest.hexdigest()
        return UploadRequest(
            file=self._path,
            filename=f"gptasst-{kind}-{sha256[:16]}.jsonl",
            size=self.size,
            sha256=sha256,
            purpose="batch",
            media_type="application/jsonl",
            expires_after=LIFETIME,
        )

    def delete(self) -> None:
        self._stream.close()
        self._path.unlink(missing_ok=True)
