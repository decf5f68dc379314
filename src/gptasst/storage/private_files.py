"""Files that are nobody else's business: readable by their owner only, and never half written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from gptasst.storage.whole_files import replace_whole


def private_directory(path: Path) -> Path:
    """Make a directory, and those above it, that only their owner can enter.

    One that exists stays as it is.
    """
    missing = [place for place in (path, *path.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(exist_ok=True)  # says what is wrong where something else is there
    return path


def open_private(path: Path, mode: str) -> IO[bytes]:
    """Open a file for writing; one that is new only its owner can read."""
    return open(path, mode, opener=_owners_only)  # Path's has no opener


def _owners_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def replace_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all, in a directory of mode 0700 if it is new.

    A link keeps pointing where it does, and the file there is replaced.

    Raises:
        OSError: it can't be written; what was there is untouched.
    """
    target = Path(os.path.realpath(path))
    private_directory(target.parent)
    replace_whole(str(target), content)
