"""Check answers against cases."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gptasst.cases.patterns import found_in
from gptasst.cases.types import CheckFailure
from gptasst.definitions.cases import steps_of
from gptasst.definitions.types import Case, Keep
from gptasst.each.files import unified_diff
from gptasst.edits.blocks import forget_sections, format_of, parse
from gptasst.edits.checking import what_stays
from gptasst.edits.difference import changed_characters
from gptasst.edits.types import Format
from gptasst.inputs.ignore import fits_patterns
from gptasst.values import dataclass

_SHOWN = 200  # characters shown of an answer
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Given:
    """An answer to check, with its input, sources and usage.

    `tokens` is `None` if the server did not count, `cost` (US dollars) if the price is unknown.
    """

    answer: str
    input: str | None
    path: str
    sources: tuple[str, ...]
    tokens: int | None
    cost: float | None
    seconds: float


def failures_of(case: Case, given: Given) -> list[CheckFailure]:
    """The failed checks of a case, except `judge`, which a model answers.

    Raises:
        PatternTooSlow: a regular expression takes too long.
    """
    found: list[CheckFailure] = []
    for check in _CHECKS:
        found += check(case, given)
    return found


def retrieval_failures(case: Case, sources: Sequence[str]) -> list[CheckFailure]:
    """The failed checks of a case on the search in the knowledge."""
    got = ", ".join(sources) or "nothing"
    missing = [path for path in case.cites if not any(_is(path, s) for s in sources)]
    found = [CheckFailure("cites", path, got) for path in missing]
    for path in case.not_cites:
        cited = [source for source in sources if _is(path, source)]
        found += [CheckFailure("not_cites", f"not {path}", source) for source in cited]
    return found


def _is(wanted: str, source: str) -> bool:
    """Whether a source is a path, or matches a pattern as in `.gitignore`."""
    return wanted == source or fits_patterns((wanted,), source)


def _texts(case: Case, given: Given) -> Iterator[CheckFailure]:
    answer, got = given.answer, _short(given.answer)
    if case.equals is not None and _ended(case.equals) != _ended(answer):
        diff = unified_diff("answer", _ended(case.equals), _ended(answer))
        yield CheckFailure("equals", _short(case.equals), got, _named(diff))
    for text in case.contains:
        if text not in answer:
            yield CheckFailure("contains", text, got)
    for text in case.not_contains:
        if text in answer:
            yield CheckFailure("not_contains", f"not {text}", _around(answer, text))
    wanted = found_in(case.matches + case.not_matches, answer)
    for at, pattern in enumerate(case.matches):
        if not wanted[at]:
            yield CheckFailure("matches", pattern, got)
    for at, pattern in enumerate(case.not_matches, start=len(case.matches)):
        if wanted[at]:
            yield CheckFailure("not_matches", f"not {pattern}", got)


def _json(case: Case, given: Given) -> Iterator[CheckFailure]:
    if case.schema is None and not case.json:
        return
    try:
        value = json.loads(given.answer)
    except (ValueError, RecursionError) as error:
        yield CheckFailure("schema" if case.schema else "json", "JSON", f"{error}")
        return
    if case.schema is not None:
        from gptasst.definitions.schemas import check_answer
        from gptasst.errors import NoAnswer

        try:
            check_answer(given.answer, case.schema)
        except NoAnswer as error:
            reason = error.message.partition("schema: ")[2] or error.message
            yield CheckFailure("schema", "what the schema says", reason)
    for path, wanted in case.json.items():
        got = _at(value, path)
        if got is _MISSING or not _same(got, wanted):
            shown = "nothing there" if got is _MISSING else _plain(got)
            yield CheckFailure(f"json {path}", _plain(wanted), shown)


def _at(value: Any, path: str) -> Any:
    for step in steps_of(path):
        try:
            known = isinstance(value, dict if isinstance(step, str) else list)
            value = value[step] if known else _MISSING
        except (KeyError, IndexError):
            return _MISSING
    return value


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal; a number never equals a Boolean."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _edits(case: Case, given: Given) -> Iterator[CheckFailure]:
    before, after = given.input, given.answer
    if before is None:
        return
    if case.unchanged and _ended(before) != _ended(after):
        diff = unified_diff(given.path, _ended(before), _ended(after))
        yield CheckFailure("unchanged", "the input as it is", "another text", diff)
    if case.keeps:
        yield from _lost(case.keeps, given)
    if case.max_change is not None:
        share = changed_characters(before, after) / max(len(before), 1)
        if share > case.max_change:
            diff = unified_diff(given.path, _ended(before), _ended(after))
            expected = f"at most {case.max_change:.0%} of the characters changed"
            yield CheckFailure("max_change", expected, f"{share:.1%}", diff)


def _lost(kinds: Sequence[Keep], given: Given) -> Iterator[CheckFailure]:
    form = format_of(given.path)
    assert given.input is not None
    before, after = _stays(given.input, form), _stays(given.answer, form)
    for kind in kinds:
        gone, new = before[kind] - after[kind], after[kind] - before[kind]
        if gone or new:
            diff = unified_diff(given.path, _ended(given.input), _ended(given.answer))
            expected = ", ".join(gone) or f"no other {_CALLED[kind]}"
            got = ", ".join(new) or f"no such {_CALLED[kind]}"
            yield CheckFailure(f"keeps {kind}", _short(expected), _short(got), diff)


_CALLED: Mapping[str, str] = {
    "code": "code",
    "urls": "link or address",
    "front_matter": "front matter",
    "html": "HTML",
    "numbers": "number",
    "structure": "formatting",
    "placeholders": "placeholder",
}
_CODE_BLOCKS = ("fence", "code_block")


def _stays(text: str, form: Format) -> Mapping[str, Counter[str]]:
    """Everything in a text that an answer may have to keep, by kind."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in _CALLED}
    parsed = parse(text, form)
    for block in parsed.blocks:
        content = parsed.content(block)
        found["structure"][" ".join((*block.path, block.kind))] += 1
        if block.kind == "front_matter":
            found["front_matter"][content] += 1
        elif block.kind in _CODE_BLOCKS:
            found["code"][content] += 1
        elif block.kind == "html_block":
            found["html"][content] += 1
        else:
            for kind, each in what_stays(content, form, parsed.references).items():
                found[kind].update(each)
    forget_sections()
    return found


