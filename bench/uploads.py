"""`gptasst file upload` against what the network takes: `python -m bench.uploads`.

A loopback server in its own process takes 50 ms for each request. Printed as a ratio: the whole
command for 1,000 small files to the latency of 1,000 uploads, so many at a time; beside it, the
same command when all is there already, in seconds. Last, the peak memory of `file upload` of a
file of 500 MB above a process that only imports the SDK (at most 60 MB is wanted).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from bench import loopback
from bench.measuring import IMPORT, PEAK, make_files, peak_of, print_ratios, seconds_of
from gptasst.uploads.uploader import DEFAULT_JOBS

_FILES = 1_000
_LATENCY = 0.05
_BIG = 500_000_000
_COMMAND = """
import resource, sys
from gptasst.cli.app import app
try:
    app(["file", "upload", sys.argv[1], "-q"])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as work:
        make_files(Path(work) / "docs", _FILES)
        _measure_many(Path(work), rounds)
        with loopback.serving(0.0) as url:
            _measure_memory(Path(work), url)


def _measure_many(work: Path, rounds: int) -> None:
    upload = ["-m", "gptasst", "file", "upload", "docs", "-q"]
    least = _FILES / DEFAULT_JOBS * _LATENCY
    new, again = [], []
    for number in range(rounds):
        with loopback.serving(_LATENCY) as url:
            home = {"GPTASST_HOME": str(work / f"uploads{number}")}
            environment = loopback.environment(work, url) | home
            new.append(seconds_of(upload, work, environment) / least)
            again.append(seconds_of(upload, work, environment))
    print_ratios(f"upload of {_FILES:,} files / files / {DEFAULT_JOBS} x latency", new)
    sys.stdout.write(f"{'the same again, seconds':52} {statistics.median(again):.2f}\n")


def _measure_memory(work: Path, url: str) -> None:
    big = work / "big.txt"
    with big.open("wb") as stream:
        stream.truncate(_BIG)
    environment = loopback.environment(work, url)
    bare = peak_of(["-c", IMPORT + PEAK], environment)
    upload = peak_of(["-c", _COMMAND, str(big)], environment)
    what = "file upload of 500 MB, peak above import of the SDK"
    sys.stdout.write(f"{what:52} {upload - bare:.0f} MB\n")


if __name__ == "__main__":
    main()
