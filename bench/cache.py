"""Recognizing unchanged files against looking at them: `python -m bench.cache`.

Hashes of 100,000 unchanged files from the cache, as a ratio to a loop of `os.stat` over the same
paths (at most 3 is wanted).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from bench.measuring import print_ratios
from gptasst.uploads.cache import FileCache

_FILES = 100_000
_A_DIRECTORY = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as work:
        root = Path(work)
        _make_files(root)
        _cached(root)
        ratios = [_cached(root) / _looked_at(root) for _ in range(rounds)]
    print_ratios(f"{_FILES:,} unchanged files / os.stat loop", ratios)


def _make_files(root: Path) -> None:
    for path in _paths(root):
        path.parent.mkdir(exist_ok=True)
        path.write_text(path.name)
        os.utime(path, (1, 1))


def _paths(root: Path) -> list[Path]:
    """New objects each time: a path remembers what it was asked."""
    return [root / f"d{number // _A_DIRECTORY}" / f"{number}.md" for number in range(_FILES)]


def _looked_at(root: Path) -> float:
    paths = _paths(root)
    started = time.perf_counter()
    for path in paths:
        os.stat(path)  # noqa: PTH116  # what is measured
    return time.perf_counter() - started


def _cached(root: Path) -> float:
    paths = _paths(root)
    started = time.perf_counter()
    cache = FileCache(root / "cache.sqlite3")
    cache.sha256_all(paths)
    cache.close()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
