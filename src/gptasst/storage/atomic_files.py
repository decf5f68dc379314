"""Write files completely or not at all, and files that only their owner can read."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import stat
import sys
from pathlib import Path
from typing import IO

from gptasst.errors import InvalidInput

if sys.platform != "win32":
    import fcntl

_PREFIX = ".gptasst-"
_LEFT_BEHIND = re.escape(_PREFIX) + r"[a-z0-9_]{8}"  # earlier versions used more than hex digits

_swept: set[str] = set()


def replace_whole(
    target: str, content: bytes, mode: int | None = 0o600, *, alike: bool = False
) -> None:
    """Write or replace a file. Thread-safe. `target` must not be a link.

    Args:
        target: its path.
        content: the new content.
        mode: the permissions; `None`: from the umask.
        alike: keep the attributes of the old file, including permissions; see `copy_attributes`.

    Raises:
        NotKept: the new file can't have the old one's attributes.
        OSError: it can't be written; the old file is untouched.
    """
    directory = os.path.dirname(target)
    _sweep(directory)
    stream, name = _made_in(directory, 0o600 if mode is not None else 0o666)
    try:
        with stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            if alike and sys.platform != "win32":
                copy_attributes(target, stream.fileno())
            elif mode is not None:
                os.chmod(name, mode)
            if sys.platform != "win32":  # while holding the lock
                os.replace(name, target)
        if sys.platform == "win32":  # an open file can't be moved
            os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def write_in_place(target: str, content: bytes) -> None:
    """Overwrite a file in place, which keeps all its names and attributes.

    Disk space is reserved before the first byte is written, and an error restores the old content.
    Only a kill at that moment leaves a half-written file.

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


def _made_in(directory: str, permissions: int) -> tuple[IO[bytes], str]:
    """A new file, open and locked. The system applies the umask: reading the umask means changing
    it, and files that other threads create at that moment would be open to everybody.
    """

    def opened(path: str, flags: int) -> int:
        return os.open(path, flags, permissions)

    while True:
        name = os.path.join(directory, _PREFIX + os.urandom(4).hex())
        try:
            stream = open(name, "xb", opener=opened)  # noqa: SIM115  # whoever asked closes it
        except FileExistsError:
            continue
        _lock(stream.fileno())
        if os.path.lexists(name):  # else another process removed it before it was locked
            return stream, name
        stream.close()


def _lock(handle: int) -> bool:
    """Lock an open file; `False` if another process has it, or locks are not supported."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(directory: str) -> None:
    """Remove leftover temporary files in a directory, once per process."""
    if directory in _swept:
        return
    _swept.add(directory)
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if re.fullmatch(_LEFT_BEHIND, entry.name) and entry.is_file(follow_symlinks=False):
                _remove_left_behind(entry.path)


def _remove_left_behind(path: str) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":  # fails if a process has it open, including ours
            os.unlink(path)
            return
        with open(path, "rb") as stream:
            if _lock(stream.fileno()):
                os.unlink(path)


def private_directory(path: Path) -> Path:
    """Create a directory and its parents, accessible only to their owner.

    Existing ones are unchanged.
    """
    missing = [place for place in (path, *path.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(exist_ok=True)  # reports it if something else is there
    return path


def open_private(path: Path, mode: str) -> IO[bytes]:
    """Open a file for writing; a new one is readable only by its owner."""
    return open(path, mode, opener=_owners_only)  # `Path.open` has no opener


def _owners_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def replace_private(path: Path, content: bytes) -> None:
    """Write a file with mode 0600, completely or not at all; a new directory gets mode 0700.

    A link is kept, and its target is replaced.

    Raises:
        OSError: it can't be written; what was there is untouched.
    """
    target = Path(os.path.realpath(path))
    private_directory(target.parent)
    replace_whole(str(target), content)


_MAY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_MOUNTED = (errno.EBUSY, errno.EXDEV)  # a single file mounted by a container can't be moved
_DEVICES = ("/dev/", "/proc/")


def output_file(asked: Path | None) -> Path | None:
    """The file of `-o`, after `check_output`; `None` for stdout and `-`."""
    if asked is None or asked == Path("-"):
        return None
    check_output(asked)
    return asked


def check_output(path: Path) -> None:
    """Raise, before anything is sent, if an output path can't be written.

    Raises:
        InvalidInput: it is a directory or read-only, or its directory is missing or not
            writable.
    """
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InvalidInput(f"output `{path}` can't be written: {error.strerror}") from None
    if path.is_dir():
        raise InvalidInput(f"output `{path}` is a directory", hint="name a file in it")
    if _is_special(path):
        return
    refuse_read_only(path)
    directory = _target(path).parent
    if not directory.is_dir():
        hint = f"mkdir -p {shlex.quote(str(directory))}"
        if str(path).startswith("~"):
            hint = "the shell leaves `~` alone in quotes: write `$HOME`"
        raise InvalidInput(f"output directory `{directory}` does not exist", hint=hint)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise InvalidInput(f"output directory `{directory}` can't be written to")


def refuse_read_only(path: Path) -> None:
    """Raise for a read-only file, even though its owner and root could replace it.

    Raises:
        InvalidInput: it exists and is read-only.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if stat.S_ISREG(mode) and not (mode & _MAY_WRITE and os.access(path, os.W_OK)):
        raise InvalidInput(
            f"`{path}` is read-only",
            hint=f"chmod u+w {shlex.quote(str(path))} allows writing",
            code="read_only",
        )


