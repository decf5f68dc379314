"""`run --each` with --in-place, --check and --diff: what an answer makes of its file."""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.each import file_text, make_files, shout
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes

EACH = ("run", "DocWriter", "--each")


@pytest.fixture(autouse=True)
def _shouting(server: LoopbackServer) -> None:
    server.answer = shout


class TestInPlace:
    def test_writes_over_files_that_change(self, cli: Cli, write: Write) -> None:
        write("a.md", "words\n")
        unchanged = write("b.md", "LOUD WORDS\n")
        inode = unchanged.stat().st_ino
        ran = cli(*EACH, "a.md", "b.md", "--in-place")
        assert (ran.code, ran.text) == (0, "")
        assert ran.stderr.startswith("2 files: 1 written, 1 unchanged; 2 requests, ")
        assert Path("a.md").read_text() == "WORDS\n"
        assert unchanged.stat().st_ino == inode

    def test_what_was_corrected_is_not_corrected_again(
        self, cli: Cli, server: LoopbackServer
    ) -> None:
        """The answer to an answer would be a third text here; it is never asked for."""
        server.answer = lambda body: "more " + file_text(body)
        (file,) = make_files(1)
        for _ in range(2):
            assert cli(*EACH, "in", "--in-place").code == 0
            assert file.read_text() == "more file number 0\n"
        assert cli(*EACH, "in", "--check").code == 0
        assert len(server.requests) == 1

        assert cli(*EACH, "in", "--in-place", "--force").code == 0
        assert file.read_text() == "more more file number 0\n"

    def test_one_file_under_two_names(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "words\n")
        Path("b.md").symlink_to("a.md")
        server.answer = shout
        ran = cli(*EACH, "b.md", "a.md", "--in-place")
        assert (ran.code, Path("a.md").read_text(), Path("b.md").is_symlink()) == (
            0,
            "WORDS\n",
            True,
        )
        assert len([r for r in server.requests if r.path.endswith("/responses")]) == 1

    def test_a_file_that_was_changed_meanwhile_is_left(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        file = write("a.md", "words\n")

        def edit(body: dict[str, Any]) -> str:
            file.write_text("the user's own words\n")
            return shout(body)

        server.answer = edit
        ran = cli(*EACH, "a.md", "--in-place")
        assert ran.code == 6
        assert "`a.md` changed while its answer was being generated" in ran.stderr
        assert file.read_text() == "the user's own words\n"

    @pytest.mark.parametrize("name", ["a.pdf", "a.png"])
    @pytest.mark.parametrize("option", ["--in-place", "--check", "--diff"])
    def test_only_text(
        self, cli: Cli, server: LoopbackServer, write: Write, name: str, option: str
    ) -> None:
        write(name, b"%PDF")
        ran = cli(*EACH, name, option)
        assert ran.code == 2
        assert f"`{name}` is " in ran.stderr
        assert "only text can be compared or overwritten" in ran.stderr
        assert server.requests == []


ANSWERS: list[tuple[str, bytes, str, bytes]] = [
    ("utf-8", "grüße\n".encode(), "GRÜSSE\n", "GRÜSSE\n".encode()),
    ("bom", codecs.BOM_UTF8 + b"a\n", "b\n", codecs.BOM_UTF8 + b"b\n"),
    ("bom given back", codecs.BOM_UTF8 + b"a\n", "\ufeffb\n", codecs.BOM_UTF8 + b"b\n"),
    ("windows-1252", "für\n".encode("cp1252"), "FÜR\n", "FÜR\n".encode("cp1252")),
    ("utf-16 little", codecs.BOM_UTF16_LE + "a\n".encode("utf-16-le"), "ü\n",
     codecs.BOM_UTF16_LE + "ü\n".encode("utf-16-le")),
    ("utf-16 big", codecs.BOM_UTF16_BE + "a\n".encode("utf-16-be"), "ü\n",
     codecs.BOM_UTF16_BE + "ü\n".encode("utf-16-be")),
    ("crlf", b"a\r\nb\r\n", "A\nB\n", b"A\r\nB\r\n"),
    ("crlf given back", b"a\r\nb\r\n", "A\r\nB\n", b"A\r\nB\r\n"),
    ("crlf unchanged", b"a\r\nb\r\n", "a\nb", b"a\r\nb\r\n"),
    ("cr", b"a\rb\r", "A\nB\n", b"A\rB\r"),
    ("mixed", b"a\r\nb\n", "A\r\nB\n", b"A\r\nB\n"),
    ("the answer wants crlf", b"a\nb\n", "a\r\nb\r\n", b"a\nb\n"),
    ("mixed and given lf", b"a\r\nb\nc\r\n", "a\nB\nc\n", b"a\r\nB\nc\r\n"),
    ("mixed, lines added", b"a\r\nb\n", "0\na\n1\nb\n2\n", b"0\r\na\r\n1\r\nb\n2\n"),
    ("mixed, lines dropped", b"a\r\nb\nc\r\nd", "a\nc\nD\n", b"a\r\nc\r\nD\r\n"),
    ("mixed and unchanged", b"a\r\nb\nc\rd", "a\nb\nc\nd\n", b"a\r\nb\nc\rd"),
    ("end dropped", b"a\n", "b", b"b\n"),
    ("nothing but the end dropped", b"a\n", "a", b"a\n"),
    ("nothing but an end added", b"a", "a\n", b"a"),
    ("changed and an end added", b"a", "b\n", b"b\n"),
    ("blank lines at the end taken off", b"a\n\n\n", "a", b"a\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "answer", "new"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
def test_what_an_answer_makes_of_a_file(
    cli: Cli, server: LoopbackServer, write: Write, old: bytes, answer: str, new: bytes
) -> None:
    server.answer = answer
    file = write("a.md", old)
    assert cli(*EACH, "a.md", "--check").code == (0 if old == new else 6)
    assert file.read_bytes() == old
    assert cli(*EACH, "a.md", "--in-place").code == 0
    assert file.read_bytes() == new
    assert len(server.requests) == 1


def test_a_character_that_the_encoding_lacks(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    server.answer = "\N{RIGHTWARDS ARROW}\n"
    file = write("a.md", "für\n".encode("cp1252"))
    ran = cli(*EACH, "a.md", "--in-place")
    assert ran.code == 6
    assert "has `→`, which windows-1252 does not" in ran.stderr
    assert file.read_bytes() == "für\n".encode("cp1252")


class TestCheck:
    def test_nothing_would_change(self, cli: Cli, write: Write) -> None:
        write("a.md", "LOUD\n")
        ran = cli(*EACH, "a.md", "--check")
        assert (ran.code, ran.text) == (0, "")

    @pytest.mark.parametrize("option", [[], ["--quiet"]])
    def test_lists_what_would_change(self, cli: Cli, write: Write, option: list[str]) -> None:
        write("b.md", "words\n")
        write("a.md", "more words\n")
        write("c.md", "LOUD\n")
        ran = cli(*EACH, "b.md", "a.md", "c.md", "--check", *option)
        assert (ran.code, ran.lines) == (6, ["b.md", "a.md"])
        assert "error: 2 of 3 files would change: `b.md`, `a.md`\n" in ran.stderr
        assert Path("b.md").read_text() == "words\n"

    def test_in_place_afterwards_sends_nothing(self, cli: Cli, server: LoopbackServer) -> None:
        make_files(3)
        assert cli(*EACH, "in", "--check").code == 6
        server.requests.clear()
        assert cli(*EACH, "in", "--in-place").code == 0
        assert cli(*EACH, "in", "--check").code == 0
        assert server.requests == []
        assert Path("in/2.md").read_text() == "FILE NUMBER 2\n"

    def test_json(self, cli: Cli, write: Write) -> None:
        write("a.md", "words\n")
        ran = cli(*EACH, "a.md", "--check", "--json")
        assert ran.code == 6
        assert ran.error["code"] == "would_change"
        assert ran.json["files"][0]["status"] == "would_change"

    def test_a_finding_beside_a_failure(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "words\n")
        write("b.md", "more\n")
        server.outcomes.append(outcomes.refusal("not this"))
        ran = cli(*EACH, "a.md", "b.md", "--check", "-j", "1")
        assert ran.code == 6
        assert "error: 1 of 2 files failed, 1 would change\n" in ran.stderr


class TestDiff:
    def test_shows_and_writes_nothing(self, cli: Cli, write: Write) -> None:
        file = write("docs/a.md", "one\nwords\nthree\n")
        write("docs/b.md", "LOUD\n")
        ran = cli(*EACH, "docs", "--diff")
        assert (ran.code, ran.lines) == (0, [
            "--- a/docs/a.md", "+++ b/docs/a.md", "@@ -1,3 +1,3 @@",
            "-one", "-words", "-three", "+ONE", "+WORDS", "+THREE",
        ])  # fmt: skip
        assert file.read_text() == "one\nwords\nthree\n"

    def test_with_check(self, cli: Cli, write: Write) -> None:
        write("a.md", "words\n")
        ran = cli(*EACH, "a.md", "--diff", "--check")
        assert ran.code == 6
        assert ran.lines[2:] == ["@@ -1 +1 @@", "-words", "+WORDS"]

    def test_with_in_place(self, cli: Cli, write: Write) -> None:
        file = write("a.md", "words\n")
        ran = cli(*EACH, "a.md", "--diff", "--in-place")
        assert (ran.code, ran.lines[-1]) == (0, "+WORDS")
        assert file.read_text() == "WORDS\n"

    def test_no_line_end(self, cli: Cli, write: Write) -> None:
        write("a.md", "words")
        assert cli(*EACH, "a.md", "--diff").lines[3:] == [
            "-words",
            "\\ No newline at end of file",
            "+WORDS",
        ]

    def test_json_has_it(self, cli: Cli, write: Write, git_apply: Callable[[str], None]) -> None:
        file = write("a.md", "words\nand more")
        ran = cli(*EACH, "a.md", "--diff", "--json")
        assert ran.code == 0
        git_apply(ran.json["files"][0]["diff"])
        assert file.read_text() == "WORDS\nAND MORE\n"

    @pytest.mark.parametrize(
        "name", ["with space.md", 'new\nline\t"q" \\ é.md', "-", "[a]/--x.md", b"\xff\x01.md"]
    )
    def test_odd_names(
        self, cli: Cli, write: Write, git_apply: Callable[[str], None], name: str | bytes
    ) -> None:
        file = write(os.fsdecode(name), "words\n")
        patch = cli(*EACH, f"./{os.fsdecode(name)}", "--diff").text
        assert len(patch.splitlines()) == 5
        git_apply(patch)
        assert file.read_text() == "WORDS\n"


@pytest.fixture
def git_apply() -> Callable[[str], None]:
    """Apply a diff as another program reads it."""

    def apply(diff: str) -> None:
        subprocess.run(["git", "apply", "-"], input=diff, text=True, check=True)

    return apply


class TestNames:
    """What a pipe gets are the names themselves; a terminal is shown what it would obey."""

    @pytest.mark.skipif(sys.platform == "win32", reason="no such names")
    @pytest.mark.parametrize("options", [("--check", "-q"), ("--check",), ("--in-place", "-q")])
    def test_as_they_are(self, cli: Cli, write: Write, options: tuple[str, ...]) -> None:
        write("a\x1b[31m.md", "words\n")
        assert cli(*EACH, "a\x1b[31m.md", *options).stdout == b"a\x1b[31m.md\n"

    @pytest.mark.skipif(sys.platform == "win32", reason="no such names")
    @pytest.mark.parametrize("options", [("--check",), ("--in-place",), ("--diff",)])
    @pytest.mark.parametrize("null", ["-0", "--null"])
    def test_ended_by_nul(
        self, cli: Cli, write: Write, options: tuple[str, ...], null: str
    ) -> None:
        write("a\nb.md", "words\n")
        write("c.md", "words\n")
        ran = cli(*EACH, "a\nb.md", "c.md", *options, null)
        assert ran.stdout == b"a\nb.md\0c.md\0"


class TestNotWritable:
    def test_read_only_file_costs_no_request(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "words\n").chmod(0o444)
        write("b.md", "other words\n")
        ran = cli(*EACH, "a.md", "b.md", "--in-place")
        assert ran.code == 6
        assert "`a.md` failed: `a.md` is read-only (chmod u+w a.md" in ran.stderr
        assert Path("a.md").read_text() == "words\n"
        assert Path("b.md").read_text() == "OTHER WORDS\n"
        assert [file_text(record.json) for record in server.requests] == ["other words\n"]

    def test_read_only_output(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "words\n")
        write("out/a.md", "old\n").chmod(0o444)
        assert cli(*EACH, "a.md", "-o", "out").code == 6
        assert Path("out/a.md").read_text() == "old\n"
        assert server.requests == []

    def test_what_is_done_already_is_fine(self, cli: Cli, write: Write) -> None:
        file = write("a.md", "words\n")
        assert cli(*EACH, "a.md", "--in-place").code == 0
        file.chmod(0o444)
        assert cli(*EACH, "a.md", "--in-place").code == 0

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
    def test_named_pipe(self, cli: Cli, server: LoopbackServer) -> None:
        os.mkfifo("pipe")
        ran = cli(*EACH, "pipe", "--in-place")
        assert ran.code == 6
        assert "`pipe` is not a file" in ran.stderr
        assert server.requests == []
