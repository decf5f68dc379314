"""Each `gptasst …` line of the pages is one that the program takes."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from gptasst.cli.app import COMMANDS, app
from tests.conftest import Cli
from tests.docs.pages import PAGES, blocks, name_of, spans

TODAY = [page for page in PAGES if page.name != "CHANGELOG.md"]  # that tells of what is gone
_SHELLS = ("sh", "console", "bash")
_MARKS = "|&;<>()"
# In other languages: from the command's name to where its string ends, or the line.
_WITHIN = re.compile(
    rf"(?P<quote>['\"])?\bgptasst ((?:{'|'.join(COMMANDS)})\b(?(quote)[^'\"\n]|[^\"\n])*)"
)


def shell_commands(text: str) -> Iterator[list[str]]:
    """The words after `gptasst`, for each command of a piece of shell."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=_MARKS + "\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    for word in [*lexer, "\n"]:
        if not set(word) <= {*_MARKS, "\n"}:
            words.append(word)
            continue
        while words and (re.match(r"[A-Z_]+=", words[0]) or words[0] == "$"):
            words.pop(0)
        if words[:1] == ["gptasst"]:
            yield words[1 : words.index("#")] if "#" in words else words[1:]
        words = []


def take(words: list[str]) -> None:
    """Parse a command line as the program would, and do nothing of what it says."""
    command: Any = typer.main.get_command(app)
    context: Any = None
    if words == ["--version"]:  # answers, and ends the program
        return
    while hasattr(command, "list_commands"):
        group = command.make_context("gptasst", [], resilient_parsing=True)
        name, command, words = command.resolve_command(group, words)
        context = context or group
    command.make_context(name, words, parent=context)


def in_shell(page: Path) -> list[list[str]]:
    shells = [block.text for block in blocks(page) if block.language in _SHELLS]
    return [words for text in shells for words in shell_commands(text)]


def elsewhere(page: Path) -> list[list[str]]:
    """Commands that are named in sentences, or that lines of other languages contain.

    `gptasst local setup|status` names two.
    """
    others = [b.text for b in blocks(page) if b.language not in (*_SHELLS, "python")]
    found = [line for text in [*others, *spans(page)] for _, line in _WITHIN.findall(text)]
    named: list[list[str]] = []
    for line in found:
        words = shlex.split(line.partition(" |")[0].replace("…", ""))
        named += map(list, itertools.product(*(word.split("|") for word in words)))
    return named


@pytest.mark.parametrize("page", TODAY, ids=name_of)
def test_shell_commands_parse(page: Path) -> None:
    for words in in_shell(page):
        take(words)


@pytest.mark.parametrize("page", TODAY, ids=name_of)
def test_commands_that_are_named_exist(cli: Cli, page: Path) -> None:
    for words in elsewhere(page):
        options = itertools.takewhile(lambda word: word != "--", words)
        ran = cli(*options, "--help")
        assert ran.code == 0, (words, ran.stderr)


def test_there_are_commands() -> None:
    assert sum(len(in_shell(page)) for page in TODAY) > 60
    assert sum(len(elsewhere(page)) for page in TODAY) > 20


@pytest.mark.parametrize(
    "line",
    [
        "gptasst runs X",
        "gptasst run",
        "gptasst run X --in-places",
        "gptasst run X --jobs many",
        "gptasst assistant files lists X",
        "true && A=b gptasst assistant show  # no name",
        "gptasst run X \\\n  --nothing",
    ],
)
def test_a_wrong_line_is_seen(line: str) -> None:
    (words,) = shell_commands(line)
    with pytest.raises(Exception, match=r"."):
        take(words)
