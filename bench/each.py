"""Many files at once: `python -m bench.each`.

A loopback server in its own process takes 500 ms for an answer; 200 files, `-j 32`. Printed:
the time without start-up as a ratio to files / jobs x 500 ms (at most 1.3 is wanted), and how
many requests the same command sends when it is given again (none). Start-up is what the command
takes for one file, less its 500 ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.loopback import environment, serving

_FILES = 200
_JOBS = 32
_LATENCY = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with serving(_LATENCY) as url:
        start_ups, ratios = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as work:
                start_up = _seconds(_files(Path(work) / "one", 1), Path(work), url) - _LATENCY
            with tempfile.TemporaryDirectory() as work:
                directory = _files(Path(work) / "in", _FILES)
                took = _seconds(directory, Path(work), url)
                sent = _requests(url)
                _seconds(directory, Path(work), url)
                again = _requests(url) - sent
            start_ups.append(start_up)
            ratios.append((took - start_up) / (_FILES / _JOBS * _LATENCY))
            print(f"start-up {start_up:.2f} s, ratio {ratios[-1]:.2f}, requests again {again}")
    print(f"median: ratio {statistics.median(ratios):.2f}")


def _files(directory: Path, count: int) -> Path:
    directory.mkdir()
    for number in range(count):
        (directory / f"{number}.md").write_text(f"# Guide {number}\n" + "some words " * 20 + "\n")
    return directory


def _seconds(directory: Path, work: Path, url: str) -> float:
    words = ["run", "MarkdownLinter", str(directory), "--each", "-o", "out", "-j", str(_JOBS)]
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "gptasst", *words, "-m", "gpt-6-luna", "--quiet"],
        cwd=work,
        env={**environment(work, url), "GPTASST_STORE": "local"},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def _requests(url: str) -> int:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/_log") as reply:
        return len(json.load(reply))


if __name__ == "__main__":
    main()
