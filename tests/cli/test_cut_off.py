"""Answers that ran into a limit, on servers that call them completed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import json_reply

pytestmark = pytest.mark.usefixtures("local_store")

EACH = ("run", "DocWriter", "--each")


def asked(server: LoopbackServer) -> list[str]:
    return [record.path for record in server.requests]


def tell(server: LoopbackServer, path: str, body: Any, times: int = 1) -> None:
    server.disturb("GET", path, HttpAnswer(json_reply(body)), times=times)


@pytest.fixture
def long_answer(server: LoopbackServer) -> str:
    """About 1,250 tokens."""
    server.answer = "word " * 1000 + "\n"
    return server.answer


@pytest.mark.usefixtures("long_answer")
class TestContext:
    def test_from_the_list_of_models(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "text\n")
        tell(server, "/v1/models", {"data": [{"id": "gpt-6-luna", "max_model_len": 1100}]})
        ran = cli(*EACH, "a.md", "--in-place")
        assert ran.code == 6
        assert "the answer was cut off: the context of 1,100 tokens is full" in ran.stderr
        assert Path("a.md").read_text() == "text\n"
        assert asked(server) == ["/v1/responses", "/v1/models"]

    def test_from_llama_cpp(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("out.md", "old\n")
        tell(server, "/props", {"default_generation_settings": {"n_ctx": 1100}})
        ran = cli("run", "DocWriter", "-t", "x", "-o", "out.md", "--json")
        assert (ran.code, ran.error["code"]) == (7, "incomplete")
        assert Path("out.md").read_text() == "old\n"
        assert asked(server) == ["/v1/responses", "/v1/models", "/props"]

    @pytest.mark.parametrize("name", ["gpt-6-luna", "gpt-6-luna:latest"])
    def test_from_ollama(self, cli: Cli, server: LoopbackServer, name: str) -> None:
        """Also where it cut off the input, in silence, so that the answer filled the context."""
        others = {"name": "other", "model": "other", "context_length": 1}
        tell(server, "/api/ps", {"models": [others, {"model": name, "context_length": 1100}]})
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (7, "incomplete")
        assert "the context of 1,100 tokens is full" in ran.error["message"]

    def test_from_lm_studio(self, cli: Cli, server: LoopbackServer) -> None:
        told = {"id": "gpt-6-luna", "max_context_length": 32768, "loaded_context_length": 1100}
        tell(server, "/api/v0/models/gpt-6-luna", told)
        assert cli("run", "DocWriter", "-t", "x").code == 7

    @pytest.mark.parametrize("window", [4096, "1100", None, True])
    def test_not_full_or_not_known(
        self, cli: Cli, server: LoopbackServer, long_answer: str, window: object
    ) -> None:
        tell(server, "/props", {"default_generation_settings": {"n_ctx": window}})
        assert cli("run", "DocWriter", "-t", "x").text == long_answer

    def test_a_server_that_fails_to_tell(
        self, cli: Cli, server: LoopbackServer, long_answer: str
    ) -> None:
        server.disturb("GET", "/*", HttpAnswer(json_reply({"error": "?"}, 500)), times=9)
        assert cli("run", "DocWriter", "-t", "x").text == long_answer

    def test_from_the_profile(self, cli: Cli, server: LoopbackServer, home: Path) -> None:
        (home / "config").mkdir(parents=True)
        (home / "config/config.toml").write_text("[profiles.openai]\ncontext = 1100\n")
        assert cli("run", "DocWriter", "-t", "x").code == 7
        assert asked(server) == ["/v1/responses"]

    def test_asked_for_once(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        for name in ("a.md", "b.md", "c.md"):
            write(name, f"{name}\n")
        assert cli(*EACH, "a.md", "b.md", "c.md", "--check", "-q").code == 6
        once = ["/api/ps", "/api/v0/models/gpt-6-luna", "/props", "/v1/models"]
        assert sorted(asked(server)) == [*once, *["/v1/responses"] * 3]


class TestLimit:
    def test_of_the_definition(
        self, cli: Cli, server: LoopbackServer, write: Write, long_answer: str
    ) -> None:
        write(
            "instructions/Short.toml",
            'name = "Short"\ninstructions = "x"\n[settings]\nmax_output_tokens = 100\n',
        )
        write("a.md", "text\n")
        ran = cli("run", "Short", "a.md", "--each", "--in-place")
        assert ran.code == 6
        assert "the answer was cut off at 100 tokens" in ran.stderr
        assert Path("a.md").read_text() == "text\n"
        server.answer = "fine\n"
        assert cli("run", "Short", "a.md", "--each", "--in-place").code == 0

    def test_in_a_batch(
        self, cli: Cli, project: LoopbackServer, write: Write, long_answer: str
    ) -> None:
        write(
            "instructions/Short.toml",
            'name = "Short"\ninstructions = "x"\n[settings]\nmax_output_tokens = 100\n',
        )
        write("a.md", "text\n")
        ran = cli("run", "Short", "a.md", "--each", "--in-place", "--batch", "--wait")
        assert ran.code == 6
        assert "cut off at 100 tokens" in ran.stderr
        assert Path("a.md").read_text() == "text\n"


def test_a_short_answer_costs_no_further_request(cli: Cli, server: LoopbackServer) -> None:
    server.answer = "short"
    assert cli("run", "DocWriter", "-t", "x").code == 0
    assert asked(server) == ["/v1/responses"]


class TestServersOwnLimit:
    """llama.cpp with `-n`: the response says nothing of it."""

    BODY = outcomes.http_error(
        200,
        body={
            "status": "completed",
            "output": [
                {"type": "message", "content": [{"type": "output_text", "text": "half a sent"}]}
            ],
            "usage": {"input_tokens": 9, "output_tokens": 48, "total_tokens": 57},
        },
    )

    @pytest.mark.parametrize("limit", [48, 64])
    def test_is_known_from_what_it_did_last(
        self, cli: Cli, server: LoopbackServer, limit: int
    ) -> None:
        server.outcomes.append(self.BODY)
        tell(server, "/slots", [{"id": 0, "params": {"n_predict": limit}}])
        ran = cli("run", "DocWriter", "-t", "x", "-o", "out.md")
        assert ran.code == (7 if limit == 48 else 0)
        assert ("cut off at 48 tokens, a limit of the server's own" in ran.stderr) == (limit == 48)

    def test_a_server_without_slots_is_asked_once(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        for name in ("a.md", "b.md"):
            write(name, f"{name}\n")
        server.outcomes.extend([self.BODY, self.BODY])
        assert cli(*EACH, "a.md", "b.md", "-j", "1", "-o", "out").code == 0
        assert asked(server).count("/slots") == 1
