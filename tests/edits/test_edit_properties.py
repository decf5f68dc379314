"""No answer damages a text: whatever comes back, only what may change does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gptasst.definitions.types import KEEP_BY_DEFAULT
from gptasst.edits import blocks
from gptasst.edits.blocks import parse
from gptasst.edits.document import EditedText
from gptasst.edits.types import Block, Parsed, Rules
from tests.edits.documents import block, documents, words

_KEPT = re.compile(r"`[^`]+`|https?://[^\s)>]+|<br>|\{\{name\}\}|\d+(?:[.-]\d+)*")


def _kept(content: str) -> list[str]:
    """What stays of a block's text, in order: code, addresses, numbers; then its emphasis."""
    emphasis = re.findall("<em>|<strong>", MarkdownIt("commonmark").renderInline(content))
    return [*_KEPT.findall(content), *emphasis]


def _shuffled(draw: st.DrawFn, text: str) -> str:
    return "\n\n".join(draw(st.permutations(text.split("\n\n"))))


def _with_other_words(draw: st.DrawFn, text: str) -> str:
    pieces = re.split(r"(\s+)", text)
    return "".join(draw(words) if draw(st.integers(0, 3)) == 0 and p.strip() else p for p in pieces)


def _mangled(draw: st.DrawFn, text: str) -> str:
    place = draw(st.integers(0, len(text)))
    junk = st.sampled_from(
        ["\x00", "\x1b[2J", "\u2028", "\ufffd", "|", "\n\n", "\n# x\n", "`", "</file>", "\n---\n"]
    )
    return text[:place] + draw(junk) + text[place:]


@st.composite
def hostile_answers(draw: st.DrawFn, text: str) -> str:
    """What models, servers and shells make of a text that was to be corrected."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kind = draw(st.sampled_from(range(11)))
    return (
        lambda: "",
        lambda: "  \n\t\n",
        lambda: "```\n```",
        lambda: plain[: draw(st.integers(0, len(plain)))],
        lambda: plain + "\n\n" + plain,
        lambda: f'<file path="x.md">\n{plain}\n</file>',
        lambda: f"Here you are:\n\n```markdown\n{plain}\n```\n\nI corrected it.",
        lambda: _shuffled(draw, plain),
        lambda: _with_other_words(draw, plain),
        lambda: "\n\n".join(draw(st.lists(block, max_size=5))),
        lambda: _mangled(draw, plain),
    )[kind]()


def _outside(parsed: Parsed) -> list[str]:
    """What is between the blocks, and all blocks that may not change."""
    pieces, place = [], 0
    for each in parsed.blocks:
        pieces.append(parsed.text[place : each.start])
        if not each.fields or each.kind == "front_matter":
            pieces.append(parsed.text[each.start : each.end])
        place = each.end
    return [*pieces, parsed.text[place:]]


_TEXTS_WITH_ANSWERS = documents().flatmap(
    lambda text: st.tuples(st.just(text), hostile_answers(text))
)


@settings(max_examples=100)
@given(_TEXTS_WITH_ANSWERS)
@example(("files _it is_", "files _`it is_"))
@example(("files _it is_", "files _`it is_`"))
@example(("# tool", "runs tool"))
@example(("# tool", "# runs tool"))
@example(("the\n\nthe {{name}} the backup runs", "the\n\nthe the the backup runs"))
def test_an_answer_changes_only_what_may_change(text_and_answer: tuple[str, str]) -> None:
    text, answer = text_and_answer
    edited = EditedText(text, Rules(keep=(*KEEP_BY_DEFAULT, "placeholders")))

    edited.propose(answer)

    before, after = parse(text), parse(edited.result())
    assert _outside(after) == _outside(before)
    for old, new in zip(before.blocks, after.blocks, strict=True):
        was, became = before.content(old), after.content(new)
        assert (old.kind, old.path) == (new.kind, new.path)
        assert _kept(was) == _kept(became)
        assert abs(len(was) - len(became)) <= max(0.3 * len(was), 4)
        assert not set(became) - set(was) & set("\x00\x1b\u2028\ufffd")


@settings(max_examples=50)
@given(_TEXTS_WITH_ANSWERS)
@example(("files _it is_", "files _`it is_"))
def test_a_free_edit_keeps_code_and_structure(text_and_answer: tuple[str, str]) -> None:
    text, answer = text_and_answer
    edited = EditedText(text, Rules(max_change=1.0))

    edited.propose(answer)

    before, after = parse(text), parse(edited.result())
    assert _outside(after) == _outside(before)
    for old, new in zip(before.blocks, after.blocks, strict=True):
        was, became = before.content(old), after.content(new)
        assert sorted(_kept(was)) == sorted(_kept(became))


@settings(max_examples=50)
@given(documents(), st.sampled_from(["plain", "fenced", "wrapped"]))
@example("# teh tool\r\n\r\nIt dont run.", "fenced")
@example("the\n- the\nteh\n====", "plain")
@example("- a\r\n\r\n  ```\r\n  b\r\n  ```\r\n\r\n<div>\r\nc\r\n</div>\r\n\r\nteh", "plain")
@example("teh the teh", "plain")
@example("---\ntitle: Teh title\ntags: [a, b]\n---\n- teh", "wrapped")
def test_a_good_answer_is_taken_over_whole(text: str, way: str) -> None:
    before = parse(text)
    wanted, place = "", 0
    for each in before.blocks:
        if each.fields and each.kind != "front_matter":
            for spans in each.fields:
                for span in spans:
                    wanted += text[place : span.start]
                    wanted += _corrected(text[span.start : span.end])
                    place = span.end
    wanted += text[place:]
    answer = wanted.replace("\r\n", "\n").replace("\r", "\n")
    if way == "fenced":
        answer = f"`````markdown\n{answer}\n`````"
    elif way == "wrapped":
        answer = f'<file path="a.md">\n{answer}\n</file>\n'
    edited = EditedText(text, Rules(max_change=0.6))

    edited.propose(answer)

    assert edited.refusals() == []
    assert edited.result() == wanted


def _corrected(line: str) -> str:
    return re.sub(r"\bteh\b", "the", line)


@settings(max_examples=40)
@given(documents())
@example("```\rteh\r```\r\r# teh end\r\r```\rteh\r```")
def test_the_same_text_again_changes_nothing(text: str) -> None:
    edited = EditedText(text)

    edited.propose(text)

    assert edited.result() == text
    assert edited.refusals() == []


@settings(max_examples=70)
@given(st.lists(documents(), min_size=1, max_size=2).map("\n\n".join))
@example("the\n\n# the\n\nthe\n\n[one]: https://example.com/one 'Title'")
def test_sections_are_parsed_as_in_the_whole(text: str) -> None:
    whole = Parsed(text, *_whole(text))
    assert parse(text) == whole


def _whole(text: str) -> tuple[tuple[Block, ...], Mapping[str, Any]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "_starts", lambda _text, _form: [0])
        patched.setattr(blocks, "_PROSE", re.compile("(?!)"))
        patched.setattr(blocks, "_section", blocks._section.__wrapped__)
        parsed = parse(text)
        return parsed.blocks, parsed.references
