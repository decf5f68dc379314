"""`gptasst` in processes that begin in a moment: forks of one that has imported everything.

They can be told to kill themselves just before their n-th change of the file system.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import gptasst.__main__
import gptasst.api.gateway
import gptasst.assistants.project_knowledge
import gptasst.cli.app
import gptasst.cli.run_each
import gptasst.context
from tests.loopback import LoopbackServer

_LIMIT = 60.0
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def _start_server() -> None:
    """Start what forks; it has to find this module to import it."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        forkserver.ensure_running()
    finally:
        os.environ["PYTHONPATH"] = before


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
        limits: Mapping[int, int] | None = None,
    ) -> None:
        """Start it.

        Args:
            words: what follows `gptasst`.
            stdin: what it reads.
            kill_before: the number of the change of the file system that it does not live to see.
            limits: of `resource.setrlimit`.
        """
        beside = Path.cwd().parent
        self._streams = [beside / f"{name}-{id(self)}" for name in ("stdin", "stdout", "stderr")]
        self._streams[0].write_bytes(stdin)
        arguments = (
            [str(word) for word in words], dict(os.environ), str(Path.cwd()),
            [str(stream) for stream in self._streams], kill_before, dict(limits or {}),
        )  # fmt: skip
        _start_server()
        self._process = _context.Process(target=_run, args=arguments)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def send(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def end(self, server: LoopbackServer | None = None) -> Ended:
        """Wait for its end, and for the end of all that it asked of the server."""
        self._process.join(_LIMIT)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
            raise AssertionError("it did not end")
        while server and server.open_connections:
            time.sleep(0.002)
        code = self._process.exitcode
        assert code is not None
        _, out, err = (stream.read_bytes() for stream in self._streams)
        for stream in self._streams:
            stream.unlink()
        return Ended(code, out, err.decode())


def _run(
    words: list[str],
    environ: dict[str, str],
    directory: str,
    streams: list[str],
    kill_before: int | None,
    limits: dict[int, int],
) -> None:
    """The child: becomes `gptasst` in the parent's place and ends as it does."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(directory)
    for number, stream in enumerate(streams):
        handle = os.open(stream, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if number else 0))
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in enumerate("rww")
    )
    if limits:
        import resource

        for which, limit in limits.items():
            resource.setrlimit(which, (limit, resource.getrlimit(which)[1]))
    if kill_before is not None:
        _die_before(kill_before)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where pytest has none
    sys.argv = ["gptasst", *words]
    try:
        gptasst.__main__.main()
    except SystemExit as ended:
        gptasst.__main__.leave_at_once(int(ended.code or 0))


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
