"""Modules stay small enough to be read at once."""

from __future__ import annotations

from pathlib import Path

import gptasst

_MOST_LINES = 400
# One is generated; the other stands for one old module, a function after another.
_EXEMPT = {"completion/table.py", "hchatgpt.py"}
_PACKAGE = Path(gptasst.__file__).parent


def test_no_module_is_too_long() -> None:
    lengths = {
        path.relative_to(_PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in _PACKAGE.rglob("*.py")
    }
    assert {n: k for n, k in lengths.items() if k > _MOST_LINES and n not in _EXEMPT} == {}
