"""What of a model's words is its answer, and which answers are none."""

from __future__ import annotations

import pytest

from gptasst.errors import NoAnswer
from gptasst.runs.answer_text import (
    AnswerFilter,
    ExcerptTags,
    GivenTexts,
    answer_text,
    is_blank,
    is_usable,
    refuse_control_characters,
)
from tests.runs.test_fences import PLAIN, WRAPPED

GUIDE = GivenTexts.named([("a & b.md", "# A\n\ntext\n")])
FENCED = GivenTexts.named([("x.md", "```py\nprint()\n```\n")])
HTML = GivenTexts.named([("x.html", "<p>A <file path='y'>\nz\n</file>\n")])
TAGGED = GivenTexts.named([("x.md", '<file path="x.md">\nz\n')])
OPENING = '<file path="a &amp; b.md">\n'
TWO = f"{OPENING}1\n</file>\n{OPENING}2\n</file>"
ANSWERS = [
    (GUIDE, f"{OPENING}# A\n</file>", "# A\n"),
    (GUIDE, f"\n{OPENING}# A\n</file>\n\n", "# A\n"),
    (GUIDE, f"{OPENING}```markdown\n# A\n```\n</file>", "# A\n"),
    (GUIDE, f"```\n{OPENING}# A\n</file>\n```", "# A\n"),
    (GUIDE, "# A\n</file>", "# A\n"),
    (GUIDE, "# A\n</file>\n", "# A\n"),
    (GUIDE, "# A</file>", "# A"),
    (GUIDE, f"{OPENING}# A\n", "# A\n"),
    (GUIDE, "# A\n</fil", "# A\n</fil"),
    (GUIDE, "# A\n\n", "# A\n\n"),
    (GUIDE, "# A\n</file> is a tag\n", "# A\n</file> is a tag\n"),
    (GUIDE, '<file path="c.md">\n# A\n</file>', '<file path="c.md">\n# A\n</file>'),
    (
        GUIDE,
        f"{OPENING}1\n</file>\n{OPENING}2\n</file>",
        f"{OPENING}1\n</file>\n{OPENING}2\n</file>",
    ),
    (GivenTexts(), "# A\n</file>", "# A\n</file>"),
    (HTML, "<p>A\n</file>\n", "<p>A\n</file>\n"),
    (TAGGED, '<file path="x.md">\nz\n', '<file path="x.md">\nz\n'),
    (FENCED, "```py\nprint()\n```\n", "```py\nprint()\n```\n"),
    (FENCED, "```markdown\n```py\nprint()\n```\n```\n", "```py\nprint()\n```\n"),
    *((GivenTexts(), text, inside) for text, inside in WRAPPED),
    *((GUIDE, text, inside) for text, inside in WRAPPED),
    *((GUIDE, text, text) for text in PLAIN),
]


@pytest.mark.parametrize(("given", "received", "answer"), ANSWERS)
def test_without_what_is_around_it(given: GivenTexts, received: str, answer: str) -> None:
    assert answer_text(received, given, unwrap=True) == answer


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(("given", "received", "answer"), ANSWERS)
def test_streamed_is_the_same(given: GivenTexts, received: str, answer: str, size: int) -> None:
    part = AnswerFilter(given, unwrap=True)
    pieces = [part.feed(received[start : start + size]) for start in range(0, len(received), size)]
    assert "".join(pieces) + part.finish() == answer


def test_fences_stay_where_the_definition_does_not_take_them_off() -> None:
    assert answer_text("```\nx\n```", GUIDE, unwrap=False) == "```\nx\n```"
    assert answer_text(f"{OPENING}x\n</file>", GUIDE, unwrap=False) == "x\n"


def test_plain_text_is_not_held_back() -> None:
    part = AnswerFilter(GUIDE, unwrap=True)
    fed = [part.feed(piece) for piece in ("\n", "# T", "itle", "\n", "<", "b>", "`x`")]
    assert fed == ["", "\n# T", "itle", "", "", "\n<b>", "`x`"]


@pytest.mark.parametrize(
    "text", ["", "  \n\t\n", "\u200b\n\ufeff", "\u00a0", "```\n```", "~~~md\n\n~~~\n"]
)
def test_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_usable(text)


@pytest.mark.parametrize("character", ["\0", "\x07", "\x0b", "\x1b", "\x7f", "\x9b"])
def test_control_characters(character: str) -> None:
    with pytest.raises(NoAnswer, match=rf"control character U\+00{ord(character):02X}"):
        refuse_control_characters(f"a{character}b")
    assert not is_usable(f"a{character}b")


def test_characters_that_structure_text() -> None:
    assert is_usable("a\tb\r\n\x0cc")


TAG = '<excerpt source="a &amp; b.md" place="lines 1-3">'
QUOTED = [
    (True, f"{TAG}\nTwelve days.\n</excerpt>\n\nSo twelve.\n", "Twelve days.\n\nSo twelve.\n"),
    (True, f"It says:\r\n{TAG}\r\na\r\n</excerpt>\r\nb", "It says:\r\na\r\nb"),
    (True, f"{TAG}\na\n</excerpt>\n{TAG}\nb\n</excerpt>\n", "a\nb\n"),
    (True, "Twelve.</excerpt>\n", "Twelve.\n"),
    (False, f"By {TAG} it is twelve</excerpt>.", "By  it is twelve."),
    (False, "a </excerpt> b\n\n", "a </excerpt> b\n\n"),
    (True, '<excerpt source="a>', '<excerpt source="a>'),
    (True, "a < b <e <excerpt> c\n<", "a < b <e <excerpt> c\n<"),
]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(("knowledge", "received", "answer"), QUOTED)
def test_tags_around_knowledge(*, knowledge: bool, received: str, answer: str, size: int) -> None:
    part = ExcerptTags(GUIDE, knowledge=knowledge)
    pieces = [part.feed(received[start : start + size]) for start in range(0, len(received), size)]
    assert "".join(pieces) + part.finish() == answer


def test_tags_that_an_input_has_itself_stay() -> None:
    given = GivenTexts.named([("x.md", "</excerpt>")])
    text = f"{TAG}\na\n</excerpt>\n"
    assert answer_text(text, given, unwrap=True) == text
    assert answer_text(text, GUIDE, unwrap=True) == "a\n"
