"""File names of every kind, on every way that takes one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.assistants.project import knowledge
from tests.cli.each import shout
from tests.conftest import Cli, Ran, Write
from tests.echo_server import Reply, echo_server
from tests.loopback import LoopbackServer

NAMES = [
    b"two words.md", b"new\nline.md", b"tab\there.md", b"carriage\rreturn.md", b"-leading.md",
    b"--json", b"it's \"quoted\".md", b"$(touch made).md", b"`touch made`.md", b"{stem}.md",
    b"[a].md", b"*.md", b"back\\slash.md", b"<x>&.md", b"~.md", b"#.md", b"@.md", b"a=b.md",
    "日本語 Größe.md".encode(), b"\x1b[31mred\x07.md", b"x" * 252 + b".md",
]  # fmt: skip
NOT_UTF_8 = b"\xff\xfe.md"


def shout_or_ok(body: dict[str, Any]) -> str:
    """The file in a request in capitals; of a question without one, no matter what."""
    return shout(body) if "<file " in json.dumps(body["input"][-1]) else "OK"


def safe(name: str) -> str:
    """A name as it can be typed where it looks like an option."""
    return f"./{name}" if name.startswith("-") else name


@pytest.fixture(params=NAMES, ids=lambda name: repr(name[:20]))
def name(request: pytest.FixtureRequest, write: Write) -> str:
    name = os.fsdecode(request.param)
    write(name, "content of it\n")
    return name


def fine(ran: Ran) -> Ran:
    assert ran.code == 0, ran.stderr
    assert not {"\x1b", "\x07", "\r"} & set(ran.stderr)
    return ran


def test_input(cli: Cli, server: LoopbackServer, name: str) -> None:
    server.answer = shout_or_ok
    fine(cli("run", "DocWriter", safe(name), "-o", "answer"))
    assert Path("answer").read_text() == "CONTENT OF IT\n"
    fine(cli("run", "DocWriter", "-f", safe(name), "-c", "-o", "answer"))
    fine(cli("chat", "DocWriter", stdin=b"hello\n"))
    assert not Path("made").exists()


def test_each(cli: Cli, server: LoopbackServer, name: str) -> None:
    server.answer = shout_or_ok
    fine(cli("run", "DocWriter", "--each", "-o", "out", safe(name)))
    assert Path("out", name).read_text() == "CONTENT OF IT\n"
    files = cli("run", "DocWriter", "--each", "--in-place", safe(name), "--json").json["files"]
    assert os.fsencode(Path(files[0]["path"]).name) == os.fsencode(name)
    assert Path(name).read_text() == "CONTENT OF IT\n"


def test_batch(cli: Cli, project: LoopbackServer, name: str) -> None:
    project.answer = shout_or_ok
    fine(cli("run", "DocWriter", "--each", "--batch", "--wait", "-o", "out", safe(name)))
    assert Path("out", name).read_bytes().upper() == Path("out", name).read_bytes()


def test_knowledge_on_the_server(cli: Cli, project: LoopbackServer, name: str) -> None:
    fine(cli("assistant", "create", "W", "-i", "DocWriter", "-f", safe(name)))
    assert knowledge(project, "W") == {name: b"content of it\n"}
    fine(cli("assistant", "files", "sync", "W"))
    fine(cli("assistant", "show", "W"))
    listed = fine(cli("assistant", "files", "list", "W", "--json")).json["files"]
    assert [file["path"] for file in listed] == [name]
    fine(cli("assistant", "files", "remove", "W", safe(name)))
    assert knowledge(project, "W") == {}


def test_knowledge_of_the_local_store(cli: Cli, server: LoopbackServer, name: str) -> None:
    fine(cli("assistant", "create", "W", "-i", "DocWriter", "-f", safe(name)))
    server.answer = lambda _: "fine"
    fine(cli("run", "W", "-t", "content of it"))
    assert "content of it" in json.dumps(server.requests[-1].json)
    fine(cli("assistant", "files", "remove", "W", safe(name)))


def test_upload(cli: Cli, project: LoopbackServer, name: str) -> None:
    fine(cli("file", "upload", safe(name)))
    (stored,) = project.files.values()
    assert stored.data == b"content of it\n"
    (entry,) = fine(cli("file", "list", "--json")).json["files"]
    assert Path(entry["paths"][0]).name == name
    fine(cli("file", "list"))
    fine(cli("cache", "verify"))
    fine(cli("cache", "rebuild", "."))
    fine(cli("file", "delete", "-y", safe(name)))
    assert project.files == {}


def test_found_in_a_directory(cli: Cli, server: LoopbackServer, write: Write) -> None:
    for name in NAMES:
        write("docs/" + os.fsdecode(name), "content of it\n")
    fine(cli("run", "DocWriter", "docs"))
    assert len(server.requests[-1].json["input"][-1]["content"]) == 1 + len(NAMES)
    fine(cli("run", "DocWriter", "-f", "docs/*"))
    assert len(server.requests[-1].json["input"][-1]["content"]) == 1 + len(NAMES)


@pytest.mark.parametrize("name", ["-leading.md", "--json.md"])
def test_what_looks_like_an_option(cli: Cli, write: Write, name: str) -> None:
    write(name, "x\n")
    ran = cli("run", "DocWriter", name)
    assert (ran.code, f"hint: if the file is meant: `./{name}`" in ran.stderr) == (2, True)


def test_an_output_whose_name_would_be_too_long(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    write("x" * 252 + ".md", "x\n")
    ran = cli("run", "DocWriter", "--each", "-o", "out/{stem}.more{suffix}", "x" * 252 + ".md")
    assert (ran.code, "File name too long" in ran.stderr) == (2, True)
    assert server.requests == []


class TestNotUtf8:
    """Bytes that are no text: taken where a name only names, refused where it is kept."""

    @pytest.fixture
    def name(self, write: Write) -> str:
        name = os.fsdecode(NOT_UTF_8)
        write(name, "content of it\n")
        return name

    def test_input(self, cli: Cli, server: LoopbackServer, name: str) -> None:
        server.answer = shout_or_ok
        fine(cli("run", "DocWriter", name, "-c"))
        fine(cli("run", "DocWriter", "-t", "more", "-c"))
        (kept,) = fine(cli("conversation", "list", "--json")).json["conversations"]
        fine(cli("conversation", "show", kept["id"]))

    def test_each(self, cli: Cli, server: LoopbackServer, name: str) -> None:
        server.answer = shout_or_ok
        ran = fine(cli("run", "DocWriter", "--each", "--json", name))
        assert os.fsencode(ran.json["files"][0]["path"]) == NOT_UTF_8
        fine(cli("run", "DocWriter", "--each", "-o", "out", name))
        assert [path.name for path in Path("out").iterdir()] == [name]
        ran = cli("run", "DocWriter", "--each", "--check", "-q", name)
        assert (ran.code, ran.stdout) == (6, NOT_UTF_8 + b"\n")  # what the next command takes

    def test_batch(self, cli: Cli, project: LoopbackServer, name: str) -> None:
        fine(cli("run", "DocWriter", "--each", "--batch", "--wait", "-o", "out", name))
        assert [path.name for path in Path("out").iterdir()] == [name]

    @pytest.mark.parametrize("store", ["openai", "local"])
    def test_knowledge(
        self, cli: Cli, server: LoopbackServer, name: str, write: Write, store: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setenv("GPTASST_STORE", store)
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", name)
        assert (ran.code, "is not UTF-8" in ran.stderr, "rename it" in ran.stderr) == (
            2,
            True,
            True,
        )
        write("b.md", "b\n")
        ran = fine(cli("assistant", "create", "W", "-i", "DocWriter", "-f", "."))
        assert ran.stderr.count("left out") == 1

    def test_upload(self, cli: Cli, project: LoopbackServer, name: str) -> None:
        fine(cli("file", "upload", name))
        assert [stored.name for stored in project.files.values()] == ["??.md"]
        fine(cli("file", "upload", name))
        fine(cli("cache", "verify"))
        (entry,) = fine(cli("file", "list", "--json")).json["files"]
        assert os.fsencode(entry["paths"][0]).endswith(NOT_UTF_8)
        fine(cli("file", "delete", "-y", name))
        assert project.files == {}

    def test_a_task_that_is_not_utf_8(self, cli: Cli, server: LoopbackServer) -> None:
        server.answer = "fine"
        fine(cli("run", "DocWriter", "-t", os.fsdecode(NOT_UTF_8), "-c"))
        fine(cli("run", "DocWriter", "-t", "more", "-c"))


class TestHalvesOfCharacters:
    """JSON can carry what UTF-8 can't: half of a character outside of the first 65,536."""

    @pytest.mark.parametrize(
        ("pieces", "answer"),
        [
            (["smile ", "\\ud83d", "\\ude00", "!"], "smile \U0001f600!"),
            (["smile \\ud83d", "\\ude00!"], "smile \U0001f600!"),
            (["lone \\ude00!"], "lone \ufffd!"),
            (["lone \\ud83d!"], "lone \ufffd!"),
            (["end \\ud83d"], "end \ufffd"),
            (["a byte \\udcff!"], "a byte \ufffd!"),
        ],
    )
    def test_in_an_answer(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch,
        pieces: list[str], answer: str,
    ) -> None:  # fmt: skip
        events = [
            f'{{"type":"response.output_text.delta","item_id":"i","delta":"{piece}"}}'
            for piece in pieces
        ]
        done: dict[str, object] = {
            "id": "r",
            "status": "completed",
            "model": "m",
            "output": [],
            "usage": None,
        }
        events.append(json.dumps({"type": "response.completed", "response": done}))
        body = "".join(f"data: {event}\n\n" for event in events)

        def reply(_headers: object) -> Reply:
            return 200, "text/event-stream", body

        with echo_server(reply) as url:
            monkeypatch.setenv("GPTASST_BASE_URL", url)
            for words in ((), ("-o", "out.md"), ("--json",)):
                ran = fine(cli("run", "DocWriter", "-t", "x", *words))
                if not words:
                    assert ran.text == answer
        assert Path("out.md").read_text() == answer
