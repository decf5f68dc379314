"""Commands in what people are told carry the `--profile` of the call."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import gptasst
from gptasst.cli.app import COMMANDS
from gptasst.errors import GptasstError
from gptasst.hints import USING_A_PROFILE, cmd, commands_in, nearest, shown

# What they do is the same with every profile.
_WITHOUT = {"instruction", "local", "completion", "config", "usage"}


def test_every_command_is_one_or_the_other() -> None:
    using = {name for name in USING_A_PROFILE if " " not in name}
    assert using | _WITHOUT == set(COMMANDS)
    assert using & _WITHOUT == set()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("file list", "`gptasst --profile a file list`"),
        ("run X -t 'say --profile'", "`gptasst --profile a run X -t 'say --profile'`"),
        ("config show", "`gptasst --profile a config show`"),
        ("config set profiles.b.model MODEL", "`gptasst config set profiles.b.model MODEL`"),
        ("--profile b file list", "`gptasst --profile b file list`"),
        ("--help", "`gptasst --help`"),
    ],
)
def test_what_carries_the_profile(words: str, expected: str) -> None:
    assert shown(cmd(words), "a") == expected
    assert shown(cmd(words), "a", quote="") == expected.strip("`")
    assert shown(cmd(words), None) == f"`gptasst {words}`"


def test_a_marked_command_is_quoted_and_carries_the_profile() -> None:
    text = f"{cmd('file list')} and {cmd('instruction list')} show them"
    assert shown(text, None) == "`gptasst file list` and `gptasst instruction list` show them"
    assert shown(text, "a b") == (
        "`gptasst --profile 'a b' file list` and `gptasst instruction list` show them"
    )
    assert commands_in(text) == ("gptasst file list", "gptasst instruction list")


def test_words_that_only_look_like_a_command_stay() -> None:
    text = f"{cmd('run X')}: the file `gptasst file list` is not there"
    assert (
        shown(text, "a") == "`gptasst --profile a run X`: the file `gptasst file list` is not there"
    )


@pytest.mark.parametrize(
    ("word", "near"), [("docwriter", "DocWriter"), ("DocWrter", "DocWriter"), ("zzz", None)]
)
def test_the_nearest_name(word: str, near: str | None) -> None:
    assert nearest(word, ["DocWriter", "Translator"]) == near


def test_an_error_names_its_fixes() -> None:
    error = GptasstError("it failed", hint=f"{cmd('doctor')} shows why")
    assert error.fixes == ("gptasst doctor",)
    assert error.hint == "`gptasst doctor` shows why"
    error.profile = "mine"
    assert error.hint == "`gptasst --profile mine doctor` shows why"


def test_every_command_in_a_message_is_marked() -> None:
    """What is not marked does not carry the profile of the call."""
    unmarked = []
    for path in sorted(Path(gptasst.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        unmarked += [
            f"{path}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "`gptasst " in node.value
            and id(node) not in docstrings
        ]
    assert unmarked == []
