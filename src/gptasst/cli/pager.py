"""What is longer than the screen goes through a pager, as in git."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
from typing import IO

from gptasst.processes.programs import find_program

_DEFAULT = "less"
_NONE = ("", "cat")
# less ends at once what fits, keeps colours, and leaves the screen as it is.
_LESS = "FRX"


def write_paged(stream: IO[str], text: str) -> None:
    """Write a text to a terminal; through a pager if it is longer than the screen.

    `GPTASST_PAGER` names one, else `PAGER`, else it is `less`. With `cat` or nothing there is none.
    """
    pager = _pager() if text.count("\n") >= shutil.get_terminal_size().lines else None
    if pager is None or not _paged(pager, text):
        stream.write(text)
        stream.flush()


def _pager() -> list[str] | None:
    named = os.environ.get("GPTASST_PAGER", os.environ.get("PAGER", _DEFAULT)).strip()
    if named in _NONE or os.environ.get("TERM") == "dumb":
        return None
    try:
        name, *options = shlex.split(named)
    except ValueError:  # a quote that is not closed
        return None
    program = find_program(name)
    return [program, *options] if program else None


def _paged(command: list[str], text: str) -> bool:
    """Whether the pager ran. It is left by its own key, and Ctrl-C is its own, too."""
    environ = {"LESS": _LESS, "LESSCHARSET": "utf-8", **os.environ}
    try:
        process = subprocess.Popen(  # noqa: S603  # it is the user's own choice
            command, stdin=subprocess.PIPE, env=environ, text=True, encoding="utf-8"
        )
    except OSError:
        return False
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):  # it was left before the end
        process.communicate(text)
    while process.poll() is None:
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()
    return True
