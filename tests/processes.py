"""`gptasst` in processes that begin in a moment: forks of one that has imported everything.

What Python does when it starts (its options, the locale, `PYTHON…` variables) is not done again:
where that is tested, `python -m gptasst` is started.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import forkserver, reduction
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO, Any

import pytest

import gptasst.__main__

LIMIT = 300.0  # a small model on a busy machine

Stream = int | IO[bytes]


def leaves_no_child(process: Process | subprocess.Popen[bytes]) -> bool:
    """Whether nothing is left in the process group that was the process's own."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


@dataclass(frozen=True)
class Surroundings:
    """What a process has beside its words and streams.

    Attributes:
        session: it is the first of a session and a process group of its own.
        terminal: so it is, and standard input is the terminal that controls it.
        first: is called before anything else.
        directory: where it works, if not here.
        environ: all its variables, if not those of this process.
    """

    session: bool = False
    terminal: bool = False
    first: Callable[[], None] | None = None
    directory: str | None = None
    environ: Mapping[str, str] | None = None


class Process:
    """A running `gptasst` in this working directory and environment; used as a `Popen` is."""

    def __init__(
        self,
        *words: str | Path,
        stdin: Stream = DEVNULL,
        stdout: Stream = PIPE,
        stderr: Stream = PIPE,
        surroundings: Surroundings | None = None,
        **environ: str,
    ) -> None:
        """Start it.

        Args:
            words: follow `gptasst`.
            stdin: what it reads; not `PIPE`.
            stdout: where it writes.
            stderr: where it writes messages.
            surroundings: what else is about it.
            environ: further variables.
        """
        around = surroundings or Surroundings()
        variables = {**(os.environ if around.environ is None else around.environ), **environ}
        self.stdout: IO[bytes] | None = None
        self.stderr: IO[bytes] | None = None
        with contextlib.ExitStack() as handed_over:
            streams = [_Handle(_opened(stdin, os.O_RDONLY, handed_over))]
            for name, wanted in (("stdout", stdout), ("stderr", stderr)):
                if wanted == PIPE:
                    ours, theirs = os.pipe()
                    handed_over.callback(os.close, theirs)
                    setattr(self, name, os.fdopen(ours, "rb", buffering=0))
                else:
                    theirs = _opened(wanted, os.O_WRONLY, handed_over)
                streams.append(_Handle(theirs))
            self._process = _forks().Process(
                target=_become_gptasst,
                args=(
                    [str(word) for word in words], variables,
                    around.directory or str(Path.cwd()), streams, around,
                ),
            )  # fmt: skip
            with _without_main():
                self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code; negative where a signal ended it, nothing while it runs."""
        code: int | None = self._process.exitcode
        return code

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float = LIMIT) -> int:
        """Wait for its end; the exit code.

        Raises:
            subprocess.TimeoutExpired: it has not ended in so many seconds.
        """
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("gptasst", timeout)
        return self.returncode

    def communicate(self, timeout: float = LIMIT) -> tuple[bytes, bytes]:
        """All that it wrote into pipes; it is killed if it has not ended in so many seconds."""
        impatience = threading.Timer(timeout, self.kill)
        impatience.start()
        try:
            with ThreadPoolExecutor(2) as readers:
                out, err = readers.map(_read_and_close, (self.stdout, self.stderr))
            self.wait(timeout)
        finally:
            impatience.cancel()
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def processes() -> Iterator[Callable[..., Process]]:
    """Start processes as `Process` does; those that still run are killed at the end."""
    started: list[Process] = []

    def start(*words: str | Path, **more: Any) -> Process:
        started.append(Process(*words, **more))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.communicate()


def completed(*words: str | Path, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """A process that has ended, with all that it wrote."""
    process = Process(*words, **more)
    out, err = process.communicate()
    return subprocess.CompletedProcess(words, process.wait(), out, err)


def _read_and_close(stream: IO[bytes] | None) -> bytes:
    if stream is None or stream.closed:
        return b""
    with stream:
        return stream.read()


def _opened(wanted: Stream, how: int, handed_over: contextlib.ExitStack) -> int:
    if wanted == DEVNULL:
        handle = os.open(os.devnull, how)
        handed_over.callback(os.close, handle)
        return handle
    return wanted if isinstance(wanted, int) else wanted.fileno()


class _Handle:
    """A file descriptor that another process gets as an `int` of its own."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, (reduction.DupFd(self._number),)


def _taken(duplicate: Any) -> int:
    return int(duplicate.detach())


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Have the child not begin with a run of this process's own script, which is pytest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(sys.modules["__main__"], "__file__", raising=False)
        yield


@functools.cache
def _forks() -> Any:
    """What forks, started once; it has to find this module to import it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.preloaded", __name__])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
    return context


def _become_gptasst(
    words: list[str],
    environ: dict[str, str],
    directory: str,
    streams: list[int],
    surroundings: Surroundings,
) -> None:
    """The child: becomes `gptasst` in the parent's place and ends as it does."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(directory)
    if surroundings.session or surroundings.terminal:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if surroundings.terminal:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding=encoding, errors=errors, closefd=False)  # noqa: SIM115
        for number, (mode, errors) in enumerate(
            (("r", "strict"), ("w", "strict"), ("w", "backslashreplace"))
        )
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where pytest has none
    if surroundings.first:
        surroundings.first()
    sys.argv = ["gptasst", *words]
    try:
        gptasst.__main__.main()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    gptasst.__main__.leave_at_once(code)
