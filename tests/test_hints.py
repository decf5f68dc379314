"""Commands in what people are told carry the `--profile` of the call."""

from __future__ import annotations

import pytest

from gptasst.cli.app import COMMANDS
from gptasst.errors import GptasstError
from gptasst.hints import USING_A_PROFILE, command, commands_in, for_profile, nearest, shown

# What they do is the same with every profile.
_WITHOUT = {"instruction", "local", "completion", "config"}


def test_every_command_is_one_or_the_other() -> None:
    using = {name for name in USING_A_PROFILE if " " not in name}
    assert using | _WITHOUT == set(COMMANDS)
    assert using & _WITHOUT == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`gptasst file list` shows them", "`gptasst --profile a file list` shows them"),
        ("gptasst auth login", "gptasst --profile a auth login"),
        ("rm x && gptasst auth login", "rm x && gptasst --profile a auth login"),
        (
            "`gptasst run X -t 'say --profile' -o o` and `gptasst chat X`",
            "`gptasst --profile a run X -t 'say --profile' -o o` and `gptasst --profile a chat X`",
        ),
    ],
)
def test_carried(text: str, expected: str) -> None:
    assert for_profile(text, "a") == expected
    assert for_profile(expected, "a") == expected
    assert for_profile(text, None) == text


@pytest.mark.parametrize(
    "text",
    [
        "gptasst config set profiles.b.model MODEL",
        "`gptasst instruction list` shows them",
        "`gptasst --profile b file list` shows them",
        "`gptasst --profile b run X -t 'the `gptasst run`'` does it",
        "`gptasst --help` shows all",
        "did you mean `gptasst-file`?",
        "the batch was not submitted by gptasst",
    ],
)
def test_left_alone(text: str) -> None:
    assert for_profile(text, "a") == text


def test_a_name_of_several_words() -> None:
    assert for_profile("`gptasst doctor`", "my own") == "`gptasst --profile 'my own' doctor`"


def test_a_marked_command_is_quoted_and_carries_the_profile() -> None:
    text = f"{command('file list')} and {command('instruction list')} show them"
    assert shown(text, None) == "`gptasst file list` and `gptasst instruction list` show them"
    assert shown(text, "a b") == (
        "`gptasst --profile 'a b' file list` and `gptasst instruction list` show them"
    )
    assert commands_in(text) == ("gptasst file list", "gptasst instruction list")


def test_words_that_only_look_like_a_command_stay() -> None:
    text = f"{command('run X')}: the file `gptasst file list` is not there"
    assert (
        shown(text, "a") == "`gptasst --profile a run X`: the file `gptasst file list` is not there"
    )


@pytest.mark.parametrize(
    ("word", "near"), [("docwriter", "DocWriter"), ("DocWrter", "DocWriter"), ("zzz", None)]
)
def test_the_nearest_name(word: str, near: str | None) -> None:
    assert nearest(word, ["DocWriter", "Translator"]) == near


def test_an_error_names_its_fixes() -> None:
    error = GptasstError("it failed", hint=f"{command('doctor')} shows why")
    assert error.fixes == ("gptasst doctor",)
    assert error.hint == "`gptasst doctor` shows why"
    error.profile = "mine"
    assert error.hint == "`gptasst --profile mine doctor` shows why"
