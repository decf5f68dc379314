"""`gptasst run` as a process of its own: signals, pipes, a terminal."""

from __future__ import annotations

import functools
import os
import pty
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import names
from tests.conftest import Write
from tests.loopback import LoopbackServer, outcomes
from tests.processes import Process, Surroundings, completed, leaves_no_child, processes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")

Start = Callable[..., Process]


@pytest.fixture
def start(server: LoopbackServer) -> Iterator[Start]:
    """Start `gptasst run CommitMessage …` in a process group of its own."""
    with processes() as begin:
        own_group = Surroundings(session=True)
        yield functools.partial(begin, "run", "CommitMessage", surroundings=own_group)


def first_bytes(process: Process, count: int) -> bytes:
    assert process.stdout is not None
    return b"".join(process.stdout.read(1) for _ in range(count))


def said_in_the_end(process: Process) -> str:
    return process.communicate()[1].decode()


def test_pieces_arrive_as_they_come(server: LoopbackServer, start: Start) -> None:
    """The server never ends; what it said is on stdout all the same."""
    server.outcomes.append(outcomes.never_ends(after=2))
    process = start("-t", "hello there, you")
    assert first_bytes(process, 14) == b"hello there, y"
    assert process.poll() is None


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "term"]
)
@pytest.mark.parametrize("old", [b"old", None])
def test_interrupted(
    server: LoopbackServer, start: Start, number: int, code: int, old: bytes | None
) -> None:
    if old:
        Path("out.md").write_bytes(old)
    server.outcomes.append(outcomes.never_ends(after=1))
    process = start("-t", "hello there", "-o", "out.md")
    _wait_for_request(server, process)
    process.send_signal(number)

    assert said_in_the_end(process) == ""
    assert process.returncode == code
    assert leaves_no_child(process)
    assert names() == (["out.md"] if old else [])
    assert not old or Path("out.md").read_bytes() == old


def _wait_for_request(server: LoopbackServer, process: Process) -> None:
    while not server.requests and process.poll() is None:
        time.sleep(0.002)


def test_interrupted_upload_is_deleted(server: LoopbackServer, start: Start, home: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text("[profiles.openai]\ninput_file = true")
    Path("big.pdf").write_bytes(b"%PDF-" + b"\0" * 8_000_001)
    server.outcomes.append(outcomes.never_ends(after=1))
    process = start("-f", "big.pdf", "-t", "hello there")
    assert first_bytes(process, 5) == b"hello"
    process.send_signal(signal.SIGINT)

    said_in_the_end(process)
    assert process.returncode == 130
    assert server.files == {}


def test_closed_pipe(server: LoopbackServer, start: Start) -> None:
    server.answer, server.delta_size = "x" * 1_000_000, 1000
    process = start("-t", "hello")
    assert first_bytes(process, 5) == b"xxxxx"
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait() == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_full_disk(server: LoopbackServer, start: Start) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start("-t", "hello", stdout=full)
        assert said_in_the_end(process) == "error: no space left on device\n"
    assert process.returncode == 1


def test_full_disk_with_a_file(server: LoopbackServer, start: Start) -> None:
    process = start("-t", "hello", "-o", "/dev/full")
    said = said_in_the_end(process)
    assert said == "error: `/dev/full` can't be written: No space left on device\n"
    assert process.returncode == 2


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (outcomes.answer("no end"), b"no end\r\n"),
        (outcomes.answer("an end\n"), b"an end\r\n"),
        (outcomes.stream_error_event(), b"hello t\r\n"),
    ],
)
def test_on_a_terminal(
    server: LoopbackServer, start: Start, outcome: outcomes.Outcome, shown: bytes
) -> None:
    """What comes after an answer begins a line."""
    server.outcomes.append(outcome)
    ours, theirs = pty.openpty()
    process = start("-t", "hello there", stdout=theirs)
    os.close(theirs)
    said_in_the_end(process)
    assert os.read(ours, 1000) == shown
    os.close(ours)


class TestEditorFilter:
    """Vim's `:%!` sends both streams of a command to one file, and that becomes the text."""

    def test_a_run_that_works_gives_only_its_answer(
        self, server: LoopbackServer, write: Write
    ) -> None:
        write("in.md", "Teh `one` end.\n\nTeh end.\n")
        server.answer = "The `two` end.\n\nThe end.\n"
        with Path("in.md").open("rb") as stdin, Path("out.md").open("wb") as out:
            ran = completed("run", "MarkdownLinter", "-", stdin=stdin, stdout=out, stderr=out)
        assert ran.returncode == 0
        assert Path("out.md").read_text() == "Teh `one` end.\n\nThe end.\n"

    def test_a_run_that_fails_gives_the_reason(self, server: LoopbackServer, write: Write) -> None:
        write("in.md", "Teh end.\n")
        server.outcomes.extend([outcomes.refusal("No.")] * 3)
        with Path("in.md").open("rb") as stdin, Path("out.md").open("wb") as out:
            ran = completed("run", "MarkdownLinter", "-", stdin=stdin, stdout=out, stderr=out)
        assert ran.returncode == 7
        assert Path("out.md").read_text().startswith("error: the model refused: No.\n")
