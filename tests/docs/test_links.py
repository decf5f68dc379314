"""What the pages link to is there, anchors included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, name_of, prose

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def targets(page: Path) -> list[str]:
    found: list[str] = _LINK.findall(re.sub(r"`[^`]*`", "", prose(page)))
    return [target for target in found if not target.startswith(("https://", "mailto:"))]


def anchors(page: Path) -> set[str]:
    """The ids of a page's headings: as mkdocs and the usual hosts of repositories make them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in targets(page):
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(linked), f"{target}: no such heading"


def test_there_are_links() -> None:
    assert sum(len(targets(page)) for page in PAGES) > 40
