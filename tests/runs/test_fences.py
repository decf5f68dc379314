"""One fence around a whole answer, and what only looks like one."""

from __future__ import annotations

import pytest

from gptasst.runs.fences import FenceFilter, unwrap_fence

WRAPPED = [
    ("```\nx\n```", "x\n"),
    ("```markdown\n# T\n\nx\n```\n", "# T\n\nx\n"),
    ("~~~md\nx\n~~~\n", "x\n"),
    ("\n\n````\n```\nx\n```\n````\n\n", "```\nx\n```\n"),
    ("```markdown\na\n```sh\nls\n```\nb\n```\n", "a\n```sh\nls\n```\nb\n"),
    ("```markdown\na\n```\nls\n```\nb\n```\n", "a\n```\nls\n```\nb\n"),
    ("```json\r\n{}\r\n```\r\n", "{}\r\n"),
    ("```\n```", ""),
]
PLAIN = [
    "",
    "x",
    "```",
    "`code` and text",
    "# T\n```sh\nls\n```\n",
    "```sh\nls\n```\nand then\n",
    "```sh\nls\n```\n\n```sh\npwd\n```\n",
    "```\nls\n```\ntext\n```\npwd\n```\n",
    "```markdown\nnot closed\n",
    "````\nx\n```\n",
    "~~~\nx\n```\n",
    "    ```\n    x\n    ```\n",
    "   \n",
]


@pytest.mark.parametrize(("text", "inside"), WRAPPED)
def test_taken_off(text: str, inside: str) -> None:
    assert unwrap_fence(text) == inside


@pytest.mark.parametrize("text", PLAIN)
def test_left_as_it_is(text: str) -> None:
    assert unwrap_fence(text) == text


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize("text", PLAIN + [text for text, _ in WRAPPED])
def test_streamed_is_the_same(text: str, size: int) -> None:
    stream = FenceFilter()
    pieces = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
    assert "".join(pieces) + stream.finish() == unwrap_fence(text)


def test_plain_text_is_not_held_back() -> None:
    stream = FenceFilter()
    assert [stream.feed(piece) for piece in ("\n", "# T", "itle\n")] == ["", "\n# T", "itle\n"]
