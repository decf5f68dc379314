"""`gptasst` on a terminal of its own, as a person sees it."""

from __future__ import annotations

import os
import pty
import select
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.processes import Process, Surroundings

_LIMIT = 30.0


@dataclass(frozen=True)
class Seen:
    """How a program ended, and what it had put on its screen; line ends are LF."""

    code: int
    screen: str


def on_terminal(*words: str, typed: str = "", after: str = "", **environ: str) -> Seen:
    """Run gptasst with all three streams on a terminal without echo.

    Args:
        words: what follows `gptasst`.
        typed: what is typed; a `\\x03` interrupts as Ctrl-C does.
        after: typing waits until this is on the screen; without it, until anything is.
        environ: further variables.
    """
    return _seen(words, typed, after, lambda: None, environ)


def while_asked(meanwhile: Callable[[], object], *words: str, typed: str, after: str) -> Seen:
    """As `on_terminal`; `meanwhile` is called before anything is typed."""
    return _seen(words, typed, after, meanwhile, {})


def _seen(
    words: Sequence[str],
    typed: str,
    after: str,
    meanwhile: Callable[[], object],
    environ: Mapping[str, str],
) -> Seen:
    terminal, far_end = pty.openpty()
    attributes = termios.tcgetattr(far_end)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(far_end, termios.TCSANOW, attributes)
    process = Process(
        *words,
        stdin=far_end,
        stdout=far_end,
        stderr=far_end,
        surroundings=Surroundings(terminal=True),
        **{"COLUMNS": "100", "PAGER": "cat", **environ},
    )
    os.close(far_end)
    try:
        screen = _read(terminal, typed.encode(), after.encode(), meanwhile)
        return Seen(process.wait(_LIMIT), screen.decode("utf-8", "replace").replace("\r\n", "\n"))
    finally:
        os.close(terminal)
        process.kill()
        process.wait()


def _read(terminal: int, typed: bytes, after: bytes, meanwhile: Callable[[], object]) -> bytes:
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
            meanwhile()
            os.write(terminal, typed)
            waiting = False
    return screen
