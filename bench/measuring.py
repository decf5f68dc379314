"""What measurements share: files, processes, and how a result is shown."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

# Who installs a package has its modules compiled; a checkout that must not be written to has not.
UNMEASURED = ("PYTHONDONTWRITEBYTECODE",)
IMPORT = "import openai, resource; openai.OpenAI(api_key='x')"
PEAK = "; import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def make_files(directory: Path, count: int) -> None:
    directory.mkdir()
    for number in range(count):
        (directory / f"{number}.md").write_text(f"# Guide {number}\n" + "words " * 200)
        os.utime(directory / f"{number}.md", (1, 1))


def output_of(words: list[str], work: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=work,
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def seconds_of(words: list[str], work: Path, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    output_of(words, work, environment)
    return time.perf_counter() - started


def peak_of(words: list[str], environment: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, *words], env=environment, check=True, capture_output=True, text=True
    )
    return int(done.stdout.split()[-1]) / 1000


def print_ratios(what: str, ratios: list[float]) -> None:
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    sys.stdout.write(f"{what:52} {middle:.2f} ({low:.2f} to {high:.2f})\n")
