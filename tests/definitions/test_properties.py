"""Whatever a definition holds, its TOML says the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gptasst.definitions.toml import dump_definition, name_problem, parse_definition
from gptasst.definitions.types import (
    CodeSettings,
    Definition,
    EditSettings,
    McpServer,
    ModelSettings,
    SearchSettings,
    Tools,
    WebSettings,
)

# Everything that UTF-8 can carry. TOML reads CR LF as a line's end, whatever was written.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
_FILLED = _TEXT.map(lambda text: text.replace("\r\n", "\n")).filter(lambda text: text.strip())
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_SCHEMAS = st.builds(
    lambda title, examples: {"type": "object", "title": title, "examples": examples},
    _TEXT,
    st.lists(_JSON, max_size=3),
)
_EXAMPLES = st.lists(st.tuples(_FILLED, _FILLED), max_size=2).map(tuple)
_EDITS = st.builds(
    EditSettings,
    keep=st.lists(st.sampled_from(["code", "placeholders"]), max_size=2).map(tuple),
    max_change=st.floats(0, 1),
    unit=st.sampled_from([None, "block", "sentence"]),
    sentence_instructions=st.none() | _FILLED,
    examples=_EXAMPLES,
)
_MAYBE = st.none() | st.booleans()


_SEARCHES = st.builds(
    SearchSettings,
    max_results=st.none() | st.integers(1, 50),
    score_threshold=st.none() | st.floats(0, 1),
    filters=st.lists(_TEXT.filter(lambda word: "\r\n" not in word), max_size=3).map(tuple),
    text_weight=st.none() | st.floats(0, 1),
)
_PLACES = st.none() | _FILLED
_WEB = st.builds(
    WebSettings,
    allowed_domains=st.lists(st.just("a.example"), max_size=2).map(tuple),
    context_size=st.sampled_from([None, "low"]),
    country=st.sampled_from([None, "DE"]),
    region=_PLACES,
    city=_PLACES,
    timezone=_PLACES,
)
_CODE = st.builds(CodeSettings, st.sampled_from([None, "64g"]), _MAYBE)
_SERVERS = st.lists(
    st.builds(
        McpServer,
        label=st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True),
        url=st.just("https://a.example/mcp"),
        description=st.just("") | _FILLED,
        allowed_tools=st.lists(_TEXT.filter(lambda w: "\r\n" not in w), max_size=2).map(tuple),
        approval=st.sampled_from(["never", "always"]),
        key_env=st.sampled_from([None, "A_KEY"]),
    ),
    unique_by=lambda server: server.label,
    max_size=2,
).map(tuple)
_TOOLS = (
    st.builds(Tools, _MAYBE, st.booleans(), st.booleans(), mcp=_SERVERS)
    | st.builds(Tools, st.just(value=True), st.booleans(), st.booleans(), _SEARCHES)
    | st.builds(Tools, _MAYBE, st.just(value=True), st.just(value=True), web=_WEB, code=_CODE)
)


_IDENTIFIERS: Any = st.none() | st.just(value=True) | _FILLED


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    return Definition(
        name=draw(_FILLED.map(str.strip).filter(lambda name: name_problem(name) is None)),
        instructions=draw(_FILLED),
        description=draw(st.just("") | _FILLED),
        model=draw(st.none() | _FILLED),
        instruction=draw(st.none() | _FILLED),
        default_text=draw(st.none() | _FILLED),
        unwrap_fence=draw(st.booleans()),
        schema=draw(st.none() | _SCHEMAS),
        knowledge=tuple(draw(st.lists(_TEXT.filter(lambda w: "\r\n" not in w), max_size=3))),
        edit=draw(st.none() | _EDITS),
        tools=draw(_TOOLS),
        settings=ModelSettings(
            reasoning_effort=draw(st.none() | st.sampled_from(["none", "low", "max"])),
            temperature=draw(st.none() | st.floats(0, 2)),
            top_p=draw(st.none() | st.floats(0, 1)),
            max_output_tokens=draw(st.none() | st.integers(16, 2**63 - 1)),
            verbosity=draw(st.sampled_from([None, "high"])),
            reasoning_summary=draw(st.sampled_from([None, "concise"])),
            service_tier=draw(st.sampled_from([None, "priority"])),
            max_tool_calls=draw(st.none() | st.integers(1, 2**63 - 1)),
            tool_choice=draw(st.sampled_from([None, "none", "auto", "required"])),
            compact_threshold=draw(st.none() | st.integers(1000, 2**63 - 1)),
            safety_identifier=draw(_IDENTIFIERS),
        ),
    )


@given(definitions())
def test_what_is_written_is_read_back(definition: Definition) -> None:
    assert parse_definition(dump_definition(definition), source="x.toml") == definition


@given(definitions())
def test_writing_it_again_changes_nothing(definition: Definition) -> None:
    text = dump_definition(definition)
    assert dump_definition(parse_definition(text, source="x.toml")) == text
