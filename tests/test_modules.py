"""Modules stay small enough to be read at once."""

from __future__ import annotations

from pathlib import Path

import gptasst

_MOST_LINES = 400
# One is generated; the other stands for one old module, a function after another.
_EXEMPT = {"completion/table.py", "hchatgpt.py"}
_FEWEST_LINES = 30
_SMALL = {
    "completion/__init__.py": "what answers the Tab key may import nothing else",
    "completion/entries.py": "types alone, which are not loaded while completing",
}
_PACKAGE = Path(gptasst.__file__).parent


def _lengths() -> dict[str, int]:
    """Lines by module; a package's `__init__` that only says what it is does not count."""
    lengths = {
        path.relative_to(_PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in _PACKAGE.rglob("*.py")
    }
    return {name: lines for name, lines in lengths.items() if lines > 1}


def test_no_module_is_too_long() -> None:
    assert {n: k for n, k in _lengths().items() if k > _MOST_LINES and n not in _EXEMPT} == {}


def test_a_small_module_has_a_reason() -> None:
    small = {name for name, lines in _lengths().items() if lines < _FEWEST_LINES}
    assert small == set(_SMALL)
