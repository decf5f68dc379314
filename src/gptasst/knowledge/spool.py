"""Passages of files on their way from reading to the store, in bounded memory."""

from __future__ import annotations

import contextlib
import marshal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from gptasst.knowledge.types import Passage
from gptasst.storage.atomic_files import private_directory

_MOST_HELD = 8_000_000  # characters


class PassageSpool:
    """Keeps passages by a key until they are taken in: the first in memory, the rest in a file.

    Args:
        directory: for that file, which has no name and ends with the process.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[object, Sequence[Passage]] = {}
        self._size = 0
        self._places: dict[object, int] = {}
        self._file: IO[bytes] | None = None

    def __contains__(self, key: object) -> bool:
        return key in self._held or key in self._places

    def put(self, key: object, passages: Sequence[Passage]) -> None:
        """Raises OSError: there is no room on the disk, or nothing can be written there."""
        size = sum(len(passage.text) for passage in passages)
        if self._size + size <= _MOST_HELD:
            self._held[key] = passages
            self._size += size
            return
        if self._file is None:
            directory = private_directory(self._directory)
            self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  # see clear
        self._places[key] = self._file.seek(0, 2)
        marshal.dump([(p.text, p.place, p.heading) for p in passages], self._file)

    def get(self, key: object) -> Sequence[Passage]:
        if key in self._held:
            return self._held[key]
        assert self._file is not None
        self._file.seek(self._places[key])
        return [Passage(*fields) for fields in marshal.load(self._file)]  # noqa: S302  # our own

    def clear(self) -> None:
        self._held.clear()
        self._size = 0
        self._places.clear()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
