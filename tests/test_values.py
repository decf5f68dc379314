"""`gptasst.values.dataclass` makes what `dataclasses.dataclass` makes."""

from __future__ import annotations

import builtins
import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptasst import values


def _classes(decorator: Any) -> tuple[type[Any], type[Any]]:
    @decorator(frozen=True, slots=True)
    class Value:
        first: object
        second: object = 2
        made: object = dataclasses.field(default_factory=lambda: "made")
        hidden: object = dataclasses.field(default=0, repr=False)
        aside: object = dataclasses.field(default=0, compare=False)

    @decorator(slots=True)
    class State:
        first: object
        made: list[object] = dataclasses.field(default_factory=list)

    return Value, State


_OURS, _OUR_STATE = _classes(values.dataclass)
_THEIRS, _THEIR_STATE = _classes(dataclasses.dataclass)
_objects = st.none() | st.integers(0, 2) | st.lists(st.integers(0, 1), max_size=1)
_names = st.sampled_from(["first", "second", "made", "hidden", "aside", "other"])
_calls = st.tuples(st.lists(_objects, max_size=6), st.dictionaries(_names, _objects, max_size=4))


def _outcome(act: Callable[[], Any]) -> object:
    try:
        return act()
    except (TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"


@given(_calls, _calls)
def test_values_are_those_of_the_standard_library(one: Any, other: Any) -> None:
    assert _outcomes(_OURS, one, other) == _outcomes(_THEIRS, one, other)


def _outcomes(kind: Any, *calls: Any) -> list[object]:
    """What calls make, and what becomes of it."""
    made = [_outcome(partial(kind, *words, **options)) for words, options in calls]
    uses: tuple[Callable[[Any], object], ...] = (
        hash,
        dataclasses.asdict,
        lambda value: repr(dataclasses.replace(value, second=5)),
    )
    values = [each for each in made if isinstance(each, kind)]
    return [
        *map(repr, made),
        made[0] == made[1],
        *(_outcome(partial(use, value)) for use in uses for value in values),
    ]


@pytest.mark.parametrize("kind", [_OURS, _THEIRS])
def test_a_value_never_changes(kind: type[Any]) -> None:
    value = kind(1)
    changes = (partial(setattr, value, "first", 2), partial(delattr, value, "first"))
    for change in (*changes, partial(setattr, value, "new", 2)):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            change()
    assert value == kind(1)
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("kind", [_OUR_STATE, _THEIR_STATE])
def test_what_is_not_frozen_can_be_changed_and_not_hashed(kind: type[Any]) -> None:
    state = kind(1)
    state.made.append(2)
    state.first = 3
    assert state == kind(3, [2])
    assert repr(state).endswith(".State(first=3, made=[2])")
    assert kind(1).made == []
    with pytest.raises(TypeError, match="unhashable"):
        hash(state)


@values.dataclass(frozen=True, slots=True)
class Kept:
    """A value that pickle finds by its name."""

    number: int
    text: str = ""


def test_values_are_copied_pickled_and_matched() -> None:
    value = Kept(1, "a")
    assert copy.copy(value) == copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value  # our own
    match value:
        case Kept(number, text=text):
            assert (number, text) == (1, "a")


def test_no_method_is_compiled_before_the_first_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python 3.13 on, `dataclasses` compiles a function around none."""
    compiled: list[str] = []
    execute = builtins.exec

    def recorded(text: str, *spaces: dict[str, object]) -> None:
        compiled.append(text)
        execute(text, *spaces)

    monkeypatch.setattr("builtins.exec", recorded)
    _classes(values.dataclass)
    assert [text for text in compiled if "self" in text] == []
    _classes(dataclasses.dataclass)
    assert [text for text in compiled if "self" in text]


def test_it_is_taken_wherever_it_can_make_the_class() -> None:
    taken = {"@dataclass(frozen=True, slots=True)", "@dataclass(slots=True)"}
    left = []
    for path in Path(values.__file__).parent.rglob("*.py"):
        text = path.read_text("utf-8")
        if re.search(r"^from dataclasses import .*\bdataclass\b", text, re.MULTILINE):
            made = set(re.findall(r"^@dataclass.*$", text, re.MULTILINE))
            left += [path.name] if made and made <= taken else []
    assert left == []


def test_what_it_cannot_make_is_refused() -> None:
    with pytest.raises(TypeError, match=r"only `dataclasses\.dataclass`"):
        values.dataclass(frozen=True, slots=False)(type("Plain", (), {}))
