"""The embedded model's first token against llama.cpp's own server: `python -m bench.embedded`.

Each round starts processes in turn, with the model's file in the system's cache: `gptasst run`
with the embedded model for the first time, the same again, and a script that starts llama.cpp's
server and sends it the same request. Printed are ratios of their times from start to the first
token, loading of the model included: of the first to the script's (at most 1.2 is wanted), and of
the second to the first, as what was computed for the instructions is kept (for a short input, as
here, at most 0.6). Then `run --each` over a few files, and with `-j 1`: the ratios of their
times from start to end and of their memory tell what several requests at once save and take on this
machine. The model is fetched first, if it is not there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from bench.measuring import print_ratios
from gptasst.context import AppContext

_ROOT = Path(__file__).parents[1]
_INPUT = "examples/messy-guide.md"
_INSTRUCTION = _ROOT / "instructions/CodeReviewer.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with AppContext(os.environ) as context:
        model = context.local_model.ensure(lambda *_: None)
        prefixes = context.paths.embedded_prefixes
    bare = [sys.executable, str(_ROOT / "bench/bare_llama.py"), str(model), _request()]
    run = [sys.executable, "-m", "gptasst", "--profile", "local", "run", "CodeReviewer", _INPUT]
    to_own, to_first = [], []
    for number in range(rounds + 1):
        shutil.rmtree(prefixes, ignore_errors=True)
        first, second, own = _first_byte(run), _first_byte(run), _first_byte(bare)
        if number:  # the first round fills the caches
            to_own.append(first / own)
            to_first.append(second / first)
    print_ratios("embedded: first token / llama.cpp's own server", to_own)
    print_ratios("embedded: first token with what was kept / without", to_first)
    with tempfile.TemporaryDirectory() as name:
        _print_each(Path(name), rounds)


def _print_each(work: Path, rounds: int) -> None:
    text = (_ROOT / _INPUT).read_text("utf-8")
    for number in range(4):
        (work / f"{number}.md").write_text(f"# Part {number}\n\n{text[:600]}\n", "utf-8")
    files = [str(path) for path in sorted(work.glob("*.md"))]
    run = [sys.executable, "-m", "gptasst", "--profile", "local", "run", "MarkdownLinter", *files]
    run += ["--each", "--force", "--check", "-q"]
    times, memory = [], []
    for _ in range(rounds):
        (alone, small), (together, large) = _whole([*run, "-j", "1"]), _whole(run)
        times.append(together / alone)
        memory.append(large / small)
    print_ratios("embedded: --each / --each -j 1, time", times)
    print_ratios("embedded: --each / --each -j 1, peak memory", memory)


def _whole(command: list[str]) -> tuple[float, float]:
    """Seconds that a command takes, and the peak memory of its largest process in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode not in (0, 6):  # 6: the files would change
        raise SystemExit(f"{command} failed")
    return seconds, used.ru_maxrss / 1000


def _request() -> str:
    """What `run` sends for the file, as JSON."""
    definition = tomllib.loads(_INSTRUCTION.read_text("utf-8"))
    text = (_ROOT / _INPUT).read_text("utf-8")
    parts = [definition["default_text"], f'<file path="{_INPUT}">\n{text}</file>']
    content = [{"type": "input_text", "text": part} for part in parts]
    return json.dumps(
        {
            "model": "model",
            "instructions": definition["instructions"],
            "input": [{"type": "message", "role": "user", "content": content}],
            "stream": True,
        }
    )


def _first_byte(command: list[str]) -> float:
    """Seconds from the start of a process to its first byte on stdout."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        seconds = time.perf_counter() - started
        process.kill()
    if not first:
        raise SystemExit(f"no answer from {command}")
    return seconds


if __name__ == "__main__":
    main()
