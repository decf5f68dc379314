"""YAML of strangers, within bounds; what we write says the same to every reader."""

from __future__ import annotations

from typing import Any

import pytest
import strictyaml
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gptasst.definitions.formats.types import NotTaken
from gptasst.definitions.formats.yaml_text import read_yaml, split_front_matter, write_yaml

# All that YAML can carry as a character or an escape.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
_LINES = st.lists(
    st.sampled_from(["", " ", "a", "  b", "\tc", "- d", "# e", "f: g", "---", "h  ", "'i'", "…"]),
    max_size=6,
).map("\n".join)
_WORDS = st.sampled_from(
    ["yes", "No", "null", "~", "1", "1.0", "1e3", "0x10", "2020-01-01", "true", "a: b", "a #b",
     "x:", "[a]", "*a", "&a", "!a", "%a", "@a", "`a`", "|", ">", "-", "- a", "? a", "a'b", 'a"b',
     "{a}", "12:30:45", "=", "<<", ".inf", ".5", "+1", "Summarize this: $input", "a, b", ""]
)  # fmt: skip
_STRINGS = _TEXT | _LINES | _WORDS
_VALUES = st.recursive(
    _STRINGS | st.none() | st.booleans() | st.integers(-(10**9), 10**9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_STRINGS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(_STRINGS, _VALUES, max_size=4))
def test_what_is_written_is_read_back(values: dict[str, Any]) -> None:
    text = write_yaml(values)
    if values:
        assert yaml.safe_load(text) == values
        assert read_yaml(text) == values


@given(description=_STRINGS)
def test_front_matter_is_the_same_to_the_reference_library(description: str) -> None:
    text = write_yaml({"name": "x", "description": description}, escaped="---")
    assert "---" not in text
    assert read_yaml(text) == {"name": "x", "description": description}
    if "\r" not in description:
        assert strictyaml.load(text).data["description"] == description


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no\nb: on\nc: yes", {"a": "no", "b": "on", "c": "yes"}),
        (
            "a: 2020-01-01\nb: 1_000\nc: 1.5\nd: 012",
            {"a": "2020-01-01", "b": "1_000", "c": 1.5, "d": 12},
        ),
        ("on: {x: 1}", {"on": {"x": 1}}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ('"1": !!str 5\n2: ~', {"1": "5", "2": None}),
        ("", None),
        ("just a text", "just a text"),
    ],
)
def test_plain_words(text: str, value: object) -> None:
    assert read_yaml(text) == value


def _bomb() -> str:
    first = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"
    more = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join([first, *more])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (_bomb(), "line 5: more than 50,000 values"),
        ("[" * 200, "nested more than 50 levels deep"),
        ("a: &a {b: *a}", "line 1: unknown alias `*a`"),
        ("x: !!python/object/apply:os.system [id]", "YAML tag `tag:yaml.org,2002:python"),
        ("x: !env KEY", "YAML tag `!env` is not allowed"),
        ("a: 1\na: 2", "line 2: duplicate key `a`"),
        ("a: b: c", "line 1: not valid YAML: "),
        ("a: 1\n---\nb: 2", "line 2: more than one YAML document"),
        ("a: \x07", "it has characters that YAML does not allow"),
        ("? [a]\n: b", "a key is a list or a mapping"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NotTaken) as refused:
        read_yaml(text)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "x", "--- \n", "---x\na: 1\n---\n", "---\na: 1\n", "----\n---\n"]
)
def test_no_front_matter(text: str) -> None:
    assert split_front_matter(text) is None


def test_front_matter_and_its_body() -> None:
    found = split_front_matter("---\na: 1\n---  \n\nbody\n---\n")
    assert found is not None
    assert (found.yaml, found.body, found.body_line) == ("a: 1\n", "\nbody\n---\n", 4)


def test_front_matter_that_is_no_yaml_is_read_line_by_line() -> None:
    found = split_front_matter('---\nname: x\ndescription: a: b\n  more\ntools: "Read"\n---\nbody')
    assert found is not None
    values, wrong = found.simple_values()
    assert values == {"name": "x", "description": "a: b\nmore", "tools": "Read"}
    assert wrong is not None
    assert wrong.startswith("not valid YAML")
