"""Commands in what people are told carry the `--profile` of the call."""

from __future__ import annotations

import pytest

from gptasst.cli.app import COMMANDS
from gptasst.hints import USING_A_PROFILE, for_profile

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
