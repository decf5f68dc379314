"""The time that a whole command may take, wherever on its way it waits."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

# When it is over (`time.monotonic`), and how many seconds it was given.
_limit: ContextVar[tuple[float, float] | None] = ContextVar("time_limit", default=None)


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Give what is done in here, in this thread, so many seconds in all; `None` is no limit."""
    token = _limit.set(None if seconds is None else (time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _limit.reset(token)


@contextlib.contextmanager
def more_time(seconds: float) -> Iterator[None]:
    """Give what has to be done at the end so many seconds, if there is a limit at all."""
    with time_limit(seconds) if _limit.get() else contextlib.nullcontext():
        yield


def time_left() -> tuple[float, float] | None:
    """The seconds that are left, and those that there were in all; `None` without a limit."""
    limit = _limit.get()
    return limit and (limit[0] - time.monotonic(), limit[1])
