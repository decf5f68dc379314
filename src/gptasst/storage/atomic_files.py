"""Files that appear whole or not at all, and files that only their owner reads."""

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
_LEFT_BEHIND = re.escape(_PREFIX) + r"[a-z0-9_]{8}"  # earlier versions had more than digits and a-f

_swept: set[str] = set()


def replace_whole(
    target: str, content: bytes, mode: int | None = 0o600, *, alike: bool = False
) -> None:
    """Write a file, or replace it; from any number of threads. `target` is no link.

    Args:
        target: its path.
        content: of the new file.
        mode: its permissions; `None`: as the umask has them.
        alike: it keeps what the old file has, permissions included; see `file_attributes`.

    Raises:
        NotKept: the new file can't be like the old one.
        OSError: it can't be written; what was there is untouched.
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


def _made_in(directory: str, permissions: int) -> tuple[IO[bytes], str]:
    """A new file, open and locked. The system applies the umask: to read it, a process has to
    change it, and what another thread makes just then would be open to everybody.
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
            if re.fullmatch(_LEFT_BEHIND, entry.name) and entry.is_file(follow_symlinks=False):
                _remove_left_behind(entry.path)


def _remove_left_behind(path: str) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":  # fails where a process has it open, ours included
            os.unlink(path)
            return
        with open(path, "rb") as stream:
            if _lock(stream.fileno()):
                os.unlink(path)


def private_directory(path: Path) -> Path:
    """Make a directory, and those above it, that only their owner can enter.

    One that exists stays as it is.
    """
    missing = [place for place in (path, *path.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(exist_ok=True)  # says what is wrong where something else is there
    return path


def open_private(path: Path, mode: str) -> IO[bytes]:
    """Open a file for writing; one that is new only its owner can read."""
    return open(path, mode, opener=_owners_only)  # Path's has no opener


def _owners_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def replace_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all, in a directory of mode 0700 if it is new.

    A link keeps pointing where it does, and the file there is replaced.

    Raises:
        OSError: it can't be written; what was there is untouched.
    """
    target = Path(os.path.realpath(path))
    private_directory(target.parent)
    replace_whole(str(target), content)


_MAY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_MOUNTED = (errno.EBUSY, errno.EXDEV)  # a single file that containers mount can't be moved away
_DEVICES = ("/dev/", "/proc/")


def output_file(asked: Path | None) -> Path | None:
    """The file that `-o` means, after `check_output`; `None`: stdout, which `-` means, too."""
    if asked is None or asked == Path("-"):
        return None
    check_output(asked)
    return asked


def check_output(path: Path) -> None:
    """Refuse, before anything is sent, an output path that can't be written.

    Raises:
        InvalidInput: it is a directory or read-only, or its directory is missing or can't be
            written to.
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
        raise InvalidInput(
            f"output directory `{directory}` does not exist",
            hint=f"mkdir -p {shlex.quote(str(directory))}",
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        raise InvalidInput(f"output directory `{directory}` can't be written to")


def refuse_read_only(path: Path) -> None:
    """Refuse a file that nobody may write to, which its owner and root could replace.

    Raises:
        InvalidInput: it is there and read-only.
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
    """Write a file so that it appears whole or not at all.

    A link keeps pointing where it does and the file there is replaced. Owner, group, permissions
    and extended attributes of an existing file stay; where the system does not let a new file have
    them, and where a file has several names, it is overwritten. Devices, pipes, and what
    `/dev/stdout` stands for are written to as they are.

    Raises:
        BrokenPipeError: whoever read the pipe is gone.
        InvalidInput: it can't be written or is read-only; what was there is untouched.
    """
    refuse_read_only(path)
    try:
        if _is_special(path):
            with path.open("ab") as stream:  # a log behind `>> log` keeps what it has
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
    """An attribute can't be given to the new file."""


def copy_attributes(source: str, handle: int) -> None:
    """Give an open file everything about another that is not its content.

    Access control lists are extended attributes on Linux. macOS has no call for either that
    Python offers.

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
        for name in new.keys() - old.keys():  # such as an access control list by default
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
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                found[name] = os.getxattr(file, name)
        return found

else:

    def _copy_extended(source: str, handle: int) -> None:
        pass
