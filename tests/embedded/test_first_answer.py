"""What a newcomer without an account sees first: README's command 1, and the tutorial."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

import pytest

from bench.edits import compared, read_marked
from tests.docs.pages import ROOT, blocks
from tests.docs.test_tutorial import steps, walk
from tests.processes import completed

pytestmark = pytest.mark.embedded


@pytest.mark.usefixtures("embedded")
def test_readme_shows_the_corrections_of_command_1() -> None:
    shutil.copytree(ROOT / "examples", "examples")
    ran = completed("run", "MarkdownLinter", "-f", "examples/messy-guide.md", "-o", "linted.md")
    assert ran.returncode == 0, ran.stderr

    before = Path("examples/messy-guide.md").read_text("utf-8")
    after = Path("linted.md").read_text("utf-8")
    changes = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    plain = {line[0] + line[2:] for line in changes if line[0] in "+-"}
    (shown,) = [block.text for block in blocks(ROOT / "README.md") if block.language == "diff"]
    assert set(shown.splitlines()) <= plain

    text, mistakes = read_marked((ROOT / "bench/messy/guide.md").read_text("utf-8"))
    assert text == before
    corrected, wrong, needless = compared(text, mistakes, after)
    assert corrected >= 10
    assert wrong == 0
    assert needless <= 2


@pytest.mark.usefixtures("embedded")
@pytest.mark.skipif(not shutil.which("bash"), reason="its commands are for a POSIX shell")
def test_the_tutorial_works_without_an_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    walk(steps(tiny=True), tmp_path)
