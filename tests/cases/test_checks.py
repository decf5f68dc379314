"""Each check, on answers for which it holds and for which it does not."""

from __future__ import annotations

from typing import Any

import pytest

from gptasst.cases.checks import Given, failures_of
from gptasst.cases.patterns import PatternTooSlow, found_in
from gptasst.definitions.types import Case

TEXT = """\
---
title: Hi
---
# Head [link](http://a.b/c)

Some `code`, 12 and {name}.

```py
foo()
```
"""

_JSON = '{"a": [0, {"b": [1, {"c": true}]}], "d": 1}'


def failed(answer: str, *, source: str | None = None, **checks: Any) -> list[str]:
    given = Given(answer, source, "a.md", ("docs/a.md", "docs/b.md"), 100, None, 1.5)
    return [failure.check for failure in failures_of(Case("x", **checks), given)]


@pytest.mark.parametrize(
    ("checks", "answer"),
    [
        ({"equals": "a\nb"}, "a\r\nb\n\n"),
        ({"contains": ("a", "b")}, "a b"),
        ({"not_contains": ("x",)}, "a"),
        ({"matches": ("^b+$", "a")}, "a\nbb\nc"),
        ({"not_matches": ("^x",)}, "a x"),
        ({"schema": {"type": "object", "required": ["a"]}}, '{"a": 1}'),
        ({"json": {"a[1].b": [1, {"c": True}], "d": 1.0}}, _JSON),
        ({"max_tokens": 100, "max_seconds": 1.5}, "x"),
        ({"cites": ("docs/a.md", "*.md"), "not_cites": ("docs/c.md",)}, "x"),
    ],
)  # fmt: skip
def test_it_holds(checks: dict[str, Any], answer: str) -> None:
    assert failed(answer, **checks) == []


@pytest.mark.parametrize(
    ("checks", "answer"),
    [
        ({"equals": "a\nb"}, "a b"),
        ({"contains": ("a", "x")}, "a b"),
        ({"not_contains": ("a",)}, "a"),
        ({"matches": ("^a$",)}, "a b"),
        ({"not_matches": ("b$",)}, "a b"),
        ({"schema": {"type": "object", "required": ["a"]}}, '{"b": 1}'),
        ({"schema": {"type": "object"}}, "no JSON"),
        ({"max_tokens": 99}, "x"),
        ({"max_seconds": 1.0}, "x"),
        ({"max_cost": 1.0}, "x"),  # the price is not known
        ({"cites": ("docs/c.md",)}, "x"),
        ({"not_cites": ("docs/",)}, "x"),
    ],
)
def test_it_fails(checks: dict[str, Any], answer: str) -> None:
    (check,) = checks
    assert set(failed(answer, **checks)) == {check}


@pytest.mark.parametrize(
    ("path", "wanted"), [("a", 2), ("a", True), ("b", None), ("a[0]", 1), ("c.d", "x")]
)
def test_json_that_is_something_else(path: str, wanted: object) -> None:
    assert failed('{"a": 1, "c": {"d": "y"}}', json={path: wanted}) == [f"json {path}"]


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("code", "foo()", "bar()"),
        ("code", "`code`", "`cod`"),
        ("urls", "a.b/c", "a.b/d"),
        ("front_matter", "title: Hi", "title: Ho"),
        ("numbers", "12", "13"),
        ("placeholders", "{name}", "{Name}"),
        ("structure", "# Head", "## Head"),
    ],
)
def test_what_an_answer_keeps(kind: str, old: str, new: str) -> None:
    kinds = ("code", "urls", "front_matter", "html", "numbers", "structure", "placeholders")
    assert failed(TEXT.replace("Some", "Any"), source=TEXT, keeps=kinds) == []
    assert failed(TEXT.replace(old, new), source=TEXT, keeps=kinds) == [f"keeps {kind}"]


def test_how_much_changed() -> None:
    assert failed(TEXT, source=TEXT, unchanged=True, max_change=0.0) == []
    changed = TEXT.replace("Some", "Any")
    assert failed(changed, source=TEXT, unchanged=True) == ["unchanged"]
    assert failed(changed, source=TEXT, max_change=0.2) == []
    assert failed(changed, source=TEXT, max_change=0.01) == ["max_change"]


def test_a_pattern_that_takes_years_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gptasst.cases.patterns._SECONDS", 1.0)
    assert found_in(("a+", "^x", "c$"), "aab\nabc") == [True, False, True]
    with pytest.raises(PatternTooSlow, match=r"the pattern `\(a\+\)\+\$` took longer than 1 s"):
        found_in(("a+", "(a+)+$"), "a" * 50 + "b")
