"""Markdown drawn while it comes is what is drawn of the whole."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gptasst.cli.chat.drawing import blocks, split_complete

TEXTS = {
    "blocks": "# Head\n\nSome *text*\nand more.\n\n> quoted\n\n---\n\nEnd.\n",
    "lists": "- one\n- two\n  - three\n\n  more of two\n\n1. a\n2. b\n\nEnd",
    "code": "```python\nfor i in x:\n\n    pass\n```\n\n    indented\n\nEnd",
    "table": "| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd",
    "setext": "Head\n====\n\nText\n----\nmore\n",
}


def drawn(*texts: str) -> str:
    console = Console(file=io.StringIO(), width=40)
    for text in texts:
        for block in blocks(text):
            console.print(block)
            console.print()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_wherever_it_is_split(text: str) -> None:
    whole = drawn(text)
    for length in range(len(text)):
        complete, rest = split_complete(text[:length])
        assert drawn(complete, rest + text[length:]) == whole, text[:length]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Use <br> here.", "Use <br> here."),
        ("<details>\n<summary>S</summary>\n</details>", "<summary>S</summary>"),
        ("[a]: https://example.com\n\nText", "[a]: https://example.com"),
        ("Text\n\n[a]: https://example.com", "[a]: https://example.com"),
        ("![alt](https://example.com/i.png)", "alt (https://example.com/i.png)"),
        ("[text](https://example.com)", "text (https://example.com)"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
    ],
)
def test_nothing_is_swallowed(text: str, kept: str) -> None:
    assert kept in drawn(text)
