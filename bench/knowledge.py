"""Knowledge in a project against what the SDK does: `python -m bench.knowledge`.

A loopback server in its own process takes 100 ms for each request. Printed as ratios:
a sync of 300 new files to the SDK's `upload_and_poll` (at most 0.33 is wanted), and
`assistant files set` of an unchanged set to `assistant show` (at most 1.3). Last, the peak
memory of uploading a file of 500 MB above a process that only imports the SDK (at most 60 MB).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench import loopback
from bench.measuring import (
    IMPORT,
    PEAK,
    make_files,
    output_of,
    peak_of,
    print_ratios,
    seconds_of,
)

_FILES = 300
_LATENCY = 0.1
_BIG = 500_000_000

_SDK = """
import pathlib, sys, time
from openai import OpenAI
client = OpenAI()
store = client.vector_stores.create(name="sdk")
started = time.perf_counter()
streams = [path.open("rb") for path in pathlib.Path(sys.argv[1]).iterdir()]
client.vector_stores.file_batches.upload_and_poll(store.id, files=streams)
print(time.perf_counter() - started)
"""
_OURS = """
import os, pathlib, sys, time
from gptasst.context import AppContext
from gptasst.definitions.types import DefinitionChanges
with AppContext(os.environ) as context:
    service = context.assistants
    service.create(DefinitionChanges(name=sys.argv[2], instruction="DocWriter"))
    started = time.perf_counter()
    words = sorted(str(path) for path in pathlib.Path(sys.argv[1]).iterdir())
    service.apply(service.plan_set(service.get(sys.argv[2]), words))
    print(time.perf_counter() - started)
"""
_UPLOAD = """
import hashlib, os, pathlib, resource, sys
from gptasst.context import AppContext
from gptasst.api.types import UploadRequest
path = pathlib.Path(sys.argv[1])
with AppContext(os.environ) as context:
    known = context.file_cache.sha256(path)
    request = UploadRequest(path, path.name, known.size, known.sha256, "user_data")
    context.uploader.upload_all([request], lambda state: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as work:
        make_files(Path(work) / "docs", _FILES)
        _measure_sync(Path(work), rounds)
        with loopback.serving(0.0) as url:
            _measure_memory(Path(work), url)


def _measure_sync(work: Path, rounds: int) -> None:
    words = sorted(f"docs/{path.name}" for path in (work / "docs").iterdir())
    assistant = ["-m", "gptasst", "-q", "assistant"]
    new, unchanged = [], []
    for number in range(rounds):
        with loopback.serving(_LATENCY) as url:  # a project in which nothing is yet
            environment = loopback.environment(work, url)
            environment["GPTASST_HOME"] = str(work / f"home{number}")
            ours = float(output_of(["-c", _OURS, "docs", "Docs"], work, environment))
            new.append(ours / float(output_of(["-c", _SDK, "docs"], work, environment)))
            show = seconds_of([*assistant, "show", "Docs"], work, environment)
            same = seconds_of([*assistant, "files", "set", "Docs", *words], work, environment)
            unchanged.append(same / show)
    print_ratios(f"sync of {_FILES} new files / SDK upload_and_poll", new)
    print_ratios(f"files set of {_FILES} unchanged / assistant show", unchanged)


def _measure_memory(work: Path, url: str) -> None:
    big = work / "big.txt"
    with big.open("wb") as stream:
        stream.truncate(_BIG)
    environment = loopback.environment(work, url)
    bare = peak_of(["-c", IMPORT + PEAK], environment)
    upload = peak_of(["-c", _UPLOAD, str(big)], environment)
    sys.stdout.write(
        f"{'upload of 500 MB, peak above import of the SDK':52} {upload - bare:.0f} MB\n"
    )


if __name__ == "__main__":
    main()
