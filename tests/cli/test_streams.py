"""Streams that are full, closed or gone: nothing is noisy, and the exit code says what was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gptasst import __version__

_SHELL = 'exec "$0"'
_WORDS = [
    "--version", "--help", "instruction list", "instruction list --json",
    "__complete bash gptasst as",
]  # fmt: skip
_SILENT = "__complete bash gptasst as"


_INSTALLED = Path(sys.executable).with_name("gptasst")


def shell(words: str, redirection: str, unbuffered: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f"PYTHONUNBUFFERED={unbuffered} {_SHELL} {words} {redirection}"]
    return subprocess.run([*command, _INSTALLED], capture_output=True, text=True, check=False)


@pytest.fixture(params=["", "1"], ids=["buffered", "unbuffered"])
def unbuffered(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", _WORDS)
def test_a_full_disk(words: str, unbuffered: str) -> None:
    done = shell(words, ">/dev/full", unbuffered)
    said = (0, "") if words == _SILENT else (1, "error: no space left on device\n")
    assert (done.returncode, done.stderr) == said


@pytest.mark.parametrize("words", _WORDS)
def test_nobody_who_reads(words: str, unbuffered: str) -> None:
    done = shell(words, "| (exec <&-; sleep 0.3)", unbuffered)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("words", _WORDS)
def test_no_stdout(words: str, unbuffered: str) -> None:
    done = shell(words, ">&-", unbuffered)
    said = (0, "") if words == _SILENT else (1, "error: standard output is closed\n")
    assert (done.returncode, done.stderr) == said


@pytest.mark.parametrize(
    ("words", "code"), [("nothing", 2), ("instruction show Nobody", 3), ("--version", 0)]
)
def test_no_stderr(words: str, code: int, unbuffered: str) -> None:
    done = shell(words, "2>&-", unbuffered)
    shown = f"gptasst {__version__}\n" if code == 0 else ""
    assert (done.returncode, done.stdout) == (code, shown)
