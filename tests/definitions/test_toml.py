"""The TOML of definitions: round trip, exact errors, and the page about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gptasst.definitions.toml import dump_definition, parse_definition
from gptasst.definitions.types import (
    Case,
    Definition,
    EditSettings,
    McpServer,
    ModelSettings,
    SearchSettings,
    Tools,
    Variable,
)
from tests.conftest import Cli, Write
from tests.docs.pages import DOCS, section

FORMAT = section(DOCS / "definitions.md", "The TOML format")
_FULL = Definition(
    name="Übersetzer 2",
    instructions="You translate.\n\n'''quoted''' and \"\"\"too\"\"\", C:\\path, tab\t, 🙂\n",
    description='one line with "quotes" and a #',
    model="gpt-6-luna",
    instruction="Translator",
    default_text="Translate this.\nAll of it.",
    unwrap_fence=True,
    knowledge=("docs/", "*.ü"),
    cases=(Case("a", text="b", equals="c"),),
    edit=EditSettings(("code",), 0.5, "block", "Correct it.", (("a", "b"),)),
    tools=Tools(
        file_search=False,
        code_interpreter=True,
        web_search=True,
        mcp=(
            McpServer("docs", "https://mcp.example.com/", "what", ("search",), "never", "DOCS_KEY"),
        ),
    ),
    settings=ModelSettings(
        reasoning_effort="low",
        temperature=0.5,
        top_p=1.0,
        max_output_tokens=16,
        verbosity="low",
        reasoning_summary="auto",
        service_tier="fast",
        max_tool_calls=3,
        tool_choice="required",
        compact_threshold=1000,
        safety_identifier="somebody",
    ),
    schema={"type": "object", "properties": {"ä": {"type": ["string", "null"]}}},
    variables=(Variable("NAME", "x", 'what "it" is', ("x", "y")),),
    extends="Translator",
    instructions_append="More.",
)


class TestRoundTrip:
    @pytest.mark.parametrize(
        "definition",
        [
            Definition(name="X", instructions="Do it."),
            Definition(name="X", instructions="\nfirst line empty, none at the end"),
            Definition(name="X", instructions='ends in quotes ""'),
            Definition(name="X", instructions="back\\slash at the end\\"),
            _FULL,
            replace(
                _FULL, tools=Tools(True, search=SearchSettings(3, 0.25, ("docs/", "!*.md"), 1))
            ),
            replace(_FULL, tools=Tools(True, search=SearchSettings(filters=("*.md",)))),
        ],
        ids=["small", "leading newline", "quotes", "backslash", "full", "search", "filters"],
    )
    def test_what_is_written_is_read_back(self, definition: Definition) -> None:
        assert parse_definition(dump_definition(definition), source="x.toml") == definition

    def test_what_is_not_set_is_not_written(self) -> None:
        text = dump_definition(Definition(name="X", instructions="Do it."))
        assert text.splitlines() == ['name = "X"', 'instructions = "Do it."']

    @pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
    def test_a_file_from_windows(self, cli: Cli, write: Write, start: bytes) -> None:
        write("x.toml", start + b"instructions = '''\r\none\r\ntwo\r\n'''\r\n")
        shown = cli("instruction", "show", "x.toml", "--json").json
        assert shown["definition"]["instructions"] == "one\ntwo\n"


_ONE = "instructions = 'x'\n"

_WRONG = {
    "unknown key": (
        "# a comment\ninstrutions = 'x'\n",
        2,
        "unknown key `instrutions`",
        "did you mean `instructions`?",
    ),
    "unknown key, nothing near": (_ONE + "zzz = 1\n", 2, "unknown key `zzz`", "known: name, "),
    "unknown tool": (
        _ONE + "\n[tools]\nweb_serch = true\n",
        4,
        "unknown key `web_serch` in [tools]",
        "did you mean `web_search`?",
    ),
    "unknown way to search": (
        _ONE + "\n[tools.file_search]\nmax_results = 3\nmax_result = 3\n",
        5,
        "unknown key `max_result` in [tools.file_search]",
        "did you mean `max_results`?",
    ),
    "neither switch nor table": (
        _ONE + "[tools]\nfile_search = 3\n",
        3,
        "key `tools.file_search` must be true, false or a table",
        None,
    ),
    "too many results": (
        _ONE + "[tools]\nfile_search = { max_results = 51 }\n",
        3,
        "key `tools.file_search.max_results` must be from 1 to 50, not 51",
        None,
    ),
    "a score that none has": (
        _ONE + "[tools.file_search]\nscore_threshold = 1.5\n",
        3,
        "key `tools.file_search.score_threshold` must be from 0.0 to 1.0, not 1.5",
        None,
    ),
    "a weight that none has": (
        _ONE + "[tools.file_search]\ntext_weight = -1\n",
        3,
        "key `tools.file_search.text_weight` must be from 0.0 to 1.0, not -1.0",
        None,
    ),
    "filters that are no list": (
        _ONE + "[tools.file_search]\nfilters = 'docs/'\n",
        3,
        "key `tools.file_search.filters` must be a list of strings",
        None,
    ),
    "no filters": (
        _ONE + "[tools.file_search]\nfilters = []\n",
        3,
        "key `tools.file_search.filters` is empty",
        None,
    ),
    "none of a server's tools": (
        _ONE + "[[tools.mcp]]\nlabel = 'a'\nurl = 'https://example.com/'\nallowed_tools = []\n",
        5,
        "key `allowed_tools` in [[tools.mcp]] is empty",
        "leave it out to allow all tools of the server",
    ),
    "unknown setting": (
        _ONE + "[settings]\ntop_p = 1\nseed = 1\n",
        4,
        "unknown key `seed` in [settings]",
        "known: reasoning_effort, temperature, top_p, max_output_tokens",
    ),
    "missing": ("description = 'x'\n", 1, "missing key `instructions`", None),
    "blank": ("\n\ninstructions = '''\n  \n'''\n", 3, "key `instructions` is empty", None),
    "not a string": (_ONE + "model = 3\n", 2, "key `model` must be a string", None),
    "not a switch": (_ONE + "unwrap_fence = 1\n", 2, "key `unwrap_fence` must be true or", None),
    "not a table": (_ONE + "tools = 1\n", 2, "key `tools` must be a table", None),
    "not a number": (
        _ONE + "settings.temperature = true\n",
        2,
        "key `settings.temperature` must be a number",
        None,
    ),
    "out of range": (
        _ONE + "[settings]\ntemperature = 2.5\n",
        3,
        "key `settings.temperature` must be from 0.0 to 2.0, not 2.5",
        None,
    ),
    "not finite": (
        _ONE + "[settings]\ntop_p = nan\n",
        3,
        "key `settings.top_p` must be from 0.0 to 1.0, not nan",
        None,
    ),
    "too small": (
        _ONE + "[settings]\nmax_output_tokens = 15\n",
        3,
        "key `settings.max_output_tokens` must be at least 16, not 15",
        None,
    ),
    "not a whole number": (
        _ONE + "[settings]\nmax_output_tokens = 16.0\n",
        3,
        "key `settings.max_output_tokens` must be a whole number",
        None,
    ),
    "not a level": (
        _ONE + "[settings]\nreasoning_effort = 'hgh'\n",
        3,
        "key `settings.reasoning_effort` is `hgh`, which is not allowed",
        "one of: none, minimal, low, medium, high, xhigh, max",
    ),
    "schema is not JSON": (_ONE + "schema = '{'\n", 2, "key `schema` is not JSON", None),
    "schema is no object": (_ONE + "schema = '[]'\n", 2, "key `schema` must hold a JSON", None),
    "schema is no schema": (
        _ONE + 'schema = \'{"type": "objekt"}\'\n',
        2,
        "key `schema` is not a JSON Schema: $.type: 'objekt' is not valid",
        None,
    ),
    "name with a slash": (_ONE + "name = 'a/b'\n", 2, "name `a/b` has a slash", None),
    "name with a dash": (_ONE + "name = '-x'\n", 2, "name `-x` starts with a dash", None),
    "not TOML": (_ONE + "model = \n", 2, "not valid TOML: invalid value", None),
    "not closed": ("instructions = '''\n\nx\n", 4, "not valid TOML: ", None),
    "after a long string": (
        "instructions = '''\nmodel = 1\n[tools]\n'''\nmodel = 1\n",
        5,
        "key `model` must be a string",
        None,
    ),
}


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "line", "problem", "hint"), _WRONG.values(), ids=_WRONG.keys()
    )
    def test_name_file_line_and_key(
        self, cli: Cli, write: Write, text: str, line: int, problem: str, hint: str | None
    ) -> None:
        write("wrong.toml", text)
        ran = cli("instruction", "show", "wrong.toml", "--json")
        assert (ran.code, ran.stderr) == (2, "")
        assert ran.error["code"] == "invalid_definition"
        assert ran.error["message"].startswith(f"wrong.toml:{line}: {problem}")
        assert (ran.error["hint"] or "").startswith(hint or "")

    def test_for_people(self, cli: Cli, write: Write) -> None:
        write("wrong.toml", _ONE + "modell = 'x'\n")
        ran = cli("instruction", "show", "wrong.toml")
        assert (ran.code, ran.text) == (2, "")
        assert ran.stderr.splitlines() == [
            "error: wrong.toml:2: unknown key `modell`",
            "hint: did you mean `model`?",
        ]

    def test_not_utf8(self, cli: Cli, write: Write) -> None:
        write("wrong.toml", b"instructions = '\xff'\n")
        error = cli("instruction", "show", "wrong.toml", "--json").error
        assert error["message"] == "wrong.toml:1: not UTF-8 at byte 16"


class TestPage:
    def test_documents_every_key(self, cli: Cli, write: Write) -> None:
        """Each key of the table is taken, and no key is taken that it does not have."""
        documented = set(re.findall(r"^\| `([\w.]+)` \|", FORMAT, flags=re.MULTILINE))
        written = parse_keys(dump_definition(_FULL))
        assert documented == written

    def test_its_example_is_valid(self, cli: Cli, write: Write) -> None:
        write("HouseStyle.toml", FORMAT.split("```toml\n", 1)[1].split("```", 1)[0])
        assert cli("instruction", "validate", "HouseStyle.toml").code == 0


def parse_keys(text: str) -> set[str]:
    """The keys of a TOML text, those of tables with a dot."""
    import tomllib

    return set(_dotted(tomllib.loads(text)))


def _dotted(table: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{path}{key}.")
        else:
            yield path + key
