"""`run --each` as a process of its own: killed, interrupted, two at a time."""

from __future__ import annotations

import functools
import os
import pty
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.each import asked_for, make_files, shout
from tests.loopback import LoopbackServer
from tests.processes import Process, processes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

Start = Callable[..., Process]
EACH = ("run", "DocWriter", "--each", "in")
JOBS = 4


@pytest.fixture
def start(server: LoopbackServer) -> Iterator[Start]:
    """Start `gptasst run DocWriter --each in …`."""
    server.answer = shout
    with processes() as begin:
        yield functools.partial(begin, *EACH, "-j", str(JOBS))


def wait_for(server: LoopbackServer, requests: int, process: Process) -> None:
    """Wait until the server has got so many requests in all, or the process ended."""
    while len(server.requests) < requests and process.poll() is None:
        time.sleep(0.005)


def contents(directory: str) -> dict[str, str]:
    """What is in the files whose names tell that they are not being written just now."""
    paths = [p for p in Path(directory).glob("*") if not p.name.startswith(".")]
    return {path.name: path.read_text() for path in paths}


@pytest.mark.parametrize("in_place", [False, True])
def test_killed_ten_times_at_random_moments(
    server: LoopbackServer, start: Start, in_place: bool
) -> None:
    """Every output is right in the end, and nothing that was done was done again.

    Done is what has its output: its request is never seen again. Beyond that a kill costs no
    more than the requests that were in flight.
    """
    chance = random.Random(7)
    files = make_files(60)
    before = contents("in")
    words = ("--in-place",) if in_place else ("-o", "out")
    server.latency, server.delta_delay = 0.02, 0.01
    done: dict[str, int] = {}
    kills = 0
    for _ in range(10):
        process = start(*words)
        wait_for(server, len(server.requests) + chance.randint(1, 2 * JOBS), process)
        time.sleep(chance.uniform(0, 0.1))
        kills += process.poll() is None
        process.kill()
        process.wait()
        asked = asked_for(server)
        assert all(asked[text] == times for text, times in done.items())
        now = contents("in" if in_place else "out")
        for name, old in before.items():
            assert now.get(name, old) in (old, old.upper())
            if now.get(name) == old.upper():
                done[old] = asked[old]
    assert kills > 3
    process = start(*words)
    assert process.wait() == 0
    assert contents("in" if in_place else "out") == {n: t.upper() for n, t in before.items()}
    asked = asked_for(server)
    assert all(asked[text] == times for text, times in done.items())
    assert sum(asked.values()) <= len(files) + JOBS * kills


def test_ctrl_c_keeps_what_was_finished(server: LoopbackServer, start: Start) -> None:
    make_files(40)
    server.latency = 0.2
    process = start("-o", "out")
    wait_for(server, 3 * JOBS, process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = (stream.decode() for stream in process.communicate())
    written = len(contents("out"))

    assert (process.returncode, stdout) == (130, "")
    assert 0 < written < 40
    assert f"40 files: {written} written, {40 - written} not done; " in stderr
    assert "stopped; the same command does only what is missing" in stderr
    assert "Traceback" not in stderr

    asked = asked_for(server)
    assert start("-o", "out").wait() == 0
    again = [text for text, times in asked_for(server).items() if times > asked[text] > 0]
    assert len(again) <= JOBS
    assert len(contents("out")) == 40


def test_ctrl_c_does_not_wait_for_the_server(server: LoopbackServer, start: Start) -> None:
    """An hour is longer than the test may take."""
    make_files(8)
    server.latency = 3600
    process = start("-o", "out")
    wait_for(server, JOBS, process)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130


def test_two_at_once(server: LoopbackServer, start: Start) -> None:
    make_files(20)
    server.latency = 0.02
    processes = [start("-o", directory) for directory in ("one", "two")]
    assert [process.wait() for process in processes] == [0, 0]
    assert (
        contents("one") == contents("two") == {f"{n}.md": f"FILE NUMBER {n}\n" for n in range(20)}
    )


@pytest.mark.parametrize("colours", [True, False])
def test_a_diff_on_a_terminal(
    server: LoopbackServer, start: Start, monkeypatch: pytest.MonkeyPatch, colours: bool
) -> None:
    make_files(1)
    Path("in/0.md").write_text("words \x1b[31m\n")
    server.answer = lambda _: "WORDS\n"
    monkeypatch.setenv("TERM", "xterm")
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    outer, inner = pty.openpty()
    try:
        assert start("--diff", stdout=inner).wait() == 0
        shown = os.read(outer, 10_000).decode().splitlines()
    finally:
        os.close(inner)
        os.close(outer)
    removed = "-words \N{SYMBOL FOR ESCAPE}[31m"
    assert shown[3] == (f"\x1b[31m{removed}\x1b[0m" if colours else removed)
