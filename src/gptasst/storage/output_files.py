"""Writing files of the user's so that each appears whole or not at all."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.storage.file_attributes import NotKept
from gptasst.storage.whole_files import replace_whole, write_in_place

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
        replace_whole(str(target), content, 0o666 & ~_umask())
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


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
