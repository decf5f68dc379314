"""The keyboard while an answer is drawn."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def typing_unseen() -> Iterator[None]:
    """Keep what is typed meanwhile from being mixed into an answer; the next prompt gets it."""
    try:
        import termios

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (ImportError, OSError, ValueError, termios.error):  # no terminal, or Windows
        yield
        return
    during = list(before)
    during[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, during)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
