"""The pages that people read, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# In capitals: README's first command leaves its answer beside them.
PAGES = sorted([*ROOT.glob("[A-Z]*.md"), *DOCS.rglob("*.md")])

_BLOCK = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block of code and the language it is marked with."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(found[2], found[3]) for found in _BLOCK.finditer(page.read_text("utf-8"))]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _BLOCK.sub("", page.read_text("utf-8"))


def spans(page: Path) -> Iterator[str]:
    """The code within sentences and tables."""
    for found in _SPAN.finditer(prose(page)):
        yield " ".join(found[1].split())


def section(page: Path, title: str) -> str:
    """What stands below a heading, to the next one of the same level or above."""
    level = re.search(rf"^(#+) {re.escape(title)}$", page.read_text("utf-8"), re.MULTILINE)
    assert level, f"{name_of(page)} has no section `{title}`"
    rest = page.read_text("utf-8")[level.end() :]
    following = re.search(rf"^#{{1,{len(level[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest
