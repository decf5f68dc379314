"""Standard input has an end, of size and of time."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from gptasst.errors import InvalidInput
from gptasst.inputs import reading
from gptasst.inputs.reading import MAX_TEXT_BYTES, read_standard_input


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[IO[bytes]]:
    """The end to write to of a pipe that is standard input."""
    read, write = os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(write, "wb", buffering=0) as stream:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield stream


def test_read_to_its_end(pipe: IO[bytes]) -> None:
    text = b"words\n" * 100_000
    threading.Thread(target=lambda: (pipe.write(text), pipe.close()), daemon=True).start()
    assert read_standard_input(10) == text


def test_an_end_that_does_not_come(pipe: IO[bytes]) -> None:
    pipe.write(b"words\n")
    with pytest.raises(InvalidInput, match=r"did not end within 0\.1 s"):
        read_standard_input(0.1)


def test_whoever_waits_is_told(pipe: IO[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SLOW_SECONDS", 0.01)
    pipe.write(b"words\n")
    assert read_standard_input(10, pipe.close) == b"words\n"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero")
def test_more_than_a_request_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        with pytest.raises(InvalidInput, match="too large"):
            read_standard_input(60)


def test_what_stands_in_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * (MAX_TEXT_BYTES + 1))))
    with pytest.raises(InvalidInput, match="too large"):
        read_standard_input(60)


def test_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert read_standard_input(60) == b""
