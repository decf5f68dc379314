"""Private temporary directories."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from gptasst.storage.atomic_files import private_directory

_STALE_SECONDS = 86_400


@contextlib.contextmanager
def scratch_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A new directory that is removed at the end of the context.

    Directories of commands that were killed more than a day ago are removed, too.
    """
    import tempfile

    private_directory(parent)
    for left in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as name:
        yield Path(name)
