"""The newer settings and tools of a definition: what is sent of them, and where it is not."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from gptasst.definitions.toml import dump_definition, parse_definition
from gptasst.definitions.types import (
    Definition,
    EditSettings,
    ModelSettings,
    SearchSettings,
    Tools,
)
from gptasst.errors import InvalidDefinition
from gptasst.runs.types import basis_digest
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.wire import Reply
from tests.on_terminal import on_terminal
from tests.openapi import assert_valid_request

_ALL = """\
instructions = "Do it."
[settings]
reasoning_effort = "low"
verbosity = "low"
reasoning_summary = "auto"
service_tier = "priority"
max_tool_calls = 3
tool_choice = "code_interpreter"
safety_identifier = "somebody"
[settings.context_management]
compact_threshold = 5000
[tools.web_search]
allowed_domains = ["example.com"]
context_size = "high"
[tools.web_search.location]
country = "DE"
city = "Köln"
[tools.code_interpreter]
memory = "4g"
network = false
[[tools.mcp]]
label = "docs"
url = "https://mcp.example.com/mcp"
allowed_tools = ["search"]
approval = "never"
[[tools.mcp]]
label = "tickets"
url = "https://tickets.example.com/mcp"
description = "the tickets"
key_env = "TICKETS_KEY"
"""
_MCP = """\
instructions = "Do it."
[[tools.mcp]]
label = "tickets"
url = "https://tickets.example.com/mcp"
"""
_KEYED = _MCP + 'key_env = "TICKETS_KEY"\n'
_REQUEST = {
    "type": "mcp_approval_request",
    "id": "mcpr_1",
    "server_label": "tickets",
    "name": "close",
    "arguments": '{"number": 7}',
}
_LISTED = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "tickets", "tools": []}


def body(server: LoopbackServer) -> Any:
    return [r for r in server.requests if r.path == "/v1/responses"][-1].json


@pytest.fixture
def allowed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETS_KEY", "tk-0123456789")
    assert cli("config", "set", "mcp_keys.TICKETS_KEY", "tickets.example.com").code == 0


@pytest.mark.usefixtures("allowed")
class TestSent:
    def test_as_the_api_has_it(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("instructions/All.toml", _ALL)
        ran = cli("run", "All", "-t", "x", "--json")
        assert ran.code == 0, ran.stderr
        sent = body(server)
        assert sent["text"] == {"verbosity": "low"}
        assert sent["reasoning"] == {"effort": "low", "summary": "auto"}
        assert sent["service_tier"] == "priority"
        assert (sent["max_tool_calls"], sent["tool_choice"]) == (3, {"type": "code_interpreter"})
        assert sent["safety_identifier"] == hashlib.sha256(b"gptasst somebody").hexdigest()
        assert "context_management" not in sent
        assert sent["tools"] == [
            {
                "type": "code_interpreter",
                "container": {
                    "type": "auto",
                    "memory_limit": "4g",
                    "network_policy": {"type": "disabled"},
                },
            },
            {
                "type": "web_search",
                "filters": {"allowed_domains": ["example.com"]},
                "search_context_size": "high",
                "user_location": {"type": "approximate", "country": "DE", "city": "Köln"},
            },
            {
                "type": "mcp",
                "server_label": "docs",
                "server_url": "https://mcp.example.com/mcp",
                "require_approval": "never",
                "allowed_tools": ["search"],
            },
            {
                "type": "mcp",
                "server_label": "tickets",
                "server_url": "https://tickets.example.com/mcp",
                "require_approval": "always",
                "server_description": "the tickets",
                "authorization": "tk-0123456789",
            },
        ]
        assert_valid_request(server.requests[-1])
        assert ran.json["tools"] == [
            "code_interpreter", "web_search", "mcp:docs", "mcp:tickets",
        ]  # fmt: skip

    def test_a_conversation_is_compacted(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("instructions/All.toml", _ALL)
        assert cli("run", "All", "-t", "x", "--conversation", "new").code == 0
        assert body(project)["context_management"] == [
            {"type": "compaction", "compact_threshold": 5000}
        ]
        assert_valid_request([r for r in project.requests if r.path == "/v1/responses"][-1])

    def test_with_a_schema(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("instructions/All.toml", _ALL)
        write("schema.json", '{"type": "object"}')
        server.answer = "{}"
        assert cli("run", "All", "-t", "x", "--schema", "schema.json").code == 0
        text = body(server)["text"]
        assert (text["verbosity"], text["format"]["type"]) == ("low", "json_schema")

    def test_an_assistant_keeps_all_of_it(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("instructions/All.toml", _ALL)
        assert cli("assistant", "create", "A", "-i", "All").code == 0
        exported = cli("assistant", "export", "A").text
        assert parse_definition(exported, source="x") == parse_definition(
            f'name = "A"\ninstruction = "All"\n{_ALL}', source="x"
        )
        assert "tk-0123456789" not in exported
        assert cli("assistant", "edit", "A", "--no-web-search").code == 0
        assert "web_search" not in cli("assistant", "export", "A").text

    def test_whoever_runs_it_is_a_hash(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("me.toml", "instructions = 'x'\n[settings]\nsafety_identifier = true\n")
        hashes = set()
        for _ in range(2):
            assert cli("run", "me.toml", "-t", "x").code == 0
            hashes.add(body(server)["safety_identifier"])
        (one,) = hashes
        assert len(one) == 64

    def test_a_choice_without_tools_is_left_out(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("x.toml", "instructions = 'x'\n[settings]\ntool_choice = 'required'\n")
        assert cli("run", "x.toml", "-t", "x").code == 0
        assert "tool_choice" not in body(server)


class TestReasoning:
    def test_its_summary_is_for_the_curious(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("x.toml", "instructions = 'x'\n[settings]\nreasoning_summary = 'detailed'\n")
        summary = [{"type": "summary_text", "text": "**First**\n\nI look."}]
        item = {"type": "reasoning", "id": "rs_1", "summary": summary}
        server.outcomes += [outcomes.with_items(item, text="Done.")] * 3
        assert cli("run", "x.toml", "-t", "x").stderr == ""
        ran = cli("run", "x.toml", "-t", "x", "-v")
        assert ran.text == "Done."
        assert "reasoning: **First**\n" in ran.stderr
        assert "reasoning: I look.\n" in ran.stderr
        assert cli("run", "x.toml", "-t", "x", "--json").json["reasoning"] == (
            "**First**\n\nI look."
        )


class TestKeys:
    """A definition names a variable, and it comes from others: the user says who may get it."""

    def test_of_a_server_that_was_not_allowed(
        self, cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TICKETS_KEY", "tk-0123456789")
        write("x.toml", _KEYED)
        ran = cli("run", "x.toml", "-t", "x")
        assert (ran.code, server.requests) == (2, [])
        assert ran.stderr.splitlines() == [
            (
                "error: the definition sends the variable TICKETS_KEY to tickets.example.com"
                " (`mcp:tickets`), which is not allowed yet"
            ),
            (
                "hint: `gptasst config set mcp_keys.TICKETS_KEY tickets.example.com` allows it; do"
                " that only if the variable holds the key of that server"
            ),
        ]
        assert cli("config", "set", "mcp_keys.TICKETS_KEY", "tickets.example.com").code == 0
        assert cli("run", "x.toml", "-t", "x").code == 0
        write("x.toml", _KEYED.replace("tickets.example", "evil.example"))
        assert cli("run", "x.toml", "-t", "x", "--json").error["code"] == "key_not_allowed"

    def test_one_that_is_not_set(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("x.toml", _KEYED)
        assert cli("config", "set", "mcp_keys.TICKETS_KEY", "tickets.example.com").code == 0
        ran = cli("run", "x.toml", "-t", "x")
        assert (ran.code, server.requests) == (2, [])
        assert "hint: export TICKETS_KEY=…" in ran.stderr

    @pytest.mark.usefixtures("allowed")
    def test_it_is_in_no_message(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("x.toml", _KEYED)
        message = "The MCP server refused tk-0123456789."
        server.outcomes.append(outcomes.http_error(424, message=message))
        ran = cli("run", "x.toml", "-t", "x", "-v")
        assert ran.code == 1
        assert "refused [key]." in ran.stderr
        assert "tk-0123456789" not in ran.stderr
        assert "tk-0123456789" not in cli("config", "show").text

    @pytest.mark.usefixtures("allowed")
    def test_a_batch_would_keep_it(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("x.toml", _KEYED)
        write("a.md", "a")
        ran = cli("run", "x.toml", "a.md", "--each", "--batch", "-o", "out")
        assert (ran.code, project.batches) == (2, {})
        assert "uses `mcp:tickets` with a key" in ran.stderr

    def test_a_repository_that_brings_one_is_reported(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("instructions/New.toml", _MCP)
        ran = cli("run", "New", "-t", "x")
        assert "of the working directory turns on mcp:tickets; use `--no-project`" in ran.stderr


class TestApproval:
    @pytest.fixture(autouse=True)
    def asking(self, server: LoopbackServer, write: Write) -> None:
        write("x.toml", _MCP)
        asks = outcomes.with_items(_LISTED, _REQUEST, text="")
        server.outcomes += [asks, outcomes.answer("Closed.")]

    @pytest.mark.parametrize(("typed", "approved"), [("y\n", True), ("\n", False)])
    def test_at_a_terminal_somebody_is_asked(
        self, server: LoopbackServer, typed: str, approved: bool
    ) -> None:
        seen = on_terminal("run", "x.toml", "-t", "x", typed=typed, after="[y/N]")
        assert seen.code == 0, seen.screen
        question = 'the model wants to call `close` of `mcp:tickets` with {"number": 7}: allow it?'
        assert question in seen.screen
        assert "Closed." in seen.screen
        first, second = (r.json["input"] for r in server.requests if "input" in r.json)
        assert second == [
            *first,
            _LISTED,
            _REQUEST,
            {
                "type": "mcp_approval_response",
                "approval_request_id": "mcpr_1",
                "approve": approved,
            },
        ]
        # The document's own schema of a response to a request lacks what it requires.
        assert_valid_request(next(r for r in server.requests if "input" in r.json))

    def test_where_nobody_can_be_asked(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "x.toml", "-t", "x")
        assert (ran.code, ran.stdout) == (2, b"")
        assert len(server.outcomes) == 1
        assert "the model wants to call `close` of `mcp:tickets`" in ran.stderr
        assert 'or set `approval = "never"` in its [[tools.mcp]]' in ran.stderr


class TestWhatAServerLacks:
    @pytest.fixture(autouse=True)
    def terse(self, write: Write) -> None:
        write("x.toml", "instructions = 'x'\n[settings]\nverbosity = 'low'\n")

    @pytest.mark.parametrize(
        "message",
        [
            "Unsupported parameter: 'text.verbosity' is not supported with this model.",
            "Unknown parameter: 'verbosity'",
            "[{'loc': ('body', 'text', 'verbosity'), 'msg': 'Extra inputs are not permitted'}]",
        ],
    )
    def test_refused_once_it_is_refused_before(
        self, cli: Cli, server: LoopbackServer, message: str
    ) -> None:
        server.outcomes.append(outcomes.http_error(400, message=message))
        ran = cli("run", "x.toml", "-t", "x")
        assert ran.code == 2
        assert "does not take `verbosity`" in ran.stderr
        assert "take `verbosity` out of its [settings]" in ran.stderr
        server.requests.clear()
        again = cli("run", "x.toml", "-t", "x")
        assert (again.code, server.requests) == (2, [])
        assert "does not take `verbosity`, which `x.toml` sets" in again.stderr

    def test_ignored_it_is_noted(self, cli: Cli, server: LoopbackServer) -> None:
        event = {"type": "response.output_text.delta", "delta": "right"}
        item = {"type": "message", "content": [{"type": "output_text", "text": "right"}]}
        response = {"id": "resp_1", "status": "completed", "output": [item]}
        done = {"type": "response.completed", "response": response}
        events = "".join(f"data: {json.dumps(each)}\n\n" for each in (event, done))
        for _ in range(2):
            reply = Reply(events.encode(), 200, "text/event-stream")
            server.outcomes.append(outcomes.HttpAnswer(reply))
            ran = cli("run", "x.toml", "-t", "x")
            assert (ran.code, ran.text) == (0, "right")
            assert "shows no sign of `verbosity`: it may have ignored it" in ran.stderr


_WRONG = [
    ("[settings]\nverbosity = 'terse'", "3: key `settings.verbosity` is `terse`"),
    ("[settings]\nservice_tier = 'flex'", "key `settings.service_tier` is `flex`"),
    ("[settings]\nmax_tool_calls = 0", "key `settings.max_tool_calls` must be at least 1"),
    ("[settings]\ntool_choice = 'code_interpreter'", "is `code_interpreter`, which is off"),
    ("[settings]\ntool_choice = 'mcp:x'", "key `settings.tool_choice` is `mcp:x`"),
    ("[settings.context_management]\ncompact_threshold = 10", "must be at least 1000"),
    ("[settings.context_management]", "has no `compact_threshold`"),
    ("[settings]\nsafety_identifier = false", "key `settings.safety_identifier` must be a string"),
    ("[tools]\nweb_search = 'x'", "key `tools.web_search` must be true, false or a table"),
    ("[tools.web_search]\nallowed_domains = ['https://a.b/']", "which is no domain"),
    ("[tools.web_search]\nsites = []", "unknown key `sites` in [tools.web_search]"),
    ("[tools.web_search.location]\ncountry = 'Germany'", "is `Germany`, no code of a country"),
    ("[tools.code_interpreter]\nmemory = '2g'", "key `tools.code_interpreter.memory` is `2g`"),
    ("[tools]\nmcp = 'x'", "`tools.mcp` must be a list"),
    ("[[tools.mcp]]\nlabel = 'x'", "[[tools.mcp]] has no `url`"),
    ("[[tools.mcp]]\nurl = 'http://a.b/'", "3: key `url` in [[tools.mcp]] begins with http"),
    ("[[tools.mcp]]\nurl = 'https://u:p@a.b/'", "has a password in it"),
    ("[[tools.mcp]]\nkey = 'x'", "key `key` in [[tools.mcp]] is unknown"),
    ("[[tools.mcp]]\nkey_env = 'sk-1'", "is not the name of an environment variable"),
    ("[[tools.mcp]]\napproval = 'sometimes'", "is `sometimes`"),
    (
        "[[tools.mcp]]\nlabel = 'x'\nurl = 'https://a.b'\n" * 2,
        "two of [[tools.mcp]] have the label `x`",
    ),
]


@pytest.mark.parametrize(("table", "problem"), _WRONG)
def test_what_breaks_the_format(table: str, problem: str) -> None:
    with pytest.raises(InvalidDefinition) as failure:
        parse_definition(f"instructions = 'x'\n{table}\n", source="x.toml", name="X")
    assert problem in failure.value.message


class TestWhatWasBefore:
    """What an earlier version wrote or finished stays as it is."""

    _OLD = (
        (
            Definition("X", "Do it."),
            "18b5eaa54d00fb67b31d29838f5f5a6ecf908c0d43e146be5d271a263321a7ae",
        ),
        (
            Definition(
                "Y",
                "Do it.",
                tools=Tools(True, True, True, SearchSettings(3, 0.5, ("docs/",), 0.25)),
                settings=ModelSettings("low", 0.5, 1.0, 100),
                edit=EditSettings(("code",), 0.5),
                unwrap_fence=True,
            ),
            "bcc8bdf6c30e127c8719f95d02c115509c7d38359999c67375661822fca68145",
        ),
    )

    @pytest.mark.parametrize(("definition", "digest"), _OLD)
    def test_finished_runs_stay_finished(self, definition: Definition, digest: str) -> None:
        asked: Any = {"model": "m", "task": "t", "schema": None, "knowledge_sha256": ""}
        assert basis_digest(definition, **asked) == digest

    @pytest.mark.parametrize(("definition", "digest"), _OLD)
    def test_it_is_written_for_older_versions(self, definition: Definition, digest: str) -> None:
        text = dump_definition(definition)
        assert "format" not in text
        assert parse_definition(text, source="x") == definition

    def test_newer_keys_say_so(self) -> None:
        for settings in (ModelSettings(verbosity="low"), ModelSettings(compact_threshold=2000)):
            text = dump_definition(Definition("X", "x", settings=settings))
            assert text.startswith("format = 2\n")

    def test_a_newer_setting_is_another_run(self) -> None:
        asked: Any = {"model": "m", "task": "t", "schema": None, "knowledge_sha256": ""}
        plain, terse, fast = (
            basis_digest(Definition("X", "x", settings=settings), **asked)
            for settings in (
                ModelSettings(),
                ModelSettings(verbosity="low"),
                ModelSettings(service_tier="fast"),
            )
        )
        assert plain != terse
        assert plain == fast
