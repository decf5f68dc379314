"""Read inputs, files and standard input, within limits; find their kind and text."""

from __future__ import annotations

import contextlib
import errno
import mimetypes
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from gptasst.errors import InvalidInput
from gptasst.inputs.encoding import decode_text
from gptasst.threads import time_left
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input file of a run, read and checked.

    Either `text` (kind `text`) or `data` (other kinds) is set. `encoding` is that of the text;
    `size` is the file's size in bytes.
    """

    path: str
    kind: Literal["text", "document", "image"]
    media_type: str
    size: int
    text: str | None = None
    encoding: str | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that can't be knowledge, and why."""

    path: str
    reason: str


InputKind = Literal["text", "document", "image"]

# Types accepted as `input_file` besides text, from OpenAI's file inputs guide.
DOCUMENT_TYPES = {
    ".pdf": "application/pdf",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".rtf": "application/rtf",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# Their text is sent, because no server accepts the files, or only with bodies that are encoded.
TEXT_ONLY_TYPES = {
    ".docm": "application/vnd.ms-word.document.macroEnabled.12",
    ".pptm": "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".epub": "application/epub+zip",
    ".eml": "message/rfc822",
    ".mbox": "application/mbox",
}
DOCUMENT_TYPES |= TEXT_ONLY_TYPES
IMAGE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
# Input text <= 10,485,760 characters in one request; all input files together < 50 MB.
MAX_TEXT_BYTES = 4 * 10_485_760
MAX_BINARY_BYTES = 50_000_000


def read_input(
    path: Path,
    encoding: str | None = None,
    on_wait: Callable[[str], None] = lambda _: None,
) -> InputFile:
    """Read a file for a run, with its text in the given encoding, if any.

    `on_wait` is called with a message if a named pipe has to be waited for.

    Raises:
        InvalidInput: see `read_content` and `input_of`.
    """
    return input_of(path, read_content(path, on_wait), encoding)


def read_content(path: Path, on_wait: Callable[[str], None] = lambda _: None) -> bytes:
    """The bytes of a file for a run; `on_wait` is as in `read_input`.

    Raises:
        InvalidInput: it can't be read, or is larger than a request may be, or is a named pipe that
            does not end in time.
    """
    limit = MAX_TEXT_BYTES if input_kind(path) == "text" else MAX_BINARY_BYTES
    if _is_pipe(path):
        return _read_pipe(path, limit, on_wait)
    return _read_bounded(path, limit)


def refuse_named_pipe(path: Path) -> None:
    """Refuse to read a named pipe before the run: reading it would take what the run needs.

    The pipes of a shell's `<(command)` are no named ones.

    Raises:
        InvalidInput: the path is a named pipe.
    """
    if _is_pipe(path) and not path.is_relative_to("/dev") and not path.is_relative_to("/proc"):
        raise InvalidInput(
            f"`{path}` is a named pipe, which a dry run does not read",
            hint="name a file with the same content, or run it without --dry-run",
        )


def _is_pipe(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


def input_of(path: Path, content: bytes, encoding: str | None = None) -> InputFile:
    """An input from a file's name and content, with its text in the given encoding, if any.

    Raises:
        InvalidInput: it is empty (code `empty_input`), or neither text nor a supported document
            or image.
    """
    kind, media_type = _kind(path)
    if not content:
        raise InvalidInput(f"`{path}` is empty", code="empty_input")
    if kind != "text":
        return InputFile(str(path), kind, media_type, len(content), data=content)
    text, used = decode_text(content, str(path), encoding)
    if not text.strip():
        raise InvalidInput(f"`{path}` contains only whitespace", code="empty_input")
    return InputFile(str(path), kind, media_type, len(content), text=text, encoding=used)


def input_kind(path: Path) -> InputKind:
    """The kind of a file, from its name."""
    return _kind(path)[0]


def _kind(path: Path) -> tuple[InputKind, str]:
    suffix = path.suffix.lower()
    if suffix in DOCUMENT_TYPES:
        return "document", DOCUMENT_TYPES[suffix]
    if suffix in IMAGE_TYPES:
        return "image", IMAGE_TYPES[suffix]
    # Not `guess_type`, which first reads the tables of the system.
    return "text", mimetypes.types_map.get(suffix, "text/plain")


def _read_bounded(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise InvalidInput(f"`{path}` can't be read: {error.strerror}") from None
    if len(content) > limit:
        raise _too_large(path, max(size, limit + 1), limit)
    return content


def _too_large(path: Path, size: int, limit: int) -> InvalidInput:
    return InvalidInput(
        f"`{path}` is too large: {size:,} bytes, a request takes {limit:,}",
        hint="split it, or add it to an assistant as knowledge",
        code="too_large",
    )


def _read_pipe(path: Path, limit: int, on_wait: Callable[[str], None]) -> bytes:
    """The bytes of a pipe, which may have no writer yet, or one that never ends."""
    failed: list[OSError] = []

    def pieces() -> Iterator[bytes]:
        try:
            with path.open("rb", buffering=0) as stream:
                while piece := stream.read(_PIECE):
                    yield piece
        except OSError as error:
            failed.append(error)

    left = time_left()
    seconds = left[0] if left else _PIPE_SECONDS
    content = _received(
        pieces(),
        limit,
        seconds,
        lambda: on_wait(f"waiting for the end of the pipe `{path}`"),
    )
    if failed:
        raise InvalidInput(f"`{path}` can't be read: {failed[0].strerror}") from None
    if content is None:
        raise InvalidInput(
            f"the pipe `{path}` did not end within {round(seconds, 1):g} s",
            hint="write to it and close it, or allow more with --timeout SECONDS",
            code="timeout",
        )
    if len(content) > limit:
        raise _too_large(path, len(content), limit)
    return content


def read_regular(path: str | Path, limit: int) -> bytes:
    """The bytes of a regular file, following links.

    It never waits for a named pipe, and never reads a device.

    Raises:
        OSError: it can't be read, is not regular, or is larger than `limit` bytes.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as stream:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"it is {kind_of(mode)}", str(path))
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit:,} bytes", str(path))
    return content


def kind_of(mode: int) -> str:
    """The type of a file from its mode, as text."""
    kinds = {
        stat.S_IFREG: "a regular file",
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")


_SLOW_SECONDS = 1.0
_PIPE_SECONDS = 600.0  # for a pipe, where the command has no limit

_PIECE = 1 << 18


def read_standard_input(seconds: float, on_wait: Callable[[], None] = lambda: None) -> bytes:
    """All of standard input; empty without one.

    Args:
        seconds: the time limit.
        on_wait: called once if there is a noticeable wait.

    Raises:
        InvalidInput: it is larger than a request may be, or does not end in time.
    """
    if sys.stdin is None:
        return b""
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # a replacement of it
        buffer = getattr(sys.stdin, "buffer", None)
        if buffer is None:  # text in memory
            return _checked(sys.stdin.read(MAX_TEXT_BYTES + 1).encode())
        return _checked(buffer.read(MAX_TEXT_BYTES + 1))

    def pieces() -> Iterator[bytes]:
        with contextlib.suppress(OSError):  # a service without standard input
            while piece := os.read(descriptor, _PIECE):
                yield piece

    content = _received(pieces(), MAX_TEXT_BYTES, seconds, on_wait)
    if content is None:
        raise InvalidInput(
            f"standard input did not end within {round(seconds, 1):g} s",
            hint="allow more with --timeout SECONDS, or pass no input with `< /dev/null`",
            code="timeout",
        )
    return _checked(content)


def _received(
    pieces: Iterator[bytes], limit: int, seconds: float, on_wait: Callable[[], None]
) -> bytes | None:
    """What arrives until the end or just beyond the limit; `None`: it does not end in time.

    A thread reads it, so that a reader which blocks for ever does not keep the program.
    """
    received, ended = bytearray(), threading.Event()

    def read() -> None:
        for piece in pieces:
            received.extend(piece)
            if len(received) > limit:
                break
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    if not ended.wait(min(seconds, _SLOW_SECONDS)):
        on_wait()
        if not ended.wait(max(seconds - _SLOW_SECONDS, 0)):
            return None
    return bytes(received)


def _checked(content: bytes) -> bytes:
    if len(content) > MAX_TEXT_BYTES:
        raise InvalidInput(
            f"standard input is too large: a request takes {MAX_TEXT_BYTES:,} bytes",
            hint="send less at a time, or add it to an assistant as knowledge",
            code="too_large",
        )
    return content
