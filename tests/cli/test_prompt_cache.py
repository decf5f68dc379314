"""What requests keep in the server's prompt cache, and what a command is billed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from gptasst.api.requests import takes_breakpoints
from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer
from tests.loopback.prompt_cache import bill
from tests.openapi import assert_valid_request

LONG = "Write plainly, and keep every name as it is. " * 120  # 1,350 tokens
EXPLICIT = {"mode": "explicit"}


@pytest.fixture
def long_instruction(write: Write) -> str:
    write("long.toml", f'name = "Long"\ninstructions = "{LONG}"\n')
    return "long.toml"


def bodies(server: LoopbackServer) -> list[Any]:
    return [r.json for r in server.requests if r.path == "/v1/responses"]


def marked(body: Any) -> list[str]:
    """The roles of the messages that have a breakpoint."""
    return [
        item["role"]
        for item in body["input"]
        for part in item["content"]
        if isinstance(part, dict) and part.get("prompt_cache_breakpoint") == EXPLICIT
    ]


class TestWhereItIsSent:
    @pytest.mark.parametrize(
        ("model", "takes"),
        [
            ("gpt-6-luna", True), ("gpt-6.2-astra", True), ("gpt-5.6", True), ("gpt-5.10", True),
            ("ft:gpt-6-luna:team::1", True), ("openai/gpt-6-luna", True), ("gpt-5.5", False),
            ("gpt-5", False), ("gpt-4o", False), ("gpt-4.1-mini", False), ("o4-mini", False),
            ("qwen3:8b", False), ("my-gpt-6", False),
        ],
    )  # fmt: skip
    def test_models(self, model: str, takes: bool) -> None:
        assert takes_breakpoints(model) == takes

    def test_elsewhere_nothing_is_sent(
        self, cli: Cli, server: LoopbackServer, write: Write, long_instruction: str
    ) -> None:
        """A server that is not OpenAI's may refuse what it does not know."""
        server.takes_prompt_cache = False
        for name in ("a", "b"):
            write(f"in/{name}.md", name)
        assert cli("run", long_instruction, "--each", "-f", "in", "-o", "out").code == 0
        assert all(body["instructions"] == LONG for body in bodies(server))

    def test_a_server_that_refuses_it(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.takes_prompt_cache = False
        monkeypatch.setenv("GPTASST_PROMPT_CACHE", "explicit")
        ran = cli("run", "DocWriter", "-t", "x")
        assert (ran.code, "GPTASST_PROMPT_CACHE=off" in ran.stderr) == (1, True)
        monkeypatch.setenv("GPTASST_PROMPT_CACHE", "off")
        assert cli("run", "DocWriter", "-t", "x").code == 0

    def test_configuration(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        def shown() -> tuple[str, str]:
            values = cli("config", "show", "--json").json["values"]
            value = next(v for v in values if v["key"] == "prompt_cache")
            return value["value"], value["source"].rpartition("/")[2]

        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        assert shown() == ("explicit", "default")
        assert cli("config", "set", "profiles.openai.prompt_cache", "off").code == 0
        assert shown() == ("off", "config.toml:2")
        monkeypatch.setenv("GPTASST_PROMPT_CACHE", "explicit")
        assert shown() == ("explicit", "GPTASST_PROMPT_CACHE")
        monkeypatch.setenv("GPTASST_PROMPT_CACHE", "on")
        ran = cli("config", "show")
        assert ran.code == 2
        assert "GPTASST_PROMPT_CACHE is `on`" in ran.stderr
        assert "explicit, off" in ran.stderr
        monkeypatch.delenv("GPTASST_PROMPT_CACHE")
        assert cli("config", "set", "profiles.openai.prompt_cache", "on").code == 2

    def test_another_server_is_off_by_default(self, cli: Cli, server: LoopbackServer) -> None:
        values = cli("config", "show", "--json").json["values"]
        assert [v["value"] for v in values if v["key"] == "prompt_cache"] == ["off"]


class TestBreakpoints:
    @pytest.fixture(autouse=True)
    def explicit(self, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GPTASST_PROMPT_CACHE", "explicit")

    def test_a_single_run_writes_nothing(
        self, cli: Cli, server: LoopbackServer, long_instruction: str
    ) -> None:
        ran = cli("run", long_instruction, "-t", "x " * 5000, "--json")
        assert (ran.json["usage"]["written"], ran.json["usage"]["cached"]) == (0, 0)
        (body,) = bodies(server)
        assert (body["prompt_cache_options"], marked(body)) == (EXPLICIT, [])
        assert body["instructions"] == LONG

    def test_many_runs_share_long_instructions(
        self, cli: Cli, server: LoopbackServer, write: Write, long_instruction: str
    ) -> None:
        for number in range(3):
            write(f"in/{number}.md", f"Text {number}.\n" * 500)
        each = ("run", long_instruction, "--each", "-f", "in", "-o", "out", "--jobs", "1")
        summary = cli(*each, "--json").json["summary"]
        assert summary["written_tokens"] * 2 == summary["cached_tokens"] > 2 * 1024
        first, *others = bodies(server)
        assert {body["prompt_cache_key"] for body in others} == {first["prompt_cache_key"]}
        for body in (first, *others):
            assert marked(body) == ["developer"]
            assert "instructions" not in body
        for record in server.requests:
            if record.path == "/v1/responses":
                assert_valid_request(record)

    def test_short_instructions_are_not_written(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        for name in ("a", "b"):
            write(f"in/{name}.md", f"{name} " * 5000)
        ran = cli("run", "DocWriter", "--each", "-f", "in", "-o", "out", "--json")
        assert ran.json["summary"]["written_tokens"] == 0
        assert all(marked(body) == [] for body in bodies(server))

    def test_the_parts_of_a_long_edit_share_them(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        definition = f'instructions = "{LONG}"\nedits = true\n'
        write("edit.toml", definition)
        write(
            "long.md", "".join(f"Paragraph number {n}, {'as it is. ' * 20}\n\n" for n in range(700))
        )
        ran = cli("run", "edit.toml", "-f", "long.md", "--json")
        assert len(bodies(server)) > 1
        assert ran.json["usage"]["cached"] + ran.json["usage"]["written"] > 2 * 1024
        assert all(marked(body) == ["developer"] for body in bodies(server))

    def test_of_examples_the_last_is_marked(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "One sentence. Another sentence. And a third one.\n")
        write(
            "edit.toml",
            f'instructions = "{LONG}"\nedits = true\n[edit]\nunit = "sentence"\n'
            '[edit.sentences]\ninstructions = "Correct it."\n'
            'examples = [["Teh cat.", "The cat."]]\n',
        )
        assert cli("run", "edit.toml", "-f", "a.md").code == 0
        assert len(bodies(server)) == 3
        for body in bodies(server):
            assert marked(body) == ["user"]
            assert "prompt_cache_breakpoint" in body["input"][0]["content"][0]

    def test_a_long_schema_is_shared(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        names = [f"property_number_{number}" for number in range(100)]
        properties = {name: {"type": "string", "description": "what it is"} for name in names}
        schema = {"type": "object", "properties": properties}
        write("schema.json", json.dumps(schema))
        server.answer = "{}"
        for name in ("a", "b"):
            write(f"in/{name}.md", name)
        each = ("run", "DocWriter", "--each", "-f", "in", "-o", "out", "--jobs", "1")
        summary = cli(*each, "--schema", "schema.json", "--json").json["summary"]
        assert summary["written_tokens"] == summary["cached_tokens"] > 1024

    def test_definitions_have_keys_of_their_own(self, cli: Cli, server: LoopbackServer) -> None:
        for name in ("DocWriter", "MarkdownLinter", "DocWriter"):
            cli("run", name, "-t", "x")
        one, two, again = (body["prompt_cache_key"] for body in bodies(server))
        assert one == again != two
        assert len(one) <= 64

    @pytest.mark.parametrize("store", ["local", "openai"])
    def test_a_conversation_is_read_from_the_cache(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, store: str
    ) -> None:
        monkeypatch.setenv("GPTASST_STORE", store)
        begun = cli("run", "DocWriter", "-c", "-t", "word " * 1500, "--json").json
        usages = [begun["usage"]]
        for _ in range(3):
            turn = ("--conversation", begun["conversation"], "-t", "more " * 300, "--json")
            usages.append(cli("run", "DocWriter", *turn).json["usage"])
        for before, after in itertools.pairwise(usages[1:]):
            assert after["cached"] > 0.7 * before["input"]
            assert after["cached"] + after["written"] == after["input"]
        for record in server.requests:
            if record.path == "/v1/responses":
                assert_valid_request(record)

    def test_a_batch_writes_nothing(
        self, cli: Cli, server: LoopbackServer, write: Write, long_instruction: str
    ) -> None:
        for name in ("a", "b"):
            write(f"in/{name}.md", name)
        assert cli("run", long_instruction, "--each", "--batch", "-f", "in", "-o", "out").code == 0
        (stored,) = (file for file in server.files.values() if b'"method"' in file.data)
        assert stored.data.count(b'"prompt_cache_options":{"mode":"explicit"}') == 2
        assert b"prompt_cache_breakpoint" not in stored.data


class TestTheBillOf200Files:
    """As OpenAI would write it, in prices of an input token."""

    def of(self, cli: Cli, server: LoopbackServer, instruction: str, mode: str) -> float:
        server.prompt_cache.clear()
        ran: Ran = cli(
            "run", instruction, "--each", "-f", "in", "-o", f"out-{mode}", "--force", "--json"
        )
        assert ran.code == 0
        summary = ran.json["summary"]
        keys = ("input_tokens", "cached_tokens", "written_tokens")
        return bill(*(summary[key] for key in keys))

    @pytest.mark.parametrize(("words", "most"), [(None, 0.81), (LONG * 2, 0.62)])
    def test_it(
        self,
        cli: Cli,
        server: LoopbackServer,
        write: Write,
        monkeypatch: pytest.MonkeyPatch,
        words: str | None,
        most: float,
    ) -> None:
        for number in range(200):
            write(f"in/{number}.md", f"This is text number {number}.\n" * 200)
        write("own.toml", f'name = "Own"\ninstructions = "{words or "Write plainly."}"\n')
        bills = {}
        for mode in ("off", "explicit"):
            monkeypatch.setenv("GPTASST_PROMPT_CACHE", mode)
            bills[mode] = self.of(cli, server, "own.toml", mode)
        assert bills["explicit"] < most * bills["off"]
        texts = {Path(f"out-{mode}/0.md").read_text() for mode in bills}
        assert len(texts) == 1
