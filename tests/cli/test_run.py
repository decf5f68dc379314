"""`gptasst run`: what comes back, where it goes, and what the options do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import respx

from tests.cli.conftest import Sent, names
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.openapi import assert_valid_request

pytestmark = pytest.mark.usefixtures("local_store")

TRICKY = "# Grüße, 世界 🎉\r\n\r\n\ttabs  and trailing blanks  \n\x0cnot red\n\n\nno end"


class TestAnswer:
    @pytest.mark.parametrize("delta_size", [1, 7, 10_000])
    def test_byte_for_byte(self, cli: Cli, server: LoopbackServer, delta_size: int) -> None:
        server.answer, server.delta_size = TRICKY, delta_size

        ran = cli("run", "DocWriter", "-t", "x")
        assert (ran.code, ran.stdout, ran.stderr) == (0, TRICKY.encode(), "")

        ran = cli("run", "DocWriter", "-t", "x", "-o", "out.md")
        assert (ran.code, ran.stdout) == (0, b"")
        assert ran.stderr == f"wrote `out.md` ({len(TRICKY.encode())} B)\n"
        assert Path("out.md").read_bytes() == TRICKY.encode()

    def test_over_faked_http(
        self, cli: Cli, httpx2_mock: respx.Router, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The same from what looks like OpenAI itself, with nothing on a wire."""
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # what is sent through httpx2
        delta = {"type": "response.output_text.delta", "item_id": "m", "delta": TRICKY}
        done = {
            "type": "response.completed",
            "response": {"id": "resp_1", "status": "completed", "model": "m", "output": []},
        }
        events = "".join(f"data: {json.dumps(event)}\n\n" for event in (delta, done))
        route = httpx2_mock.post("https://api.openai.com/v1/responses").respond(
            content=events.encode(), content_type="text/event-stream"
        )

        ran = cli("run", "DocWriter", "-t", "x", "-o", "out.md")
        assert ran.code == 0, ran.stderr
        assert Path("out.md").read_bytes() == TRICKY.encode()
        body = json.loads(route.calls.last.request.content)
        assert (body["model"], body["store"]) == ("gpt-6-luna", False)
        assert route.calls.last.request.headers["authorization"] == "Bearer sk-test"

    def test_only_at_the_end(self, cli: Cli, server: LoopbackServer) -> None:
        server.outcomes.append(outcomes.late_text("late"))
        assert cli("run", "DocWriter", "-t", "x").stdout == b"late"

    def test_without_commentary(self, cli: Cli, server: LoopbackServer) -> None:
        server.outcomes.append(outcomes.with_commentary("Let me see.", "Done."))
        assert cli("run", "DocWriter", "-t", "x").stdout == b"Done."

    def test_fence_is_taken_off_where_asked(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("plain.toml", 'instructions = "x"')
        server.answer = "```markdown\n# Title\n\n```sh\nls\n```\n```\n"
        assert cli("run", "DocWriter", "-t", "x").text == "# Title\n\n```sh\nls\n```\n"
        assert cli("run", "plain.toml", "-t", "x").text == server.answer

    def test_json(self, cli: Cli, server: LoopbackServer) -> None:
        server.outcomes.append(outcomes.answer("Hi.", [("file-1", "a.md"), ("file-1", "a.md")]))
        ran = cli("run", "DocWriter", "-t", "x", "--json")

        assert (ran.code, ran.stderr) == (0, "")
        assert set(ran.json) == {
            "name", "answer", "model", "profile", "response_id", "timings", "usage", "cost",
            "citations", "warnings", "conversation", "left_out", "kept", "encoding", "definition",
            "tools", "searches", "passages", "reasoning",
        }  # fmt: skip
        assert (ran.json["answer"], ran.json["model"]) == ("Hi.", "gpt-6-luna")
        assert ran.json["citations"] == [
            {"path": "a.md", "place": "", "quote": "", "file_id": "file-1"}
        ]
        assert set(ran.json["usage"]) == {"input", "output", "cached", "reasoning", "written"}
        assert 0 <= ran.json["timings"]["first_token"] <= ran.json["timings"]["total"]
        assert ran.json["response_id"].startswith("resp_")

    def test_json_and_file(self, cli: Cli, server: LoopbackServer) -> None:
        server.answer = "Hi."
        ran = cli("--json", "run", "DocWriter", "-t", "x", "-o", "out.md")
        assert ran.json["answer"] == Path("out.md").read_text() == "Hi."

    def test_verbose_tells_the_cost(self, cli: Cli, server: LoopbackServer) -> None:
        server.outcomes.append(outcomes.answer("Hi.", [("file-1", "a.md")]))
        ran = cli("run", "DocWriter", "-t", "x", "-v")
        assert ran.stdout == b"Hi."
        assert "[1] a.md" in ran.stderr
        assert "gpt-6-luna: " in ran.stderr
        assert "tokens in" in ran.stderr

    def test_quiet(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-t", "x", "-o", "out.md", "-q")
        assert (ran.code, ran.stdout, ran.stderr) == (0, b"", "")

    def test_dash_is_stdout(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-t", "x", "-o", "-")
        assert (ran.stdout, names()) == (b"x", [])

    def test_keeps_permissions_and_links(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("real.md", "old").chmod(0o640)
        Path("link.md").symlink_to("real.md")
        assert cli("run", "DocWriter", "-t", "new", "-o", "link.md").code == 0
        assert Path("link.md").is_symlink()
        assert Path("real.md").read_text() == "new"
        assert Path("real.md").stat().st_mode & 0o777 == 0o640

    def test_over_its_input(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "old")
        server.answer = "new"
        assert cli("run", "DocWriter", "-f", "a.md", "-o", "a.md").code == 0
        assert (Path("a.md").read_text(), names()) == ("new", ["a.md"])


class TestRequest:
    def test_nothing_is_kept(self, cli: Cli, server: LoopbackServer) -> None:
        assert cli("run", "DocWriter", "-t", "x").code == 0
        (request,) = server.requests
        assert request.json["store"] is False
        assert (server.responses, server.files, server.conversations) == ({}, {}, {})
        assert_valid_request(request)

    def test_instructions_and_model(self, cli: Cli, server: LoopbackServer) -> None:
        cli("run", "MarkdownLinter", "-t", "x", "-m", "gpt-6.2-sol")
        body = server.requests[0].json
        assert body["model"] == "gpt-6.2-sol"
        assert body["instructions"].startswith("You correct spelling")

    def test_settings_and_tools(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write(
            "mine.toml",
            'instructions = "Be brief."\n[tools]\nweb_search = true\ncode_interpreter = true\n'
            '[settings]\nreasoning_effort = "low"\nmax_output_tokens = 99\n',
        )
        assert cli("run", "mine.toml", "-t", "x").code == 0
        request = server.requests[-1]  # before it, the tools are asked for
        assert request.json["reasoning"] == {"effort": "low"}
        assert request.json["max_output_tokens"] == 99
        assert [tool["type"] for tool in request.json["tools"]] == [
            "code_interpreter", "web_search",
        ]  # fmt: skip
        assert_valid_request(request)

    def test_own_instruction_comes_before_the_shipped(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("instructions/DocWriter.toml", 'instructions = "Mine."')
        cli("run", "DocWriter", "-t", "x")
        assert server.requests[0].json["instructions"] == "Mine."

    def test_retries(self, cli: Cli, server: LoopbackServer) -> None:
        waits = {"retry-after": "0.01"}
        server.outcomes.extend(outcomes.http_error(status, headers=waits) for status in (429, 503))
        assert cli("run", "DocWriter", "-t", "x").stdout == b"x"
        assert len(server.requests) == 3


def test_assistants_of_the_project_are_looked_up_first(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is without `GPTASST_STORE`: nothing but the list is asked for."""
    monkeypatch.delenv("GPTASST_STORE")
    assert cli("run", "DocWriter", "-t", "x").stdout == b"x"
    lookups = [(r.method, r.path, r.body_size) for r in server.requests[:-1]]
    assert set(lookups) == {("GET", "/v1/vector_stores", 0)}
    for request in server.requests:
        assert_valid_request(request)


class TestDryRun:
    def test_sends_nothing(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "hello")
        ran = cli("run", "DocWriter", "-f", "a.md", "-o", "out.md", "--dry-run", "--json")

        assert (ran.code, server.requests, names()) == (0, [], ["a.md"])
        assert ran.json["model"] == "gpt-6-luna"
        assert ran.json["endpoint"] == server.base_url
        assert ran.json["inputs"] == [
            {"path": "a.md", "kind": "text", "size": 5, "sent_as": "text"}
        ]
        assert ran.json["estimated_tokens"] > 5

    def test_for_people(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "hello")
        ran = cli("run", "DocWriter", "-f", "a.md", "-n")
        fields = dict(line.split("\t") for line in ran.lines)
        assert fields["inputs"] == "a.md (5 B, text)"
        assert fields["estimate"].startswith("about ")

    def test_needs_no_key(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        assert cli("run", "DocWriter", "-t", "x", "-n", "--profile", "openai").code == 0

    def test_refuses_what_a_run_would(self, cli: Cli, server: LoopbackServer) -> None:
        assert cli("run", "DocWriter", "-n").code == 2
        assert cli("run", "Nobody", "-t", "x", "-n").code == 3


class TestSchema:
    SCHEMA = (
        '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],'
        ' "additionalProperties": false}'
    )

    @pytest.mark.parametrize("answer", ['{"n": 1}', '```json\n{"n": 1}\n```\n'])
    def test_fits(self, cli: Cli, server: LoopbackServer, write: Write, answer: str) -> None:
        write("s.json", self.SCHEMA)
        server.answer = answer
        ran = cli("run", "DocWriter", "-t", "x", "--schema", "s.json")

        assert (ran.code, ran.json) == (0, {"n": 1})
        form = server.requests[0].json["text"]["format"]
        assert (form["type"], form["strict"]) == ("json_schema", True)
        assert form["schema"] == json.loads(self.SCHEMA)
        assert_valid_request(server.requests[0])

    def test_open_schema_is_not_strict(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("s.json", '{"type": "object"}')
        server.answer = "{}"
        assert cli("run", "DocWriter", "-t", "x", "--schema", "s.json").code == 0
        assert server.requests[0].json["text"]["format"]["strict"] is False

    @pytest.mark.parametrize(
        ("answer", "reason"), [('{"n": "1"}', "$.n: '1' is not of type 'integer'"), ("n", "JSON")]
    )
    def test_does_not_fit(
        self, cli: Cli, server: LoopbackServer, write: Write, answer: str, reason: str
    ) -> None:
        write("s.json", self.SCHEMA)
        write("out.json", "old")
        server.answer = answer
        ran = cli("run", "DocWriter", "-t", "x", "--schema", "s.json", "-o", "out.json")
        assert (ran.code, ran.stdout) == (7, b"")
        assert reason in ran.stderr
        assert Path("out.json").read_text() == "old"

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("{", "is not JSON"),
            ("[]", "must hold a JSON object"),
            ('{"type": "thing"}', "is not a JSON Schema: $.type"),
            (b"\xff{}", "is not UTF-8"),
        ],
    )
    def test_bad_schema(
        self, cli: Cli, server: LoopbackServer, write: Write, content: str | bytes, reason: str
    ) -> None:
        write("s.json", content)
        ran = cli("run", "DocWriter", "-t", "x", "--schema", "s.json")
        assert (ran.code, server.requests) == (2, [])
        assert f"schema `s.json` {reason}" in ran.stderr

    @pytest.mark.parametrize("ref", ["#/$defs/none", "http://127.0.0.1:9/schema.json"])
    def test_dangling_reference(
        self, cli: Cli, server: LoopbackServer, write: Write, ref: str
    ) -> None:
        write("s.json", json.dumps({"$ref": ref}))
        server.answer = "{}"
        ran = cli("run", "DocWriter", "-t", "x", "--schema", "s.json")
        assert ran.code == 2
        assert "which is not in it" in ran.stderr

    def test_no_such_schema(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-t", "x", "--schema", "s.json")
        assert (ran.code, server.requests) == (2, [])
        assert "schema `s.json` can't be read: No such file" in ran.stderr

    def test_of_an_instruction(
        self, cli: Cli, server: LoopbackServer, write: Write, sent: Sent
    ) -> None:
        server.answer = "no JSON"
        assert cli("run", "IssueTriage", "-t", "x").code == 7
        assert_valid_request(server.requests[0])
