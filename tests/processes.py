"""What is left of a process that was started in a process group of its own."""

from __future__ import annotations

import os
import subprocess


def leaves_no_child(process: subprocess.Popen[bytes]) -> bool:
    """Whether nothing is left in the process group that was the process's own."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False
