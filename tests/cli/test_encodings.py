"""Files that are not UTF-8: read in an encoding that is certain or named, written in the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Sent
from tests.cli.each import file_text, shout
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

pytestmark = pytest.mark.usefixtures("local_store")

EACH = ("run", "MarkdownLinter", "--each")
WHOLE = ("run", "DocWriter", "--each")
MIXED = "Grüße — the naïve\n".encode() + b"caf\xe9\n"
CHINESE = "退货期限为七天。\n"


def test_a_stray_byte_is_refused(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("a.md", MIXED)
    write("b.md", "words\n")
    server.answer = shout
    ran = cli(*WHOLE, "a.md", "b.md", "--in-place")
    assert ran.code == 6
    assert "byte 0xe9 at offset 26, line 2" in ran.stderr
    assert Path("a.md").read_bytes() == MIXED
    assert Path("b.md").read_text() == "WORDS\n"
    assert cli("run", "MarkdownLinter", "a.md").code == 2
    assert cli("run", "MarkdownLinter", "-", stdin=MIXED).code == 2


def test_what_is_certain_is_reported(
    cli: Cli, server: LoopbackServer, write: Write, sent: Sent
) -> None:
    write("a.md", "Größe: 5 €\n".encode("cp1252"))
    ran = cli("run", "DocWriter", "a.md")
    assert ran.stderr == "`a.md` was read as windows-1252\n"
    assert "Größe: 5 €" in sent()[-1]
    server.answer = lambda body: file_text(body).replace("5", "6")
    ran = cli(*WHOLE, "a.md", "--in-place")
    assert "read as windows-1252: `a.md`" in ran.stderr
    assert Path("a.md").read_bytes() == "Größe: 6 €\n".encode("cp1252")


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "GB2312"])
def test_named(cli: Cli, server: LoopbackServer, write: Write, sent: Sent, encoding: str) -> None:
    file = write("a.md", CHINESE.encode("gbk"))
    assert cli("run", "MarkdownLinter", "a.md").code == 2
    assert server.requests == []
    ran = cli("run", "MarkdownLinter", "a.md", "--encoding", encoding)
    assert (ran.code, ran.stderr) == (0, "")
    assert CHINESE in sent()[-1]
    cli("run", "MarkdownLinter", "-", "--encoding", encoding, stdin=CHINESE.encode("gbk"))
    assert CHINESE in sent()[-1]
    server.answer = lambda body: file_text(body).replace("七", "八")
    assert cli(*EACH, "a.md", "--encoding", encoding, "--in-place").code == 0
    assert file.read_bytes() == CHINESE.replace("七", "八").encode("gbk")


def test_named_in_a_batch(cli: Cli, project: LoopbackServer, write: Write) -> None:
    file = write("a.md", CHINESE.encode("gbk"))
    project.answer = lambda body: file_text(body).replace("七", "八")
    ran = cli(*EACH, "a.md", "--encoding", "gbk", "--in-place", "--batch", "--wait")
    assert ran.code == 0, ran.stderr
    assert file.read_bytes() == CHINESE.replace("七", "八").encode("gbk")


def test_what_an_encoding_does_not_give_back_is_left(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    file = write("a.md", b"a+AGE-b words\n")
    server.answer = shout
    ran = cli(*WHOLE, "a.md", "--encoding", "utf-7", "--in-place")
    assert ran.code == 6
    assert "represent it exactly" in ran.stderr
    assert file.read_bytes() == b"a+AGE-b words\n"


def test_no_such_encoding(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("a.md", "words\n")
    ran = cli("run", "MarkdownLinter", "a.md", "--encoding", "rot13", "--json")
    assert (ran.code, ran.error["code"]) == (2, "unknown_encoding")
    assert server.requests == []
