"""What is seen of a model being fetched."""

from __future__ import annotations

import io
import threading
from types import SimpleNamespace

import pytest

from gptasst.cli.output import Mode, Output
from gptasst.cli.progress import Activity, FileProgress, Transfers, Waiting
from gptasst.uploads.types import TransferState
from tests.cli.test_output import Terminal

HIDE_CURSOR = "\x1b[?25l"  # begins each thing that rich draws over and over
ERASE_LINE = "\x1b[2K"


def _fetch(output: Output) -> None:
    with Activity(output, "waiting") as activity:
        for done in (10, 60, 100, 100, 100):
            activity.report(done, 100)


@pytest.fixture(autouse=True)
def terminal_with_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def test_one_bar_between_two_spinners_and_nothing_afterwards() -> None:
    screen = Terminal()
    _fetch(Output(stderr=screen, stdout=io.StringIO()))
    shown = screen.getvalue()
    assert shown.count(HIDE_CURSOR) == 3
    assert "downloading the embedded model, once" in shown
    assert "waiting" in shown.rpartition("fetching")[2]
    assert ERASE_LINE in shown.rpartition("waiting")[2]


def test_a_spinner_leaves_room_for_what_the_terminal_echoes_on_ctrl_c() -> None:
    # Otherwise `^C` is on the next line, and that line is erased instead of the spinner's.
    screen = Terminal()
    with Activity(Output(stderr=screen, stdout=io.StringIO()), "asking [the] server"):
        pass
    assert "asking [the] server" in screen.getvalue()
    assert "asking [the] server " not in screen.getvalue()


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("people", "downloading the embedded model (100 B), once\n"),
        ("json", "downloading the embedded model (100 B), once\n"),
        ("quiet", ""),
    ],
)
def test_elsewhere_it_is_one_note(mode: Mode, said: str) -> None:
    stderr, stdout = io.StringIO(), io.StringIO()
    _fetch(Output(mode, stderr=stderr, stdout=stdout))
    assert (stderr.getvalue(), stdout.getvalue()) == (said, "")


PARTS = ((1, 10.0), (2, 14.0), (11, 40.0), (91, 350.0))


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (1, "1 of 101 parts (10 s)"),
        (2, "2 of 101 parts (14 s)"),
        (3, "11 of 101 parts, about 4 min left (40 s)"),
        (4, "91 of 101 parts, about 38 s left (350 s)"),
    ],
)
def test_the_time_left_follows_the_pace(
    monkeypatch: pytest.MonkeyPatch, number: int, shown: str
) -> None:
    """An estimate that was printed before may be far off on a busy machine."""
    clock = SimpleNamespace(now=0.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr("gptasst.cli.progress.time", clock)
    screen = Terminal()
    with Activity(Output(stderr=screen, stdout=io.StringIO()), "waiting") as activity:
        for done, clock.now in PARTS[:number]:
            activity.advance(done, 101)
    assert f"waiting: {shown}" in screen.getvalue()


def test_what_was_waited_for_gives_way_to_what_comes() -> None:
    screen = Terminal()
    with Transfers(Output(stderr=screen, stdout=io.StringIO())) as transfers:
        transfers.report(TransferState("waiting", 0, 2))
        transfers.report(TransferState("uploading", 2, 2, 20, 20))
    before, waiting, after = screen.getvalue().partition("waiting for another gptasst")
    assert waiting
    assert "uploading" not in before
    assert "waiting" not in after.rpartition("uploading")[2]


@pytest.mark.parametrize(
    ("waited", "shown"),
    [
        (("docs/slow.md", 12.7), "waiting 12 s for docs/slow.md"),
        ((f"docs/{'long-' * 30}.md", 61.0), "waiting 61 s for docs/long-long-"),
        (("odd\x1b[2Jname.md", 9.0), "waiting 9 s for odd␛[2Jname.md"),
        (("docs/quick.md", 1.0), ""),
        (None, ""),
    ],
)
def test_the_file_that_is_waited_for_longest(waited: tuple[str, float] | None, shown: str) -> None:
    screen = Terminal()
    output = Output(stderr=screen, stdout=io.StringIO())
    with FileProgress(output, 3, lambda: waited):
        pass
    assert "0 of 3 done" in screen.getvalue()
    assert shown in screen.getvalue()
    assert ("waiting" in screen.getvalue()) == bool(shown)
    assert all(len(line) < 100 for line in screen.getvalue().splitlines() if "waiting" in line)


class Watched(Terminal):
    """A screen that tells when something is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = threading.Event()

    def write(self, text: str) -> int:
        if text:
            self.drawn.set()
        return super().write(text)


def test_what_takes_long_is_seen_and_nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Waiting, "_PATIENCE", 0.0)
    screen = Watched()
    with Waiting(Output(stderr=screen, stdout=io.StringIO()), "asking"):
        assert screen.drawn.wait(20)
    assert "asking" in screen.getvalue()
    assert screen.getvalue().count(HIDE_CURSOR) == 1
    assert ERASE_LINE in screen.getvalue().rpartition("asking")[2]


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_over_soon_is_not_seen(terminal: bool) -> None:
    screen = Watched() if terminal else io.StringIO()
    with Waiting(Output(stderr=screen, stdout=io.StringIO()), "asking") as waiting:
        pass
    waiting._spin()  # the timer that was late
    assert screen.getvalue() == ""
