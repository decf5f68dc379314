"""A loopback server in its own process, and the environment of commands that use it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.measuring import UNMEASURED

ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def serving(latency: float) -> Iterator[str]:
    """The base URL of a server that takes `latency` seconds for each request."""
    command = [sys.executable, "-m", "tests.loopback", "--latency", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def environment(work: Path, url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in UNMEASURED}
    return {
        **kept,
        "OPENAI_BASE_URL": url,
        "OPENAI_API_KEY": "sk-bench",
        "GPTASST_HOME": str(work / "home"),
        "PYTHONPATH": str(ROOT / "src"),
    }
