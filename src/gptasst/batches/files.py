"""The files of a batch while they are written: its requests, and its manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

from gptasst.api.types import MAX_BYTES, MAX_REQUESTS, UploadRequest
from gptasst.batches.manifests import item_line, manifest_line
from gptasst.batches.types import BatchItem, BatchManifest
from gptasst.storage.private_files import open_private

# The server's own limit for files of batches, set so that servers without one forget them too.
_LIFETIME = 30 * 86_400


class BatchFiles:
    """Requests and their manifest on disk, line by line; used as a context, deleted at its end.

    Args:
        directory: where the files are made.
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
        """Add an input; without a line its request is in there already."""
        if line is not None:
            self._requests.write(line)
            self.runs.add(item.run)
        self._manifest.write(item_line(item))
        self.items.append(item)

    def uploads(self) -> tuple[UploadRequest, UploadRequest]:
        """The two files, finished: requests and manifest."""
        return self._requests.upload("requests"), self._manifest.upload("manifest")


class _LineFile:
    """A file that is written once, and hashed on the way."""

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
            expires_after=_LIFETIME,
        )

    def delete(self) -> None:
        self._stream.close()
        self._path.unlink(missing_ok=True)
