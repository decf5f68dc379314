"""The picture of a terminal shows what the program prints today."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

import pytest

if sys.platform == "win32":
    pytest.skip("a terminal of POSIX", allow_module_level=True)

from scripts import pictures


def words(text: str) -> list[str]:
    """The words of a screen; sizes, times and dates differ from run to run."""
    return re.sub(r"\d+([.:-]\d+)*", "0", text.replace("\N{NO-BREAK SPACE}", " ")).split()


def test_it_is_up_to_date() -> None:
    svg = ElementTree.fromstring(pictures.PICTURE.read_text("utf-8"))
    (matrix,) = (part for part in svg.iter() if part.get("class") == "gptasst-matrix")
    shown = " ".join(text.text or "" for text in matrix.iter() if text.text)
    assert words(shown) == words(pictures.plain(pictures.session()))


def test_progress_leaves_nothing_on_the_screen() -> None:
    drawn = "\x1b[?25l\x1b[32m⠋\x1b[0m waiting\r\x1b[2K\x1b[32m⠙\x1b[0m waiting\r\n\x1b[1A\x1b[2K"
    assert pictures.plain(pictures.screen(f"a\r\n{drawn}\x1b[1mb\x1b[0m\r\n")) == "a\nb\n"
