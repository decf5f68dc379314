"""Answers that no file may get: blank ones, and those with control characters."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.cli.each import file_text, shout
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes

pytestmark = pytest.mark.usefixtures("local_store")

EACH = ("run", "DocWriter", "--each")
BLANK = ["   \n", "```\n```", "```markdown\n\n```\n", "\u200b\n", '<file path="a.md">\n</file>']


def spoiled(answer: str) -> Any:
    """A model that answers well except for the file that begins with `spoil`."""
    return lambda body: answer if file_text(body).startswith("spoil") else shout(body)


class TestRun:
    @pytest.mark.parametrize("answer", BLANK)
    def test_blank(self, cli: Cli, server: LoopbackServer, write: Write, answer: str) -> None:
        write("a.md", "text\n")
        write("out.md", "precious\n")
        server.answer = answer
        ran = cli("run", "DocWriter", "a.md", "-o", "out.md")
        assert (ran.code, ran.stdout) == (7, b"")
        assert "the model returned an empty answer" in ran.stderr
        assert Path("out.md").read_text() == "precious\n"
        assert cli("run", "DocWriter", "a.md").stdout == b""
        assert cli("run", "DocWriter", "a.md", "--json").error["code"] == "empty"

    def test_blank_from_an_instruction_that_keeps_fences(
        self, cli: Cli, server: LoopbackServer
    ) -> None:
        server.answer = "```\n```\n"
        ran = cli("run", "DocWriter", "-t", "x")
        assert (ran.code, ran.stdout) == (7, b"")

    def test_control_character(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("out.md", "precious\n")
        server.answer = "the\0x\n"
        ran = cli("run", "DocWriter", "-t", "x", "-o", "out.md", "--json")
        assert (ran.code, ran.error["code"]) == (7, "control_character")
        assert "U+0000" in ran.error["message"]
        assert Path("out.md").read_text() == "precious\n"

    def test_our_own_tags(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "text\n")
        server.answer = '<file path="a.md">\ntext.\n</file>'
        assert cli("run", "DocWriter", "a.md").text == "text.\n"
        server.answer = '<file path="stdin">\ntext.\n</file>'
        assert cli("run", "DocWriter", "-", stdin=b"text\n").text == "text.\n"
        server.answer = "text.\n</file>\n"
        assert cli("run", "DocWriter", "a.md").text == "text.\n"

    def test_the_fence_of_the_input_itself(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "```py\nprint()\n```\n")
        server.answer = "```py\nprint(1)\n```\n"
        assert cli("run", "DocWriter", "a.md").text == server.answer
        server.answer = "```markdown\n```py\nprint(1)\n```\n```\n"
        assert cli("run", "DocWriter", "a.md").text == "```py\nprint(1)\n```\n"


class TestEach:
    @pytest.mark.parametrize("answer", [*BLANK, "the\0x", "\x1b[31mred\n"])
    def test_that_file_fails_and_the_others_go_on(
        self, cli: Cli, server: LoopbackServer, write: Write, answer: str
    ) -> None:
        for name in ("b.md", "c.md"):
            write(name, f"{name}\n")
        file = write("a.md", "spoil me not\n")
        server.answer = spoiled(answer)
        for _ in range(2):  # it is in no journal
            ran = cli(*EACH, "a.md", "b.md", "c.md", "--in-place", "-j", "1")
            assert ran.code == 6
            assert file.read_text() == "spoil me not\n"
            assert "1 failed" in ran.stderr
        assert Path("b.md").read_text() == "B.MD\n"
        assert Path("c.md").read_text() == "C.MD\n"
        assert len(server.requests) == 4

        server.answer = shout
        assert cli(*EACH, "a.md", "--check", "-q").code == 6
        assert cli(*EACH, "a.md", "--in-place").code == 0
        assert file.read_text() == "SPOIL ME NOT\n"

    @pytest.mark.parametrize("options", [("--check",), ("-o", "out"), ("--json",)])
    def test_blank_for_every_purpose(
        self, cli: Cli, server: LoopbackServer, write: Write, options: tuple[str, ...]
    ) -> None:
        write("a.md", "text\n")
        server.answer = "  \n"
        assert cli(*EACH, "a.md", *options).code == 6
        assert not Path("out").exists()

    def test_what_an_earlier_version_kept_is_asked_again(
        self, cli: Cli, server: LoopbackServer, write: Write, home: Path
    ) -> None:
        file = write("a.md", "text\n")
        server.answer = shout
        assert cli(*EACH, "a.md", "--check").code == 6
        (journal,) = home.rglob("runs*.sqlite3")
        with contextlib.closing(sqlite3.connect(journal)) as connection, connection:
            connection.execute("UPDATE answers SET answer = ' \n'")
        assert cli(*EACH, "a.md", "--in-place").code == 0
        assert file.read_text() == "TEXT\n"

    def test_the_fence_of_the_file_itself(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        file = write("a.md", "```\nx\n```\n")
        server.answer = lambda body: file_text(body).replace("x", "y")
        assert cli(*EACH, "a.md", "--in-place").code == 0
        assert file.read_text() == "```\ny\n```\n"


class TestBatch:
    def test_blank_and_tags_and_fences(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        answers = {
            "blank\n": "```\n```",
            "nul\n": "a\0b",
            "tags\n": '<file path="tags.md">\nT\n</file>',
        }
        for text in answers:
            write(f"{text.strip()}.md", text)
        write("fence.md", "```\nx\n```\n")
        project.answer = lambda body: answers.get(file_text(body), "```\nY\n```\n")
        names = ("blank.md", "nul.md", "tags.md", "fence.md")
        ran = cli(*EACH, *names, "--batch", "--in-place", "--wait")
        assert ran.code == 6
        texts = {name: Path(name).read_text() for name in names}
        assert texts == {
            "blank.md": "blank\n", "nul.md": "nul\n", "tags.md": "T\n", "fence.md": "```\nY\n```\n",
        }  # fmt: skip


class TestChat:
    @pytest.mark.parametrize("answer", ["```\n```", "the\0x"])
    def test_nothing_to_save(self, cli: Cli, server: LoopbackServer, answer: str) -> None:
        server.outcomes.append(outcomes.answer(answer))
        ran = cli("chat", "DocWriter", stdin=b"one\n/save out.md\n")
        assert ran.code == 7
        assert not Path("out.md").exists()
