"""Files that are nobody else's business: readable by their owner only, and never half written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all, in a directory of mode 0700 if it is new.

    A link keeps pointing where it does, and the file there is replaced.

    Raises:
        OSError: it can't be written; what was there is untouched.
    """
    import tempfile

    target = Path(os.path.realpath(path))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".gptasst-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