def _limits(case: Case, given: Given) -> Iterator[CheckFailure]:
    limits = (
        ("max_tokens", case.max_tokens, given.tokens, "{:,} tokens"),
        ("max_cost", case.max_cost, given.cost, "{:.6g} USD"),
        ("max_seconds", case.max_seconds, given.seconds, "{:.3g} s"),
    )
    for check, most, got, form in limits:
        if most is None:
            continue
        if got is None:
            unknown = "the server does not say" if check == "max_tokens" else "no price is known"
            yield CheckFailure(check, f"at most {form.format(most)}", unknown)
        elif got > most:
            yield CheckFailure(check, f"at most {form.format(most)}", form.format(got))


def _sources(case: Case, given: Given) -> Iterator[CheckFailure]:
    yield from retrieval_failures(case, given.sources)


_CHECKS: Sequence[Callable[[Case, Given], Iterator[CheckFailure]]] = (
    _texts, _json, _edits, _limits, _sources,
)  # fmt: skip


def _ended(text: str) -> str:
    """A text with LF line ends and exactly one at its end."""
    return text.replace("\r\n", "\n").rstrip("\n") + "\n"


def _named(diff: str) -> str:
    """A diff with descriptive names of its sides."""
    return diff.replace("--- a/answer", "--- expected", 1).replace("+++ b/answer", "+++ got", 1)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN].rstrip()} …"


def _around(answer: str, text: str) -> str:
    """The part of an answer around a text."""
    at = answer.index(text)
    start, end = max(at - _SHOWN // 4, 0), at + len(text) + _SHOWN // 4
    piece = re.sub(r"\s+", " ", answer[start:end]).strip()
    return f"{'… ' if start else ''}{piece}{' …' if end < len(answer) else ''}"
