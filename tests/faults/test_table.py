"""The table of faults names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", (TESTS / "faults/README.md").read_text())
    assert len(named) > 40
    for file, name in named:
        assert re.search(rf"(def|class) {name}\b", (TESTS / file).read_text()), f"{file}::{name}"
