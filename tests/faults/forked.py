"""`gptasst` in a process that may be killed just before its n-th change of the file system."""

from __future__ import annotations

import functools
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.loopback import LoopbackServer
from tests.processes import LIMIT, Process, Surroundings

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_LAST_SECONDS = 10.0
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link")


@dataclass(frozen=True)
class Ended:
    """How a process ended; `code` is negative where a signal ended it."""

    code: int
    stdout: bytes
    stderr: str


class Forked:
    """A running `gptasst`, in this working directory and environment."""

    def __init__(
        self,
        words: Sequence[str | Path],
        *,
        stdin: bytes = b"",
        kill_before: int | None = None,
    ) -> None:
        """Start it.

        Args:
            words: what follows `gptasst`.
            stdin: what it reads.
            kill_before: the number of the change of the file system that it does not live to see.
        """
        first = kill_before and functools.partial(_die_before, kill_before)
        surroundings = Surroundings(first=first or None)
        beside = Path.cwd().parent
        self._streams = [beside / f"{name}-{id(self)}" for name in ("stdin", "stdout", "stderr")]
        self._streams[0].write_bytes(stdin)
        with (
            self._streams[0].open("rb") as typed,
            self._streams[1].open("wb") as out,
            self._streams[2].open("wb") as err,
        ):
            self._process = Process(
                *words, stdin=typed, stdout=out, stderr=err, surroundings=surroundings
            )

    def send(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()

    def end(self, server: LoopbackServer | None = None) -> Ended:
        """Wait for its end, and for the end of all that it asked of the server.

        An earlier command of this process may have left a connection open: not for ever.
        """
        try:
            code = self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        end = time.monotonic() + _LAST_SECONDS
        while server and server.open_connections and time.monotonic() < end:
            time.sleep(0.002)
        _, out, err = (stream.read_bytes() for stream in self._streams)
        for stream in self._streams:
            stream.unlink()
        return Ended(code, out, err.decode())


def _die_before(number: int) -> None:
    count = itertools.count(1)

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if _is_change(event, arguments) and next(count) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def _is_change(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        return bool(isinstance(arguments[2], int) and arguments[2] & _WRITING)
    return event in _CHANGES or event == "sqlite3.connect"
