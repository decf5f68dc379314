"""Cases as TOML: what is read, what is refused and where, what is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptasst.definitions.case_files import read_cases_file
from gptasst.definitions.cases import steps_of
from gptasst.definitions.toml import dump_definition, parse_definition
from gptasst.definitions.types import Case, Definition
from gptasst.errors import InvalidDefinition
from tests.conftest import Write

GOOD = """\
judge_model = "gpt-6.2-sol"

[[case]]
name = "one"
input = '''
[[case]]
name = "not one of them"
'''
contains = "x"
[case.vars]
lang = "de"

[[case]]
name = "two"
text = "Hello"
"""


def refused(write: Write, text: str) -> InvalidDefinition:
    with pytest.raises(InvalidDefinition) as raised:
        read_cases_file(write("A.cases.toml", text))
    return raised.value


def test_cases_are_read(write: Write) -> None:
    first, second = read_cases_file(write("A.cases.toml", GOOD + 'judge = "Is it kind?"\n'))
    assert (first.name, first.contains, first.vars) == ("one", ("x",), {"lang": "de"})
    assert first.input == '[[case]]\nname = "not one of them"\n'
    assert (second.judge, second.judge_model) == (("Is it kind?",), "gpt-6.2-sol")


@pytest.mark.parametrize(
    ("line", "problem", "hint"),
    [
        ("max_tokns = 3", "unknown key `max_tokns`", "did you mean `max_tokens`?"),
        ('matches = "(a"', "`(a` is not a regular expression", None),
        ("contains = []", "key `contains` is empty", None),
        ("max_change = 2", "must be from 0.0 to 1.0", None),
        ("max_seconds = nan", "must be at least 0.0", None),
        ('schema = "{"', "key `schema` is not JSON", None),
        ('json = { "a..b" = 1 }', "`a..b` is not a path", "items[0].name"),
        ('keeps = "cod"', "has `cod`, which is not allowed", "one of: code"),
        ("unchanged = true", "compares the answer with `input` or `file`", None),
        ("vars = { lang = 3 }", "key `vars.lang` must be a string", None),
    ],
)
def test_an_error_names_line_and_key(
    write: Write, line: str, problem: str, hint: str | None
) -> None:
    error = refused(write, f"{GOOD}{line}\n")
    assert problem in error.message
    assert error.line == GOOD.count("\n") + 1, error.message
    assert hint is None or hint in (error.hint or "")


def test_a_case_without_checks_or_input_is_refused(write: Write) -> None:
    error = refused(write, GOOD)
    assert (error.line, error.problem) == (14, "case `two` checks nothing")
    error = refused(write, '[[case]]\nname = "one"\nequals = "x"\n')
    assert error.problem == "case `one` has no `input`, `file` or `text`"


def test_two_cases_of_a_name_are_refused(write: Write) -> None:
    case = '[[case]]\nname = "one"\ntext = "x"\nequals = "x"\n'
    assert refused(write, case + case).line == 6
    assert refused(write, "").problem == "it has no [[case]]"


_words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
_names = _words.filter(lambda name: name.strip() and name.isprintable())
_values: Any = st.recursive(
    st.integers(-9, 9) | st.booleans() | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    lists = st.lists(_words, max_size=3).map(tuple)
    return Case(
        name=draw(_names),
        input=draw(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"))),
        text="x",
        vars=draw(st.dictionaries(st.sampled_from("ab"), _words)),
        contains=("x",),
        not_contains=draw(lists),
        json=draw(st.dictionaries(st.sampled_from(["a", "b[0].c"]), _values)),
        keeps=draw(st.sampled_from([(), ("code",), ("urls", "code")])),
        cites=draw(lists),
        max_tokens=draw(st.none() | st.integers(1, 99)),
        max_cost=draw(st.none() | st.floats(0, 9)),
        judge=draw(lists),
    )


@given(st.lists(cases(), max_size=3, unique_by=lambda case: case.name))
def test_a_definition_carries_its_cases(given_cases: list[Case]) -> None:
    definition = Definition("A", "Do it.", cases=tuple(given_cases))
    assert parse_definition(dump_definition(definition), source="A") == definition


def test_steps_of_a_path() -> None:
    assert steps_of("items[0].name") == ["items", 0, "name"]
    assert steps_of("[-1]") == [-1]


def test_a_file_of_cases_is_no_instruction(write: Write) -> None:
    from gptasst.definitions.library import InstructionLibrary

    path = write("instructions/A.toml", "instructions = 'x'")
    write("instructions/A.cases.toml", GOOD)
    assert InstructionLibrary([("project", path.parent)]).names() == ["A"]
