"""Wait until files change, notified by the system, without polling."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Self

from gptasst.errors import StateError
from gptasst.values import dataclass

_QUIET = 300  # milliseconds without a change that end a group of changes
_LONGEST = 3000  # milliseconds after which a group ends in any case
_SLICE = 500  # milliseconds of one wait
_LONGEST_WAIT = (
    3600.0  # seconds; longer waits are split, because Windows does not notice Ctrl-C during one
)


@dataclass(frozen=True, slots=True)
class Places:
    """The directories to watch, recursively or not."""

    trees: frozenset[Path]
    directories: frozenset[Path]

    @classmethod
    def of(cls, trees: Iterable[Path], directories: Iterable[Path]) -> Places:
        """Each place once; a missing one is replaced by its nearest parent until it exists."""
        wanted = {tree.absolute() for tree in trees}
        found = {tree for tree in wanted if _is_directory(tree)}
        outer = {tree for tree in found if not found & set(tree.parents)}
        single = {_existing(place.absolute()) for place in (*(wanted - found), *directories)}
        return cls(
            frozenset(outer),
            frozenset(one for one in single if not outer & {one, *one.parents}),
        )

    def identities(self) -> dict[Path, tuple[int, int] | None]:
        """The identity of the directory at each place, which may be replaced."""
        return {place: _identity(place) for place in self.trees | self.directories}


def _identity(place: Path) -> tuple[int, int] | None:
    try:
        there = place.stat()
    except OSError:
        return None
    return there.st_dev, there.st_ino


def _existing(place: Path) -> Path:
    return next(one for one in (place, *place.parents) if _is_directory(one))


def _is_directory(place: Path) -> bool:
    """Like `Path.is_dir`, which fails below a directory that may not be entered."""
    return os.path.isdir(place)


class ChangedFiles:
    """A context that notices changes.

    Raises (on entry, and by `wait`):
        StateError: the system can't watch so many directories.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._stop = threading.Event()
        self._told: Queue[Exception | None] = Queue()

    def __enter__(self) -> Self:
        places = self._places
        self._identities = places.identities()
        begun = [
            self._begin(sorted(paths), recursive=recursive)
            for paths, recursive in ((places.trees, True), (places.directories, False))
            if paths
        ]
        for ready in begun:
            ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def covers(self, places: Places) -> bool:
        """Whether these are the watched places, with the same directories as at the start."""
        return places == self._places and places.identities() == self._identities

    def _begin(self, paths: Sequence[Path], *, recursive: bool) -> threading.Event:
        ready = threading.Event()
        kinds = {"recursive": recursive}
        threading.Thread(target=self._watch, args=(paths, ready), kwargs=kinds, daemon=True).start()
        return ready

    def _watch(self, paths: Sequence[Path], ready: threading.Event, *, recursive: bool) -> None:
        from watchfiles import watch

        try:
            for changes in watch(
                *paths,
                recursive=recursive,
                debounce=_LONGEST,
                step=_QUIET,
                rust_timeout=_SLICE,
                yield_on_timeout=True,  # the first event shows that watching has started
                stop_event=self._stop,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                ready.set()
                if changes:
                    self._told.put(None)
        except Exception as error:  # noqa: BLE001  # a thread's boundary; Rust has kinds of its own
            self._told.put(error)
        finally:
            ready.set()

    def wait(self) -> None:
        """Return when something has changed, including changes right after it."""
        told = None
        while told is None:
            with contextlib.suppress(Empty):
                told = [self._told.get(timeout=_LONGEST_WAIT)]
        with contextlib.suppress(Empty):
            while True:
                told.append(self._told.get_nowait())
        error = next((one for one in told if one is not None), None)
        if error is not None and not isinstance(
            error, FileNotFoundError
        ):  # deleted, which is a change, too
            raise StateError(
                f"files can't be watched: {error}",
                hint="set WATCHFILES_FORCE_POLLING=1 to poll them instead",
            ) from error
