"""Ten thousand files in a batch: `python -m bench.batch`.

A loopback server in its own process answers in shuffled order and fails 1 % of the requests.
Printed: the outputs that are right (all but the failed ones are wanted) and the failed files that
are named (all of them), the seconds and the peak memory of submitting and of fetching (at most
200 MB each is wanted), how long fetching takes compared with a loop that writes as many files to
the disk one by one, and how many requests the same command submits again (the failed ones).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.loopback import environment, serving

_FILES = 10_000
_EVERY_FAILING = 100
_WORDS = "some words " * 350  # about 4 kB a file
_FAILING = "this one fails"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description=__doc__)
    parser.add_argument("--files", type=int, default=_FILES)
    files = parser.parse_args().files
    with serving(0.0) as url, tempfile.TemporaryDirectory() as name:
        _script(url, {"batch_fails_on": _FAILING})
        work = Path(name)
        failing = _write(work / "in", files)
        env = {**environment(work, url), "GPTASST_STORE": "local"}
        run = ["run", "DocWriter", "in", "--each", "--batch", "-o", "out", "-m", "gpt-6-luna"]

        submitted, _ = _gptasst(work, env, run, "submit")
        started = time.perf_counter()
        _, said = _gptasst(work, env, ["batch", "fetch", *submitted.split()], "fetch")
        took = time.perf_counter() - started
        print(f"fetch / a file at a time: {took / _one_by_one(work / 'bare', files):.2f}")
        right = sum(_is_right(work / "out" / f"{n:05}.md", n) for n in range(files))
        named = set(re.findall(r"`in/(\d+)\.md` failed", said))
        print(f"right: {right:,} of {files - len(failing):,}")
        print(f"named: {len(named & failing):,} of {len(failing):,} failed")
        print(f"named without having failed: {len(named - failing):,}")

        again, _ = _gptasst(work, env, run, "again")
        shown, _ = _gptasst(work, env, ["batch", "show", again.strip(), "--json"], "show")
        print(f"submitted again: {json.loads(shown)['metadata']['requests']}")


def _write(directory: Path, files: int) -> set[str]:
    """Files that tell their numbers; the names of those that are to fail."""
    directory.mkdir()
    failing = set()
    for number in range(files):
        fails = number % _EVERY_FAILING == 0
        text = f"number {number}\n{_WORDS}\n{_FAILING if fails else ''}\n"
        (directory / f"{number:05}.md").write_text(text)
        if fails:
            failing.add(f"{number:05}")
    return failing


def _one_by_one(directory: Path, files: int) -> float:
    """Seconds of writing so many files, each on the disk before the next."""
    directory.mkdir()
    started = time.perf_counter()
    for number in range(files):
        name = directory / f"{number}.new"
        with name.open("wb") as stream:
            stream.write(_WORDS.encode())
            stream.flush()
            os.fsync(stream.fileno())
        name.replace(directory / str(number))
    return time.perf_counter() - started


def _is_right(path: Path, number: int) -> bool:
    return path.is_file() and f"\nnumber {number}\n" in "\n" + path.read_text()


def _gptasst(work: Path, env: dict[str, str], words: list[str], called: str) -> tuple[str, str]:
    """What a command wrote to stdout and stderr; its time and peak memory are printed."""
    started = time.perf_counter()
    with (work / "stdout").open("w+") as stdout, (work / "stderr").open("w+") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "gptasst", *words],
            cwd=work,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.perf_counter() - started
        peak = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        cpu = usage.ru_utime + usage.ru_stime
        print(
            f"{called}: exit {process.returncode}, {took:.1f} s ({cpu:.1f} s of the processor),"
            f" peak {peak:.0f} MB"
        )
        return Path(stdout.name).read_text(), Path(stderr.name).read_text()


def _script(url: str, settings: dict[str, object]) -> None:
    request = urllib.request.Request(
        url.removesuffix("/v1") + "/_script",
        json.dumps(settings).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()


if __name__ == "__main__":
    main()
