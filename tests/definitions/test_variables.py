"""Variables of a definition: what is filled in, and what stays as it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gptasst.definitions.toml import dump_definition, parse_definition
from gptasst.definitions.types import Definition, Variable
from gptasst.definitions.variables import MissingVariables, filled
from gptasst.errors import InvalidDefinition, UsageError

_NAMES = st.from_regex(r"[^\W\d][\w-]{0,8}", fullmatch=True)
# Texts in which braces, and names between them, are likely.
_PIECES = st.one_of(
    st.sampled_from(["{", "}", "{{", "}}", "{{{", "{{ x }}", "{{x}}", "{{y}}", "%s", "$x", "\n"]),
    st.text(max_size=5),
    _NAMES.map(lambda name: f"{{{{{name}}}}}"),
)
_TEXTS = st.lists(_PIECES, max_size=12).map("".join)


@given(_TEXTS, st.dictionaries(_NAMES, _TEXTS, max_size=4))
def test_only_declared_names_are_filled_in(text: str, values: dict[str, str]) -> None:
    declared = tuple(Variable(name) for name in values)
    asked = Definition("X", text, default_text=text, variables=declared)
    found = filled(asked, values)
    # What stands between the places that are filled in is untouched, and so are the values.
    pattern = "|".join(re.escape(f"{{{{{name}}}}}") for name in values)
    gaps = re.split(pattern, text) if values else [text]
    names = [place[2:-2] for place in re.findall(pattern, text)] if values else []
    expected = gaps[0] + "".join(
        values[name] + gap for name, gap in zip(names, gaps[1:], strict=True)
    )
    assert found.instructions == found.default_text == expected


@given(_TEXTS)
def test_without_variables_every_brace_stays(text: str) -> None:
    assert filled(Definition("X", text), {}).instructions == text


@given(_TEXTS, _NAMES)
def test_a_value_is_not_looked_into(value: str, name: str) -> None:
    other = f"{name}2"
    asked = Definition("X", f"{{{{{name}}}}}", variables=(Variable(name), Variable(other, "no")))
    assert filled(asked, {name: value}).instructions == value


@given(
    st.lists(
        st.builds(
            Variable,
            _NAMES,
            st.none() | _TEXTS.map(lambda text: text.replace("\r\n", "\n")),
            st.text(),
        ),
        unique_by=lambda variable: variable.name,
        max_size=4,
    )
)
def test_what_is_written_is_read_back(variables: list[Variable]) -> None:
    assume(all("\r\n" not in v.description for v in variables))
    asked = Definition("X", "Do it.", variables=tuple(variables))
    assert parse_definition(dump_definition(asked), source="x.toml") == asked


class TestValues:
    _ASKED = Definition(
        "X",
        "{{a}} {{b}} {{c}}",
        variables=(Variable("a"), Variable("b", "B"), Variable("c", choices=("one", "two"))),
    )

    def test_defaults(self) -> None:
        assert filled(self._ASKED, {"a": "A", "c": "one"}).instructions == "A B one"

    def test_all_that_is_missing_is_told_at_once(self) -> None:
        with pytest.raises(MissingVariables) as failure:
            filled(self._ASKED, {})
        assert failure.value.message == "variables `a`, `c` are missing"
        assert failure.value.advice == "pass --var a=VALUE --var c=VALUE"

    def test_a_name_that_is_not_declared(self) -> None:
        with pytest.raises(UsageError) as failure:
            filled(self._ASKED, {"d": ""})
        assert failure.value.message == "`X` has no variable `d`"

    def test_a_value_that_is_no_choice(self) -> None:
        with pytest.raises(UsageError) as failure:
            filled(self._ASKED, {"c": "three"})
        assert failure.value.message == "variable `c` can't be `three`"
        assert failure.value.advice == "one of: one, two"


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("[variables]\nlang = 3", "6: key `variables.lang` must be a table"),
        ("[variables.lang]\ndefault = 3", "6: key `variables.lang.default` must be a string"),
        ("[variables.lang]\ndefaul = 'x'", "6: unknown key `defaul` in [variables.lang]"),
        ("[variables.lang]\nchoices = []", "6: key `variables.lang.choices` is empty"),
        ("[variables.lang]\nchoices = [1]", "must be a list of strings"),
        (
            "[variables.lang]\ndefault = 'x'\nchoices = ['y']",
            "6: key `variables.lang.default` is `x`, which is none of its choices",
        ),
        ("[variables.'a b']", "the variable `a b` has a name that is not made of letters"),
        (f"[variables.{'a' * 65}]", "has a name longer than 64 characters"),
    ],
)
def test_what_breaks_the_format(table: str, problem: str) -> None:
    text = f'name = "X"\ninstructions = "Do {{{{lang}}}}."\n\n\n{table}\n'
    with pytest.raises(InvalidDefinition) as failure:
        parse_definition(text, source="x.toml")
    assert problem in failure.value.message


def test_a_newer_format_is_refused_in_words() -> None:
    with pytest.raises(InvalidDefinition) as failure:
        parse_definition('format = 3\nnew = "x"\n', source="x.toml")
    assert failure.value.message == "x.toml:1: it has format 3, which a newer gptasst wrote"
    assert "gptasst" in (failure.value.advice or "")


def test_what_an_older_version_reads_is_written_as_before() -> None:
    assert "format" not in dump_definition(Definition("X", "Do it."))
    assert dump_definition(Definition("X", "x", variables=(Variable("a"),))).startswith(
        "format = 2"
    )
