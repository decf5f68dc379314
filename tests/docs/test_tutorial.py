"""The tutorial works: each of its commands runs, in order, and says what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, ROOT, Block, blocks
from tests.loopback import LoopbackServer
from tests.shell_program import program_for_shells

PAGE = DOCS / "tutorial.md"
NEEDS_MORE = "# needs a real model"
NOT_RUN = "<!-- not run -->\n"


def steps(*, tiny: bool = False) -> list[tuple[str, list[str]]]:
    """Each block of commands, and what is shown below it; with `tiny` no real model is there."""
    text = PAGE.read_text("utf-8")
    found: list[tuple[str, list[str]]] = []
    for block in blocks(PAGE):
        if block.language == "sh" and f"{NOT_RUN}{_fenced(block)}" not in text:
            found.append((block.text, []))
        elif block.language == "text":
            found[-1][1].extend(block.text.splitlines())
    return [step for step in found if not (tiny and NEEDS_MORE in step[0])]


def _fenced(block: Block) -> str:
    return f"```{block.language}\n{block.text}```"


def corrected(body: dict[str, Any]) -> str:
    """What a linter makes of the last text of a request."""
    text: str = body["input"][-1]["content"][-1]["text"]
    file = re.search(r"<file path=[^>]*>\n(.*)</file>\Z", text, re.DOTALL)
    return (file[1] if file else text).replace("will sees", "will see")


def shell(script: str, path: str) -> str:
    """What a piece of shell writes; it may not fail."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,  # what it wrote is told below
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


@pytest.mark.skipif(not shutil.which("bash"), reason="its commands are for a POSIX shell")
def test_it_works(project: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.answer = corrected
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    walk(steps(), tmp_path)
    assert (project.stores, project.files, project.conversations) == ({}, {}, {})


def walk(commands_and_shown: list[tuple[str, list[str]]], tmp_path: Path) -> None:
    """Run the commands, and look for what the page shows."""
    shutil.copytree(ROOT / "examples", "examples")
    shutil.copytree(ROOT / "instructions", "instructions")
    before = contents()
    with program_for_shells(tmp_path / "bin") as program:
        python = program.with_name("python3")
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        for commands, shown in commands_and_shown:
            written = shell(commands, path)
            for line in shown:  # columns are wide on a terminal only
                pattern = r"\s+".join(re.escape(word).replace("…", ".*") for word in line.split())
                assert re.search(pattern, written), f"{line}\n---\n{written}"
    assert contents() == before


def contents() -> dict[str, bytes]:
    """The files in the working directory."""
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_it_has_steps() -> None:
    assert len(steps()) > 10
    assert sum(len(shown) for _, shown in steps()) > 8
    assert len(steps(tiny=True)) > 10
