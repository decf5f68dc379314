"""A program on a terminal of its own, as a person sees it."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

_LIMIT = 30.0

# Makes the terminal the one that Ctrl-C comes from, without echo, and becomes the program.
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
attributes = termios.tcgetattr(0)
attributes[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, attributes)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Seen:
    """How a program ended, and what it had put on its screen; line ends are LF."""

    code: int
    screen: str


def on_terminal(
    command: Sequence[str], *, typed: str = "", after: str = "", **environ: str
) -> Seen:
    """Run a program with all three streams on a terminal.

    Args:
        command: the program and its words.
        typed: what is typed; a `\\x03` interrupts as Ctrl-C does.
        after: typing waits until this is on the screen; without it, until anything is.
        environ: further variables.
    """
    terminal, far_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE_TERMINAL, *command],
        stdin=far_end,
        stdout=far_end,
        stderr=far_end,
        env={**os.environ, "COLUMNS": "100", **environ},
        start_new_session=True,
    )
    os.close(far_end)
    try:
        screen = _read(terminal, typed.encode(), after.encode())
        return Seen(process.wait(_LIMIT), screen.decode("utf-8", "replace").replace("\r\n", "\n"))
    finally:
        os.close(terminal)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read(terminal: int, typed: bytes, after: bytes) -> bytes:
    screen, waiting = b"", True
    end = time.monotonic() + _LIMIT
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1.0)[0]:
            if typed == b"\x03" and not waiting:  # a person presses it again, too
                os.write(terminal, typed)
            continue
        try:
            block = os.read(terminal, 4096)
        except OSError:  # Linux: nobody is at the far end any more
            break
        if not block:
            break
        screen += block
        if typed and waiting and after in screen:
            os.write(terminal, typed)
            waiting = False
    return screen
