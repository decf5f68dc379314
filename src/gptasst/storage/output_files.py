"""Writing files of the user's so that each appears whole or not at all."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.storage.whole_files import replace_whole

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
        InvalidInput: it is a directory, or its directory is missing or can't be written to.
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
    directory = _target(path).parent
    if not directory.is_dir():
        raise InvalidInput(
            f"output directory `{directory}` does not exist",
            hint=f"mkdir -p {shlex.quote(str(directory))}",
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        raise InvalidInput(f"output directory `{directory}` can't be written to")


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all.

    A link keeps pointing where it does and the file there is replaced; permissions of an
    existing file stay. Devices, pipes, and what `/dev/stdout` stands for are written to as they
    are.

    Raises:
        BrokenPipeError: whoever read the pipe is gone.
        InvalidInput: it can't be written; what was there is untouched.
    """
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
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
    replace_whole(str(target), content, mode)


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
