"""How long a command takes to start and end: `python -m bench.startup [--rounds N]`.

Where the command `llm` is on the PATH, its `--version` is measured as well.

Each row is the median of rounds in which all commands take turns, so that a machine that
is busy for a while slows them all. `run` answers over a loopback server in its own process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.measuring import UNMEASURED

ROOT = Path(__file__).parents[1]
INPUT = ROOT / "examples/messy-guide.md"
# What people type; `python -m gptasst` ends as Python does, a tenth of a second later with the SDK.
_GPTASST = (str(Path(sys.executable).with_name("gptasst")),)

PYTHON = "python -c pass"
SDK = "bare SDK script"
LLM = "llm --version"
COMMANDS: dict[str, tuple[str, ...]] = {
    PYTHON: (sys.executable, "-c", "pass"),
    SDK: (sys.executable, str(ROOT / "bench/bare_sdk.py"), str(INPUT)),
    "--version": (*_GPTASST, "--version"),
    "completion": (*_GPTASST, "__complete", "bash", "run", ""),
    "--help": (*_GPTASST, "--help"),
    "instruction list": (*_GPTASST, "instruction", "list"),
    "assistant list": (*_GPTASST, "assistant", "list"),
    "cache show": (*_GPTASST, "cache", "show"),
    "run": (*_GPTASST, "run", "MarkdownLinter", "-f", str(INPUT)),
}
if shutil.which("llm"):
    COMMANDS[LLM] = ("llm", "--version")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="0: none but the first")
    rounds = max(parser.parse_args().rounds, 0)
    with loopback_url() as url, tempfile.TemporaryDirectory() as home:
        environ = environment(url, home)
        create = ("assistant", "create", "DocWriter-1", "-i", "DocWriter")
        subprocess.run((*_GPTASST, *create), env=environ, cwd=home, check=True, capture_output=True)
        print_table(measure(rounds, environ, home))


@contextlib.contextmanager
def loopback_url() -> Iterator[str]:
    """A server that plays OpenAI in its own process, for as long as the context lasts."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.loopback", "--answer-file", INPUT, "--delta-size", "20"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        url = server.stdout.readline().strip()
        if not url:
            raise SystemExit("the loopback server did not start")
        yield url
    finally:
        server.terminate()
        server.communicate()


def environment(url: str, home: str) -> dict[str, str]:
    """Variables as they are here, but no settings of gptasst's nor a proxy; the server is `url`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GPTASST_", "OPENAI_", *UNMEASURED))
        and not name.lower().endswith("_proxy")
    }
    return kept | {
        "GPTASST_HOME": home,
        "GPTASST_STORE": "local",
        "OPENAI_BASE_URL": url,
        "OPENAI_API_KEY": "sk-bench",
        "GPTASST_MODEL": "gpt-6-luna",
    }


def measure(rounds: int, environ: Mapping[str, str], directory: str) -> dict[str, float]:
    """The median of each command in seconds. A first round fills the caches and does not count,
    unless it is the only one.
    """
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            ran = subprocess.run(
                command,
                env=environ,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            seconds = time.perf_counter() - started
            if ran.returncode or not (ran.stdout or name == PYTHON):
                raise SystemExit(f"`{name}` failed:\n{ran.stderr.decode('utf-8', 'replace')}")
            if number or not rounds:
                taken[name].append(seconds)
    return {name: statistics.median(values) for name, values in taken.items()}


def print_table(seconds: Mapping[str, float]) -> None:
    print(f"{'command':<18} {'ms':>6} {'x python':>9} {'x SDK':>6}")
    for name, value in seconds.items():
        to_sdk = f"{value / seconds[SDK]:6.2f}" if name == "run" else ""
        print(f"{name:<18} {value * 1000:6.0f} {value / seconds[PYTHON]:9.1f} {to_sdk}".rstrip())


if __name__ == "__main__":
    main()
