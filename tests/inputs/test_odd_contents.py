"""Contents of every kind: in every encoding, with every line end, and longer than is taken."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

import pytest

from tests.assistants.project import contents, knowledge
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.openapi import assert_valid_request

# Name of the content: itself, and whether file search and the local store take it.
CONTENTS: dict[str, tuple[bytes, bool, bool]] = {
    "byte order mark": (codecs.BOM_UTF8 + "grüße\n".encode(), True, True),
    "UTF-16": ("grüße\n".encode("utf-16"), True, True),
    "UTF-16 without a mark": ("plain text of it\n".encode("utf-16-le"), False, True),
    "UTF-32": ("grüße\n".encode("utf-32"), False, True),
    "Windows-1252": ("grüße\n".encode("cp1252"), False, True),
    "mixed line ends": (b"one\r\ntwo\nthree\rfour", True, True),
    "no final newline": (b"one", True, True),
    "NUL": (b"one\0two\n", False, False),
    "NUL at the end": (b"one\n" * 5000 + b"\0", False, False),
    "half of a character": (b"one \xe2\x82", False, True),
    "one long line": (b"word " * 200_000, True, True),
    "empty": (b"", False, False),
}
AllContents = pytest.mark.parametrize(
    ("content", "searched", "kept_here"), CONTENTS.values(), ids=CONTENTS.keys()
)


@AllContents
def test_knowledge_on_the_server(
    cli: Cli, project: LoopbackServer, write: Write, content: bytes, searched: bool, kept_here: bool
) -> None:
    write("a.md", content)
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md")
    assert ran.code == (0 if searched or kept_here else 2), ran.stderr
    if searched:
        assert knowledge(project, "W") == {"a.md": content}
    elif kept_here:  # it goes there as UTF-8
        assert "the server gets the text of `a.md`" in ran.stderr
        assert knowledge(project, "W")["a.md"].decode("utf-8")
    else:
        assert "`a.md`" in ran.stderr
        assert project.files == {}


@AllContents
def test_knowledge_of_the_local_store(
    cli: Cli, server: LoopbackServer, write: Write, content: bytes, searched: bool, kept_here: bool
) -> None:
    write("a.md", content)
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md")
    assert ran.code == (0 if kept_here else 2), ran.stderr


@AllContents
def test_upload(
    cli: Cli, project: LoopbackServer, write: Write, content: bytes, searched: bool, kept_here: bool
) -> None:
    """What is uploaded as input is nobody's business, and comes byte for byte."""
    write("a.md", content)
    ran = cli("file", "upload", "a.md")
    assert ran.code == (0 if content else 2)
    assert contents(project) == ([content] if content else [])


@AllContents
def test_input(
    cli: Cli, server: LoopbackServer, write: Write, content: bytes, searched: bool, kept_here: bool
) -> None:
    write("a.md", content)
    server.answer = "fine"
    assert cli("run", "DocWriter", "a.md").code == (0 if kept_here else 2)


class TestTooLong:
    """An input that is too long for the model is refused in words, with its length."""

    @pytest.mark.parametrize(
        "outcome",
        [
            lambda: outcomes.http_error(400, "context_length_exceeded", "the window is 9 tokens"),
            lambda: outcomes.failed("context_length_exceeded", "the window is 9 tokens"),
            lambda: outcomes.stream_error_event(
                code="context_length_exceeded", message="the window is 9 tokens"
            ),
        ],
    )
    def test_for_a_model(
        self, cli: Cli, server: LoopbackServer, outcome: Callable[[], outcomes.Outcome]
    ) -> None:
        server.outcomes.append(outcome())
        ran = cli("run", "DocWriter", "-t", "word " * 10_000)
        assert ran.code == 2
        told = r"too long for the model: the window is 9 tokens \(it is [\d,]+ tokens\)"
        assert re.search(told, ran.stderr)
        assert "hint: send less at a time" in ran.stderr
        asked = [request.path for request in server.requests]
        assert asked == ["/v1/responses", "/v1/responses/input_tokens"]
        assert_valid_request(server.requests[-1])

    def test_where_a_server_does_not_count(self, cli: Cli, server: LoopbackServer) -> None:
        server.outcomes.append(outcomes.http_error(400, "context_length_exceeded", "too long"))
        server.disturb("POST", "*/input_tokens", outcomes.http_error(404))
        ran = cli("run", "DocWriter", "-t", "x")
        assert (ran.code, "tokens)" in ran.stderr) == (2, False)
        assert "the input is too long for the model: too long" in ran.stderr

    def test_a_conversation_is_as_before(self, cli: Cli, project: LoopbackServer) -> None:
        assert cli("run", "DocWriter", "-t", "one", "-c").code == 0
        (conversation,) = project.conversations.values()
        before = len(conversation.items)
        project.outcomes.append(outcomes.http_error(400, "context_length_exceeded", "too long"))
        ran = cli("run", "DocWriter", "-t", "x", "-c")
        assert (ran.code, "earlier turns of the conversation" in ran.stderr) == (2, True)
        assert len(conversation.items) == before

    def test_for_the_api_nothing_is_sent(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-", stdin=b"word " * 2_200_000)
        assert (ran.code, server.requests) == (2, [])
        assert "characters, a request takes 10,485,760" in ran.stderr
