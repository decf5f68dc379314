"""Processor time of commands that ask a server: `python -m bench.processor [--rounds N]`.

A loopback server plays OpenAI in its own process, whose time does not count. Printed, as medians
of rounds in which all commands take turns: `run` compared with the same request by `http.client`
alone (at most 4.5 is wanted), `assistant list`, `assistant show` and an unchanged `files sync`
compared with `python -c pass` (14), and the milliseconds that each file of a `run --each` costs
beyond one (3.5).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.startup import INPUT, PYTHON, ROOT, environment, loopback_url

_GPTASST = str(Path(sys.executable).with_name("gptasst"))
_HTTP = "http.client alone"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.processor", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", type=int, default=200, help="of `--each`")
    options = parser.parse_args()
    with loopback_url() as url, tempfile.TemporaryDirectory() as name:
        work = Path(name)
        environ = {**environment(url, name), "GPTASST_STORE": "openai"}
        (work / "docs").mkdir()
        (work / "docs/a.md").write_text("# A guide\n")
        _seconds(
            (_GPTASST, "assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs"), environ
        )
        _print_commands(url, environ, options.rounds)
        _print_each(work, environ, options.files)


def _print_commands(url: str, environ: Mapping[str, str], rounds: int) -> None:
    commands: dict[str, tuple[str, ...]] = {
        PYTHON: (sys.executable, "-c", "pass"),
        _HTTP: (sys.executable, str(ROOT / "bench/bare_http.py"), url, str(INPUT)),
        "run": (_GPTASST, "run", "MarkdownLinter", "-f", str(INPUT)),
        "assistant list": (_GPTASST, "assistant", "list"),
        "assistant show": (_GPTASST, "assistant", "show", "Docs"),
        "files sync": (_GPTASST, "assistant", "files", "sync", "Docs"),
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):  # the first fills the caches
        for name, command in commands.items():
            seconds = _seconds(command, environ)
            if number or not rounds:
                taken[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    print(f"{'command':<18} {'ms':>6} {'x python':>9} {'x http.client':>14}")
    for name, value in medians.items():
        to_python, to_http = value / medians[PYTHON], value / medians[_HTTP]
        print(f"{name:<18} {value * 1000:6.0f} {to_python:9.1f} {to_http:14.2f}")


def _print_each(work: Path, environ: Mapping[str, str], files: int) -> None:
    costs = []
    for count in (1, files):
        directory = work / f"in{count}"
        directory.mkdir()
        for number in range(count):
            (directory / f"{number}.md").write_text(f"# Guide {number}\n" + "some words " * 20)
        words = ("run", "DocWriter", f"in{count}", "--each", "-o", f"out{count}", "-q")
        costs.append(_seconds((_GPTASST, *words), environ))
    beyond = (costs[1] - costs[0]) / max(files - 1, 1)
    print(f"--each: {beyond * 1000:.1f} ms a file")


def _seconds(command: tuple[str, ...], environ: Mapping[str, str]) -> float:
    """The processor time of a command, in it and in the system."""
    with subprocess.Popen(
        command,
        env=environ,
        cwd=environ["GPTASST_HOME"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{said.decode('utf-8', 'replace')}")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
