"""The benchmark runs, and says what it measures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_startup() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.startup", "--rounds", "0"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    head, *rows = ran.stdout.splitlines()
    assert head.split() == ["command", "ms", "x", "python", "x", "SDK"]
    measured = [row[:18].strip() for row in rows]
    assert measured[:9] == [
        "python -c pass",
        "bare SDK script",
        "--version",
        "completion",
        "--help",
        "instruction list",
        "assistant list",
        "cache show",
        "run",
    ]
    assert measured[9:] in ([], ["llm --version"])


def test_processor() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.processor", "--rounds", "0", "--files", "2"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    head, *rows, each = ran.stdout.splitlines()
    assert head.split() == ["command", "ms", "x", "python", "x", "http.client"]
    measured = ["python -c pass", "http.client alone", "run", "assistant list", "assistant show"]
    assert [row[:18].strip() for row in rows] == [*measured, "files sync"]
    assert each.startswith("--each: ")


def test_requests() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.requests", "--stores", "150", "--files", "2"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    counts = dict(line.rsplit(maxsplit=1) for line in ran.stdout.split("\n\n")[0].splitlines()[1:])
    assert counts["a run of an instruction"] <= "3"
    assert counts["a run of an assistant"] <= "3"
    assert int(counts["file prune"]) <= 5
    assert int(counts["file list"]) <= 5
    assert int(counts["assistant delete"]) <= 150 + 20  # each vector store is read once
    assert "--each over 2 files" in ran.stdout
