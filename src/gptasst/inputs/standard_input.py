"""Standard input, read to its end within a limit of size and of time."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable

from gptasst.errors import InvalidInput
from gptasst.inputs.reading import MAX_TEXT_BYTES

_SLOW_SECONDS = 1.0
_PIECE = 1 << 18


def read_standard_input(seconds: float, on_wait: Callable[[], None] = lambda: None) -> bytes:
    """All of standard input; nothing where there is none.

    Args:
        seconds: how long its end may take.
        on_wait: called once if it takes more than a moment.

    Raises:
        InvalidInput: it is larger than a request may be, or does not end in time.
    """
    if sys.stdin is None:
        return b""
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # what stands in for it
        buffer = getattr(sys.stdin, "buffer", None)
        if buffer is None:  # a text in memory
            return _checked(sys.stdin.read(MAX_TEXT_BYTES + 1).encode())
        return _checked(buffer.read(MAX_TEXT_BYTES + 1))
    received, ended = bytearray(), threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError):  # a service without standard input
            while len(received) <= MAX_TEXT_BYTES and (piece := os.read(descriptor, _PIECE)):
                received.extend(piece)
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    if not ended.wait(min(seconds, _SLOW_SECONDS)):
        on_wait()
        if not ended.wait(max(seconds - _SLOW_SECONDS, 0)):
            raise InvalidInput(
                f"standard input did not end within {round(seconds, 1):g} s",
                hint="--timeout SECONDS allows more; `< /dev/null` gives none",
                code="timeout",
            )
    return _checked(bytes(received))


def _checked(content: bytes) -> bytes:
    if len(content) > MAX_TEXT_BYTES:
        raise InvalidInput(
            f"standard input is too large: a request takes {MAX_TEXT_BYTES:,} bytes",
            hint="give less at a time, or give it to an assistant as knowledge",
            code="too_large",
        )
    return content
