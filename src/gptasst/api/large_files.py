"""Files that are too large for one request: sent in parts, by the Uploads API."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gptasst.api.connection import Connection, read_json
from gptasst.api.http import StatusFailure
from gptasst.api.types import UploadRequest
from gptasst.errors import GptasstError, InvalidInput
from gptasst.values import dataclass

if TYPE_CHECKING:
    from hashlib import _Hash

# The API's limits in bytes: a file in one request, a part, all parts of a file.
MAX_FILE = 512 * 1024 * 1024
MAX_PART = 64 * 1024 * 1024
MAX_UPLOAD = 8 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SentParts:
    """An upload whose parts are on the server, and the sha256 of what was sent."""

    upload_id: str
    part_ids: tuple[str, ...]
    sha256: str


@contextlib.contextmanager
def sent_in_parts(
    connection: Connection,
    request: UploadRequest,
    on_bytes: Callable[[int], None],
    part_size: int,
) -> Iterator[SentParts]:
    """Send the parts of a file, one after the other. If anything fails, cancel the upload.

    Sending a part twice is harmless: the upload consists of the parts that are listed at the end.

    Raises:
        InvalidInput: the file can't be read.
        GptasstError: see `errors`.
    """
    arguments: dict[str, Any] = {
        "bytes": request.size,
        "filename": request.filename,
        "mime_type": request.media_type,
        "purpose": request.purpose,
    }
    if request.expires_after is not None:
        arguments["expires_after"] = {"anchor": "created_at", "seconds": request.expires_after}
    with connection.errors():
        made = connection.client.uploads.with_raw_response.create(**arguments)
        upload_id = str(read_json(made.http_response)["id"])
    try:
        yield _send_parts(connection, request, on_bytes, upload_id, part_size)
    except BaseException:
        with contextlib.suppress(GptasstError), connection.errors():
            connection.client.uploads.cancel(upload_id)
        raise


def _send_parts(
    connection: Connection,
    request: UploadRequest,
    on_bytes: Callable[[int], None],
    upload_id: str,
    part_size: int,
) -> SentParts:
    import hashlib

    digest = hashlib.sha256()
    part_ids = []
    for start in range(0, request.size, part_size):
        length = min(part_size, request.size - start)
        with _PartReader(request, start, length, digest, on_bytes) as part, connection.errors():
            data: Any = ("part", part, "application/octet-stream")
            sent = connection.client.uploads.parts.with_raw_response.create(upload_id, data=data)
            part_ids.append(str(read_json(sent.http_response)["id"]))
            digest = part.digest
    return SentParts(upload_id, tuple(part_ids), digest.hexdigest())


def refuse_too_large(request: UploadRequest) -> None:
    """Raise `InvalidInput` if a file is larger than the API accepts in any form."""
    if request.size > MAX_UPLOAD:
        raise InvalidInput(
            f"`{request.file}` is too large: {request.size:,} bytes, uploads take {MAX_UPLOAD:,}",
            code="too_large",
        )


def no_large_files(request: UploadRequest, error: GptasstError) -> InvalidInput | None:
    """The error for a server without uploads in parts."""
    cause = error.__cause__
    if not isinstance(cause, StatusFailure) or cause.status_code != 404:
        return None
    return InvalidInput(
        f"`{request.file}` is too large: {request.size:,} bytes, and this server takes no"
        f" uploads in parts",
        code="too_large",
    )


class _PartReader(io.RawIOBase):
    """A range of a file, readable as a file. `digest` continues from the parts read before."""

    def __init__(
        self,
        request: UploadRequest,
        start: int,
        length: int,
        before: _Hash,
        on_bytes: Callable[[int], None],
    ) -> None:
        try:
            self._stream = request.file.open("rb")
        except OSError as error:
            reason = error.strerror
            raise InvalidInput(f"`{request.file}` can't be read: {reason}") from None
        self._start = start
        self._length = length
        self._before = before
        self._on_bytes = on_bytes
        self.digest = before.copy()
        self._stream.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seek: HTTP clients do so to find the size before they read from the start."""
        base = {0: 0, 1: self.tell(), 2: self._length}[whence]
        self.digest = self._before.copy()
        return self._stream.seek(self._start + base + offset) - self._start

    def tell(self) -> int:
        return self._stream.tell() - self._start

    def read(self, size: int = -1) -> bytes:
        left = max(self._length - self.tell(), 0)
        block = self._stream.read(left if size < 0 else min(size, left))
        self.digest.update(block)
        self._on_bytes(len(block))
        return block

    def close(self) -> None:
        self._stream.close()
        super().close()
