"""The hooks that this repository offers to pre-commit."""

from __future__ import annotations

from pathlib import Path

import pytest
from pre_commit.clientlib import load_manifest  # type: ignore[import-untyped]

from tests.cli.each import shout
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

HOOKS = {
    hook["id"]: hook for hook in load_manifest(Path(__file__).parents[1] / ".pre-commit-hooks.yaml")
}


@pytest.mark.parametrize(
    ("hook", "code", "left"),
    [("gptasst-check", 6, "words\n"), ("gptasst-fix", 0, "WORDS\n")],
)
def test_runs_as_pre_commit_runs_it(
    cli: Cli, server: LoopbackServer, write: Write, hook: str, code: int, left: str
) -> None:
    server.answer = shout
    file = write("a.md", "words\n")
    program, *words = HOOKS[hook]["entry"].split()
    assert program == "gptasst"
    assert cli(*words, "DocWriter", "a.md").code == code
    assert file.read_text() == left
