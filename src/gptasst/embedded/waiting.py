"""Wait for a model's download and start, within the command's time limit."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from typing import TypeVar

from gptasst.errors import ServiceError
from gptasst.hints import cmd
from gptasst.threads import time_left

_Result = TypeVar("_Result")


def check_time() -> None:
    """Raise if the command has no time left.

    Raises:
        ServiceError: it has none (`timeout`).
    """
    limit = time_left()
    if limit is not None and limit[0] <= 0:
        raise _too_late(limit[1])


def in_time(tell: Callable[[], None]) -> Callable[[], None]:
    """Wrap a callback so that it first checks the time limit."""

    def checked() -> None:
        check_time()
        tell()

    return checked


def _too_late(seconds: float) -> ServiceError:
    return ServiceError(
        f"the embedded model was not ready within {seconds:g} s",
        hint=f"{cmd('local setup')} fetches it; --timeout SECONDS allows more",
        code="timeout",
    )


def waited_for(work: Callable[[], _Result]) -> _Result:
    """The result of `work`. If the time is over, it continues in a thread.

    Raises:
        ServiceError: the time is over (`timeout`).
    """
    limit = time_left()
    if limit is None:
        return work()
    done: queue.SimpleQueue[Callable[[], _Result]] = queue.SimpleQueue()
    threading.Thread(target=lambda: done.put(_outcome(work)), daemon=True).start()
    try:
        return done.get(timeout=max(limit[0], 0))()
    except queue.Empty:
        raise _too_late(limit[1]) from None


def _outcome(work: Callable[[], _Result]) -> Callable[[], _Result]:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
        failure = error

        def fail() -> _Result:
            raise failure

        return fail
    return lambda: result


@contextlib.contextmanager
def cut_in_time(reply: HTTPResponse) -> Iterator[None]:
    """Close a connection that is read in this context once the command has no time left.

    Raises:
        ServiceError: the time is over (`timeout`), whatever else was raised.
    """
    limit = time_left()
    if limit is None:
        yield
        return
    timer = threading.Timer(max(limit[0], 0), _cut, [reply])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        check_time()


def _cut(reply: HTTPResponse) -> None:
    """Shut down the socket, which wakes the reader; closing it here would wait, too."""
    with (
        contextlib.suppress(OSError, ValueError),  # already closed
        socket.socket(fileno=os.dup(reply.fileno())) as connection,
    ):
        connection.shutdown(socket.SHUT_RDWR)
