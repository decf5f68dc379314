"""Files on the server: uploading in a stream, listing, deleting."""

from __future__ import annotations

import contextlib
import io
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from gptasst.api.connection import Connection, api_path, missing, read_json
from gptasst.api.large_files import (
    MAX_FILE,
    MAX_PART,
    no_large_files,
    refuse_too_large,
    sent_in_parts,
)
from gptasst.api.limits import (
    MAX_CONTENT,
    MAX_LINE,
    SLOWEST_DOWNLOAD,
    patience,
    too_much,
)
from gptasst.api.response_items import text_in
from gptasst.api.types import Purpose, RemoteFile, UploadRequest
from gptasst.api.upload_marks import read_mark
from gptasst.errors import GptasstError, InvalidInput, NotFound

# Called with the number of bytes that were sent since the last call.
OnBytes = Callable[[int], None]

_PAGE = 10_000
# Seconds that the server's clock may be behind ours.
CLOCK_SKEW = 300


class GivenUp(GptasstError):
    """An upload that was not started, because it was no longer needed."""


class FileGateway:
    """The files of the project that the key belongs to. May be used from many threads.

    Args:
        connection: to the server.
        max_file: largest file in bytes to send in one request; larger ones are sent in parts.
        part_size: bytes per part.
    """

    def __init__(
        self, connection: Connection, max_file: int = MAX_FILE, part_size: int = MAX_PART
    ) -> None:
        self._connection = connection
        self._max_file = max_file
        self._part_size = part_size
        self._locks: defaultdict[tuple[str, int], threading.Lock] = defaultdict(threading.Lock)
        self._made: set[str] = set()

    def upload(
        self,
        request: UploadRequest,
        on_bytes: OnBytes = lambda _: None,
        given_up: Callable[[], bool] = lambda: False,
    ) -> RemoteFile:
        """Upload a file exactly once, reading it in blocks, even if a response is lost.

        Args:
            request: the file, as it was hashed.
            on_bytes: called with the number of bytes sent since the last call.
            given_up: whether the upload is no longer needed; called before each attempt.

        Raises:
            GivenUp: it was abandoned before it started.
            InvalidInput: the file can't be read, or it changed since it was hashed.
            GptasstError: see `errors`.
        """
        # Files of the same name and size look alike on the server, so they are sent in turn.
        with self._locks[request.filename, request.size]:
            if given_up():
                raise GivenUp(f"`{request.file}` was not uploaded", code="given_up")
            uploaded, sent = self._upload(request, on_bytes, given_up)
            self._made.add(uploaded.id)
        if sent is not None and sent != request.sha256:
            self.delete(uploaded.id)
            raise _changed(request)
        return uploaded

    def _upload(
        self, request: UploadRequest, on_bytes: OnBytes, given_up: Callable[[], bool]
    ) -> tuple[RemoteFile, str | None]:
        """The file, and the sha256 of what was sent (`None`: found after its response was lost)."""
        if request.size > self._max_file:
            return self._upload_in_parts(request, on_bytes)
        started = datetime.now(UTC)
        sent: list[str | None] = [None]

        def send() -> RemoteFile:
            with _Reader(request, on_bytes) as stream:
                made = self._send(request, stream)
                sent[0] = stream.sha256
            return made

        def find() -> RemoteFile | None:
            return self._find(request, started)

        return self._connection.create_once(send, find, given_up=given_up), sent[0]

    def _send(self, request: UploadRequest, stream: _Reader) -> RemoteFile:
        import httpx2

        # `files.create` does the same, but takes half as long again for many small files.
        part: Any = (request.filename, stream, request.media_type)
        response = self._connection.once.post(
            "/files",
            cast_to=httpx2.Response,
            body=_fields(request),
            files=[("file", part)],
            options={"headers": {"Content-Type": "multipart/form-data"}},
        )
        return _remote_file(read_json(response))

    def _upload_in_parts(
        self, request: UploadRequest, on_bytes: OnBytes
    ) -> tuple[RemoteFile, str | None]:
        refuse_too_large(request)
        started = datetime.now(UTC)
        uploads = self._connection.once.uploads.with_raw_response
        try:
            with sent_in_parts(self._connection, request, on_bytes, self._part_size) as parts:

                def send() -> RemoteFile:
                    made = uploads.complete(parts.upload_id, part_ids=list(parts.part_ids))
                    return _remote_file(read_json(made.http_response)["file"])

                made = self._connection.create_once(send, lambda: self._find(request, started))
                return made, parts.sha256
        except GptasstError as error:
            raise no_large_files(request, error) or error from error.__cause__

    def _find(self, request: UploadRequest, started: datetime) -> RemoteFile | None:
        """The file of an upload whose response was lost. Its name identifies its content."""
        if read_mark(request.filename) is None and request.purpose != "batch":
            return None  # a name that others may use as well
        for file in self.list(request.purpose):
            if file.created_at.timestamp() < started.timestamp() - CLOCK_SKEW:
                break
            same = file.filename == request.filename and file.size == request.size
            if same and file.id not in self._made:
                return file
        return None

    def list(self, purpose: Purpose | None = None) -> Iterator[RemoteFile]:
        """Every file, newest first."""
        query: dict[str, str | int] = {"limit": _PAGE, "order": "desc"}
        if purpose:
            query["purpose"] = purpose
        return self._connection.listed("/files", _remote_file, query)

    def get(self, file_id: str) -> RemoteFile:
        """One file.

        Raises:
            NotFound: there is none of that id.
        """
        with self._connection.errors(missing("file", file_id)):
            return _remote_file(self._connection.get(api_path("files", file_id)))

    def lines(self, file_id: str) -> Iterator[bytes]:
        """The lines of a file, without line ends, as they arrive; never all in memory.

        Raises:
            NotFound: there is none of that id.
            GptasstError: the server does not serve its content, or the connection was lost.
        """
        connection, endpoint = self._connection, self._connection.endpoint
        limits = patience(
            endpoint.silence,
            endpoint.timeout,
            most=MAX_CONTENT,
            rate=SLOWEST_DOWNLOAD,
            attempts=connection.attempts,
        )
        path = api_path("files", file_id, "content")
        with (
            connection.errors(missing("file", file_id)),
            contextlib.closing(
                connection.send("GET", path, limits=limits, stream=True)
            ) as response,
        ):
            pending = bytearray()
            for block in response.iter_bytes():
                *whole, rest = block.split(b"\n")
                if whole:
                    pending += whole[0]
                    yield from (line for line in (bytes(pending), *whole[1:]) if line.strip())
                    pending = bytearray()
                pending += rest
                if len(pending) > MAX_LINE:
                    raise too_much(f"more than {MAX_LINE >> 20} MiB in one line")
        if pending.strip():
            yield bytes(pending)

    def content(self, file_id: str) -> bytes:
        """The content of a file. OpenAI does not serve the content of knowledge files.

        Raises:
            NotFound: there is none of that id.
            GptasstError: the server does not serve its content, or the connection was lost.
        """
        with self._connection.errors(missing("file", file_id)):
            return self._connection.send("GET", api_path("files", file_id, "content")).content

    def delete(self, file_id: str) -> bool:
        """Delete a file, also from every vector store; `False` if it was already gone."""
        try:
            with self._connection.errors(missing("file", file_id)):
                self._connection.client.files.delete(file_id)
        except NotFound:
            return False
        return True


