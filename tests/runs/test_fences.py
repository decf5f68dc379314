"""One fence around a whole answer, and what only looks like one."""

from __future__ import annotations

import pytest

from gptasst.runs.answer_text import fence_layers, unwrap_fence

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


def test_layers() -> None:
    assert fence_layers("text") == 0
    assert fence_layers("```py\nx\n```\n") == 1
    assert fence_layers("```markdown\n```py\nx\n```\n```\n") == 2
