"""Files that appear whole or not at all: written beside their place, then moved there.

What a process leaves beside it that was killed meanwhile, the next one to write there takes away.
It knows it by a lock, which is gone with the process; on Windows no open file can be removed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from typing import IO

from gptasst.storage.file_attributes import copy_attributes

if sys.platform != "win32":
    import fcntl

_PREFIX = ".gptasst-"
_LEFT_BEHIND = re.compile(re.escape(_PREFIX) + r"[a-z0-9_]{8}")  # as `mkstemp` makes them

_swept: set[str] = set()


def replace_whole(target: str, content: bytes, mode: int = 0o600, *, alike: bool = False) -> None:
    """Write a file, or replace it. `target` is no link.

    Args:
        target: its path.
        content: of the new file.
        mode: its permissions.
        alike: it keeps what the old file has, permissions included; see `file_attributes`.

    Raises:
        NotKept: the new file can't be like the old one.
        OSError: it can't be written; what was there is untouched.
    """
    directory = os.path.dirname(target)
    _sweep(directory)
    stream, name = _made_in(directory)
    try:
        with stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            if alike and sys.platform != "win32":
                copy_attributes(target, stream.fileno())
            else:
                os.chmod(name, mode)
            if sys.platform != "win32":  # while the lock is held
                os.replace(name, target)
        if sys.platform == "win32":  # no file can be moved that is open
            os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def write_in_place(target: str, content: bytes) -> None:
    """Overwrite a file, so that all its names and attributes stay.

    Room is made before the first byte is touched, and an error brings the old content back. Only
    a process that is killed just then leaves half of it.

    Raises:
        OSError: it can't be written; what was there is untouched.
    """
    with open(target, "r+b") as stream:
        old = stream.read()
        try:
            _make_room(stream, len(content))
            _overwrite(stream, content)
        except BaseException:
            with contextlib.suppress(OSError):
                _overwrite(stream, old)
            raise


def _make_room(stream: IO[bytes], size: int) -> None:
    if sys.platform == "linux" and size:
        try:
            os.posix_fallocate(stream.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise


def _overwrite(stream: IO[bytes], content: bytes) -> None:
    stream.seek(0)
    stream.write(content)
    stream.truncate()
    stream.flush()
    os.fsync(stream.fileno())


def _made_in(directory: str) -> tuple[IO[bytes], str]:
    import tempfile

    while True:
        handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=directory)
        stream = os.fdopen(handle, "wb")
        _lock(stream.fileno())
        if os.path.lexists(name):  # else it was swept away before it was locked
            return stream, name
        stream.close()


def _lock(handle: int) -> bool:
    """Lock an open file; false: another process has it, or there are no locks here."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(directory: str) -> None:
    """Remove what was left in a directory, once a process."""
    if directory in _swept:
        return
    _swept.add(directory)
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if _LEFT_BEHIND.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_left_behind(entry.path)


def _remove_left_behind(path: str) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":  # fails where a process has it open, ours included
            os.unlink(path)
            return
        with open(path, "rb") as stream:
            if _lock(stream.fileno()):
                os.unlink(path)
