"""The identity of local files: what tells, without reading, that a content is still the same."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any, NamedTuple

from gptasst.errors import InvalidInput

# A file can change twice within one tick of its clock, which is two seconds on FAT. What was
# hashed so soon after a change is read again next time, as git does with its index.
_TICK_NS = 2_000_000_000
_LARGEST_INTEGER = 2**63 - 1  # that SQLite takes


class FileHash(NamedTuple):
    """The size of a file in bytes and the sha256 of its content, as hex digits."""

    size: int
    sha256: str


def here() -> bytes:
    """The working directory, with a separator behind it."""
    return os.fsencode(Path.cwd()) + os.fsencode(os.sep)


def file_key(file: Path, directory: bytes) -> bytes:
    """An absolute path as the system has it, links and `..` as they are.

    `directory` is what `here` gives: it is asked for once and not for each file.
    """
    name = os.fsencode(file)
    return name if file.is_absolute() else directory + name


def still_stands(file: bytes, row: Any, *, freshly_changed: bool = False) -> bool:
    """Whether a file is as it was when its row was written.

    `freshly_changed` takes one that may have changed again within the tick it was hashed in.
    """
    try:
        found = os.stat(file)  # noqa: PTH116  # 100,000 times
    except OSError:
        return False
    _, size, mtime_ns, identity, hashed_ns, _ = row
    return (
        found.st_mtime_ns == mtime_ns
        and found.st_size == size
        and _identity(found) == identity
        and (freshly_changed or hashed_ns - mtime_ns >= _TICK_NS)
    )


def read_file(file: Path) -> tuple[FileHash, tuple[int, int, int, int, str] | None]:
    """Hash a file; its row is `None` if it changed meanwhile."""
    import hashlib

    started = time.time_ns()
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise InvalidInput(f"`{file}` is not a file")
        with file.open("rb") as stream:
            before = os.fstat(stream.fileno())
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
            after = os.fstat(stream.fileno())
    except OSError as error:
        raise InvalidInput(f"`{file}` can't be read: {error.strerror}") from None
    if (before.st_size, before.st_mtime_ns) != (size, after.st_mtime_ns):
        return FileHash(size, sha256), None
    return FileHash(size, sha256), (size, after.st_mtime_ns, _identity(after), started, sha256)


def _identity(found: os.stat_result) -> int:
    """The inode and when anything about the file last changed, as the one number of a row.

    That moment can't be set: it tells of another content where size and time were kept, as
    `cp -p`, layers of images and the Nix store do.
    """
    return (found.st_ino ^ found.st_ctime_ns << 1) & _LARGEST_INTEGER
