"""Tables of the pages that list what is in the code: exit codes, variables, keys of profiles."""

from __future__ import annotations

import re

from gptasst import errors
from gptasst.cli import app
from gptasst.config.known_keys import PROFILE_KEYS
from tests.docs.pages import DOCS, ROOT, section


def rows(text: str) -> set[str]:
    """The words in the first column of tables."""
    return {w for cell in re.findall(r"^\| (.+?) \|", text, re.MULTILINE) for w in words(cell)}


def words(cell: str) -> list[str]:
    return re.findall(r"\w+", cell)


def test_every_exit_code_is_there() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {0} | {kind.exit_code for kind in kinds if issubclass(kind, errors.GptasstError)}
    codes |= {app._INTERRUPTED, app._TERMINATED, app._CLOSED_PIPE}
    page = (DOCS / "exit-codes.md").read_text("utf-8")
    assert rows(page) - {"code"} == {str(code) for code in codes}


def test_every_variable_is_there() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")]
    read = {name for text in sources for name in re.findall(r'"(GPTASST_[A-Z_]+)"', text)}
    listed = rows(section(DOCS / "configuration.md", "Variables"))
    assert {name for name in listed if name.startswith("GPTASST_")} == read


def test_every_key_of_a_profile_is_there() -> None:
    listed = rows(section(DOCS / "configuration.md", "Profiles"))
    assert set(PROFILE_KEYS) == listed - {"key", "of", "profiles", "NAME"}