def _fields(request: UploadRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {"purpose": request.purpose}
    if request.expires_after is not None:
        fields["expires_after"] = {"anchor": "created_at", "seconds": request.expires_after}
    return fields


def _remote_file(file: Any) -> RemoteFile:
    """A file from the API's JSON.

    Raises:
        LookupError, TypeError: it is not one.
    """
    ident = file["id"]
    if not isinstance(ident, str) or not ident:
        raise TypeError("a file has an id")
    created, expires = moment_or_start(file.created_at), moment_or_start(file.expires_at)
    return RemoteFile(
        id=ident,
        filename=text_in(file.filename) or ident,
        size=file.bytes if isinstance(file.bytes, int) else 0,
        purpose=text_in(file.purpose),
        # One of unknown age counts as new, because old ones may be pruned.
        created_at=datetime.now(UTC) if created == START else created,
        expires_at=None if expires == START else expires,
    )


START = datetime.fromtimestamp(0, UTC)


def moment(seconds: float) -> datetime:
    """A `datetime` from Unix time."""
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_start(seconds: object) -> datetime:
    """A `datetime` from Unix time; `START` if it is none, as somebody else's object may have it."""
    try:
        return moment(seconds)  # type: ignore[arg-type]  # from a server
    except (TypeError, ValueError, OverflowError, OSError):
        return START


def _changed(request: UploadRequest) -> InvalidInput:
    message = f"`{request.file}` changed while it was uploaded"
    return InvalidInput(message, hint="do it again", code="file_changed")


class _Reader(io.RawIOBase):
    """Read a file once, front to back; report progress and hash what was read.

    A file that grows or shrinks in the meantime would not match the announced length.
    """

    def __init__(self, request: UploadRequest, on_bytes: OnBytes) -> None:
        import hashlib

        try:
            self._stream = request.file.open("rb", buffering=0)  # the caller reads in blocks
        except OSError as error:
            reason = error.strerror
            raise InvalidInput(f"`{request.file}` can't be read: {reason}") from None
        self._request = request
        self._on_bytes = on_bytes
        self._digest = hashlib.sha256()
        self._place = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seek: HTTP clients do so to find the size before they read from the start."""
        import hashlib

        self._digest = hashlib.sha256()
        self._place = self._stream.seek(offset, whence)
        return self._place

    def tell(self) -> int:
        return self._stream.tell()

    def fileno(self) -> int:
        return self._stream.fileno()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._place += len(block)
        whole = self._request.size
        if self._place > whole or (not block and self._place < whole):
            raise _changed(self._request)
        self._digest.update(block)
        self._on_bytes(len(block))
        return block

    def close(self) -> None:
        self._stream.close()
        super().close()