def replace_file(path: Path, content: bytes) -> None:
    """Write a file completely or not at all.

    A link is kept, and its target is replaced. Owner, group, permissions and extended attributes of
    an existing file are kept; if a new file can't have them, or the file has several names, it is
    overwritten in place. Devices, pipes and the target of `/dev/stdout` are written to directly.

    Raises:
        BrokenPipeError: the reader of the pipe is gone.
        InvalidInput: it can't be written or is read-only; the old file is untouched.
    """
    refuse_read_only(path)
    try:
        if _is_special(path):
            with path.open("ab") as stream:  # a log behind `>> log` keeps its content
                stream.write(content)
        else:
            _replace(_target(path), content)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InvalidInput(f"`{path}` can't be written: {error.strerror}") from None


def _replace(target: Path, content: bytes) -> None:
    if not target.exists():
        replace_whole(str(target), content, None)
        return
    if target.stat().st_nlink == 1:
        mode = stat.S_IMODE(target.stat().st_mode)
        try:
            replace_whole(str(target), content, mode, alike=True)
        except NotKept:
            pass
        except OSError as error:
            if error.errno not in _MOUNTED:
                raise
        else:
            return
    write_in_place(str(target), content)


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_special(path: Path) -> bool:
    if not path.exists() or path.is_dir():
        return False
    return not path.is_file() or path.absolute().as_posix().startswith(_DEVICES)


class NotKept(OSError):
    """The new file can't have one of the old file's attributes."""


def copy_attributes(source: str, handle: int) -> None:
    """Copy owner, permissions and extended attributes of a file to an open one.

    On Linux, access control lists are extended attributes. On macOS, Python has no function for
    either.

    Raises:
        NotKept: the system does not allow it.
    """
    if sys.platform != "win32":
        _copy(source, handle)


if sys.platform != "win32":

    def _copy(source: str, handle: int) -> None:
        old, new = Path(source).stat(), os.fstat(handle)
        try:
            if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                os.fchown(handle, old.st_uid, old.st_gid)
            _copy_extended(source, handle)
            os.fchmod(handle, stat.S_IMODE(old.st_mode))
        except OSError as error:
            raise NotKept(error.errno, error.strerror) from error


if sys.platform == "linux":

    def _copy_extended(source: str, handle: int) -> None:
        old, new = _extended(source), _extended(handle)
        for name in new.keys() - old.keys():  # such as a default access control list
            os.removexattr(handle, name)
        for name, value in old.items():
            if new.get(name) != value:
                os.setxattr(handle, name, value)

    def _extended(file: str | int) -> dict[str, bytes]:
        try:
            names = os.listxattr(file)
        except OSError as error:
            if error.errno in (errno.ENOTSUP, errno.ENOSYS):
                return {}
            raise
        found = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # removed in the meantime
                found[name] = os.getxattr(file, name)
        return found

else:

    def _copy_extended(source: str, handle: int) -> None:
        pass
