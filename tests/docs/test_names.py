"""What the pages name is there: functions and classes of the code, files of the repository."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, name_of, spans

_TOP = "|".join(path.name for path in ROOT.iterdir() if path.is_dir())
_PATH = re.compile(rf"(?:{_TOP})/[\w./-]+")


def named_in_code(page: Path) -> list[str]:
    return [span for span in spans(page) if re.fullmatch(r"gptasst(?!\.pyz)(\.\w+)+", span)]


def is_there(name: str) -> bool:
    """Whether a dotted name leads to a module, or to something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_names_of_the_code_exist(page: Path) -> None:
    assert [name for name in named_in_code(page) if not is_there(name)] == []


def test_one_command_is_followed_through_the_code() -> None:
    assert len(set(named_in_code(DOCS / "architecture.md"))) > 40
    assert not is_there("gptasst.runs.service.RunService.nothing")
    assert not is_there("gptasst.nothing")


@pytest.mark.parametrize(
    "page", [ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))], ids=name_of
)
def test_files_of_the_repository_exist(page: Path) -> None:
    paths = {span for span in spans(page) if _PATH.fullmatch(span)}
    ours = {path for path in paths if not path.startswith("site/")}
    assert {path for path in ours if not (ROOT / path).exists()} == set()
