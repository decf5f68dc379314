"""Passages wait for the store in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptasst.knowledge import passages as spool
from gptasst.knowledge.passages import PassageSpool
from gptasst.knowledge.types import Passage
from tests.conftest import Cli, Write


def test_what_is_too_much_for_memory_comes_back_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_MOST_HELD", 10)
    kept = PassageSpool(tmp_path / "new")
    files = {
        number: [Passage(f"text {number} \u2713\udcff", "line 1", "A > B")] * number
        for number in range(5)
    }
    for number, passages in files.items():
        kept.put(number, passages)
    assert [kept.get(number) for number in reversed(files)] == [*reversed(files.values())]
    assert list((tmp_path / "new").iterdir()) == []
    kept.clear()
    assert 4 not in kept


def test_knowledge_above_that_size_is_found(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_MOST_HELD", 10)
    for number in range(3):
        write(f"{number}.md", f"# Refunds\n\nRefunds of kind{number} take days.\n")
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "*.md").code == 0
    (found,) = cli("assistant", "search", "W", "kind2", "--json").json["passages"]
    assert (found["path"], found["text"]) == ("2.md", "# Refunds\n\nRefunds of kind2 take days.")
    assert (found["place"], found["heading"]) == ("lines 1-3", "Refunds")
