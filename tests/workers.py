"""What all processes that run tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gptasst.storage.locks import alone

_LIMIT = 240.0


def made_once(temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A directory that the first worker who asks for it fills; the others wait for that.

    Args:
        temporary: the fixture `tmp_path_factory`.
        name: the directory's name, unique among all tests.
        make: fills the empty directory.
    """
    root = temporary.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of all workers of this run
    there, done = root / name, root / f"{name}.done"
    with alone(root / f"{name}.lock", _LIMIT):
        if not done.exists():
            there.mkdir()
            make(there)
            done.touch()
    return there
