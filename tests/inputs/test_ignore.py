"""Rules are read as git reads them: git itself is asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gptasst.inputs.ignore import Rules
from tests.inputs.test_path_properties import tree

_FILES = [
    "a", "b", "ab", "a.md", "d/a", "d/b.md", "d/e/a", "d/e/f/ab", "e/d/a", "!a", "#a", "a b", "a ",
    "[a]", "a]b", "a-b", "é.md", "d/a*b", "x\\y",
]  # fmt: skip
_PIECES = st.sampled_from(
    ["a", "b", "d", "e", "/", "*", "**", "**/", "/**", "?", "[ab]", "[!a]", "[a-c]", "[^b]", "[]a]",
     "[[:alpha:]]", "[a", "\\*", "\\", "!", "#", " ", ".md", "é", "-", "[a-]", "[\\]]", "[c-a]"]
)  # fmt: skip
_RULES = st.lists(st.lists(_PIECES, min_size=1, max_size=5).map("".join), min_size=1, max_size=4)


def left_out_by_git(files: list[str]) -> set[str]:
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        input="\0".join(files).encode(),
        capture_output=True,
        check=False,
    )
    assert asked.returncode in (0, 1), asked.stderr
    return set(filter(None, asked.stdout.decode().split("\0")))


def left_out(file: str) -> bool:
    """As a walk finds it: a directory that is left out takes along what is in it."""
    path, rules = Path(file), Rules().within(Path())
    whole = [*reversed(path.parents[:-1]), path]
    return any(rules.leave_out(part, is_dir=part != path) for part in whole)


@pytest.mark.skipif(not shutil.which("git"), reason="git is asked")
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(_RULES)
@example(["?.md"])
@example(["[!a].md", "é*"])
def test_as_git_has_it(rules: list[str]) -> None:
    with tree(_FILES) as made:
        subprocess.run(["git", "init", "-q"], check=True)
        Path(".git/info/exclude").unlink(missing_ok=True)
        Path(".gitignore").write_text("\n".join(rules), "utf-8")
        files = sorted(made)
        assert {file for file in files if left_out(file)} == left_out_by_git(files)
