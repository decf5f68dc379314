"""`gptasst chat` at a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import select
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from gptasst.cli.chat.prompts import completions
from tests.cli.test_conversation import answered, shown, told
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.processes import LIMIT, Process, Surroundings

if sys.platform == "win32":
    pytest.skip("terminals of POSIX", allow_module_level=True)

import pty
import termios

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[=>]|\r")
CTRL_C, CTRL_D, ENTER, ALT_ENTER, UP = "\x03", "\x04", "\r", "\x1b\r", "\x1b[A"
TAB = "\t"


class Terminal:
    """A process at a terminal of 24 lines: keys are typed, and what is written is read."""

    def __init__(self, words: tuple[str, ...], stdout: int | IO[bytes] | None) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self.process = Process(
            "chat",
            *words,
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave,
            surroundings=Surroundings(terminal=True),
        )
        os.close(slave)
        self.raw = b""
        self._seen = 0

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, text: str) -> None:
        """Read on until a text is there that was not waited for yet."""
        while (found := self.text.find(text, self._seen)) < 0:
            came = select.select([self._master], [], [], LIMIT)[0] and self._read()
            assert came, f"{text!r} never came:\n{self.text[self._seen :]}"
        self._seen = found + len(text)

    def ends(self) -> int:
        while self._read():
            pass
        return self.process.wait()

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self.raw.decode("utf-8", "replace"))

    def _read(self) -> bytes:
        with contextlib.suppress(OSError):  # Linux says so when the other side is closed
            piece = os.read(self._master, 65536)
            self.raw += piece
            return piece
        return b""

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


Open = Callable[..., Terminal]


@pytest.fixture(autouse=True)
def kind_of_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")


@pytest.fixture
def open_chat(server: LoopbackServer) -> Iterator[Open]:
    """Start `gptasst chat DocWriter …` and wait for its prompt."""
    opened: list[Terminal] = []

    def start(*words: str, stdout: int | IO[bytes] | None = None) -> Terminal:
        terminal = Terminal(("DocWriter", *words), stdout)
        opened.append(terminal)
        terminal.wait_for("Ctrl-D ends the chat")
        terminal.wait_for(">")
        return terminal

    yield start
    for terminal in opened:
        terminal.close()


def conversation(cli: Cli) -> list[tuple[str, str]]:
    (ident,) = cli("conversation", "list", "-q").lines
    return shown(cli, ident)


def test_stopped_asked_again_and_left(cli: Cli, server: LoopbackServer, open_chat: Open) -> None:
    server.answer = "half of an answer"
    server.outcomes.append(outcomes.never_ends(after=2))
    chat = open_chat()
    chat.type("hello" + ENTER)
    chat.wait_for("half of an")
    chat.type(CTRL_C)
    chat.wait_for("stopped")
    chat.wait_for("the part that arrived is kept; /retry asks again")
    server.answer = "a whole one"
    chat.type("/retry" + ENTER)
    chat.wait_for("a whole one")
    chat.type(CTRL_D)

    assert chat.ends() == 0
    assert conversation(cli) == [("user", "hello"), ("assistant", "a whole one")]
    assert "`gptasst chat DocWriter -c` continues" in chat.text


def test_stopped_and_resumed(cli: Cli, server: LoopbackServer, open_chat: Open) -> None:
    server.answer = "half of an answer"
    server.outcomes.append(outcomes.never_ends(after=2))
    chat = open_chat()
    chat.type("hello" + ENTER)
    chat.wait_for("half of an")
    chat.type(CTRL_C)
    chat.wait_for("is kept")
    chat.type("/quit" + ENTER)
    chat.ends()

    assert conversation(cli) == [("user", "hello"), ("assistant", "half of an ans")]
    chat = open_chat("-c")
    chat.type("on" + ENTER)
    chat.wait_for("half of an answer")
    chat.type(CTRL_D)
    assert chat.ends() == 0
    assert [text for role, text in conversation(cli) if role == "user"] == ["hello", "on"]


def test_an_error_does_not_end_it(cli: Cli, server: LoopbackServer, open_chat: Open) -> None:
    server.outcomes.append(outcomes.refusal("not this"))
    chat = open_chat()
    chat.type("one" + ENTER)
    chat.wait_for("error: the model refused: not this")
    chat.type("/save" + ENTER)
    chat.wait_for("error: `/save` takes PATH")
    chat.type("/model nope" + ENTER + "two" + ENTER)
    chat.wait_for("hint: /model NAME names another")
    chat.type("/model gpt-6.2-sol" + ENTER + "/retry" + ENTER)
    chat.wait_for("/retry")
    chat.wait_for("two")
    chat.type(CTRL_D)
    assert chat.ends() == 0


def test_a_retired_model_can_be_left_in_the_chat_or_for_good(
    cli: Cli, server: LoopbackServer, open_chat: Open
) -> None:
    cli("assistant", "create", "DocWriter", "-i", "DocWriter", "-m", "gpt-4")
    chat = open_chat()
    chat.type("one" + ENTER)
    chat.wait_for("`gptasst assistant edit DocWriter -m gpt-6.2-sol`, or /model NAME names")
    chat.type(CTRL_D)
    assert chat.ends() == 0


def test_file_and_save(server: LoopbackServer, open_chat: Open, write: Write) -> None:
    write("a.md", "Alpha.")
    server.answer = "# Title\n\nSome *text*.\n"
    chat = open_chat()
    chat.type("/file a.md" + ENTER)
    chat.wait_for("`a.md` (6 B) will be sent with the next question")
    chat.type("one" + ENTER)
    chat.wait_for("Some text.")
    chat.type("/save out.md" + ENTER)
    chat.wait_for("wrote `out.md` (22 B)")

    assert Path("out.md").read_bytes() == b"# Title\n\nSome *text*.\n"
    assert "Alpha." in told(answered(server)[-1])[-1][1]


def test_tab_goes_into_directories(cli: Cli, open_chat: Open, write: Write) -> None:
    assert cli("model", "list").code == 0  # whose names are then known
    write("examples/in it/guide one.md", "Alpha.")
    write("examples/in it/other.md", "Beta.")
    chat = open_chat()
    for keys, seen in (
        ("/file exa" + TAB, "examples/"),
        (TAB, "in\\ it/"),
        ("gu" + TAB, "ide\\ one.md"),
        (ENTER, "`examples/in it/guide one.md` (6 B) will be sent with the next question"),
    ):
        chat.type(keys)
        chat.wait_for(seen)
    chat.type("/mod" + TAB)
    chat.wait_for("el")
    chat.type(" gpt-6-l" + TAB)
    chat.wait_for("una")
    chat.type(ENTER)
    chat.wait_for("gpt-6-luna")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("/", ["/file", "/save", "/retry", "/model", "/help", "/quit"]),
        ("/f", ["/file"]),
        ("a question /f", []),
        ("/file ", ["a.md", "my\\ dir/"]),
        ("/file .", [".hidden"]),
        ("/file a.md m", ["my\\ dir/"]),
        ("/file 'my d", ["my\\ dir/"]),
        ("/file my\\ dir/", ["my\\ dir/it\\'s.md", "my\\ dir/sub/"]),
        ('/save "my dir/s', ["my\\ dir/sub/"]),
        ("/file nowhere/", []),
        ("/file ~nobody-of-that-name/", []),
        ("/retry ", []),
    ],
)
def test_what_tab_offers(write: Write, typed: str, offered: list[str]) -> None:
    for name in ("a.md", ".hidden", "my dir/it's.md", "my dir/sub/b.md"):
        write(name, "")
    assert [text for text, _, _ in completions(typed)] == offered


@pytest.mark.parametrize(
    ("keys", "question"),
    [
        ("one" + ALT_ENTER + "two" + ENTER, "one\ntwo"),
        ("\x1b[200~a\nb\n  c\x1b[201~" + ENTER, "a\nb\n  c"),
        ("thrown away" + CTRL_C + "kept" + ENTER, "kept"),
    ],
    ids=["lines", "pasted", "ctrl-c"],
)
def test_typing(server: LoopbackServer, open_chat: Open, keys: str, question: str) -> None:
    server.answer = "so it is"
    chat = open_chat()
    chat.type(keys)
    chat.wait_for("so it is")
    assert told(answered(server)[-1]) == [("user", question)]


def test_history(server: LoopbackServer, open_chat: Open, home: Path) -> None:
    chat = open_chat()
    chat.type("typed before" + ENTER)
    chat.wait_for("typed before")
    chat.type(CTRL_D)
    chat.ends()
    server.answer = "so it is"
    chat = open_chat()
    chat.type(UP + ENTER)
    chat.wait_for("so it is")

    assert told(answered(server)[-1]) == [("user", "typed before")]
    (history,) = home.rglob("chat_history")
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_control_characters_do_nothing(server: LoopbackServer, open_chat: Open) -> None:
    server.answer = "title \x1b]0;evil\x07 done"
    chat = open_chat()
    chat.type("one" + ENTER)
    chat.wait_for("the answer contains the control character U+001B")
    assert b"\x1b]0;evil" not in chat.raw


def test_stdout_is_the_answers(server: LoopbackServer, open_chat: Open) -> None:
    server.answer = "# An *answer*\n"
    with Path("out.md").open("wb") as stream:
        chat = open_chat(stdout=stream)
        chat.type("one" + ENTER + CTRL_D)
        assert chat.ends() == 0
    assert Path("out.md").read_bytes() == b"# An *answer*\n"


def test_json_is_refused(server: LoopbackServer) -> None:
    chat = Terminal(("DocWriter", "--json"), None)
    assert chat.ends() == 2
    assert "gptasst run NAME -c --json" in chat.text
    chat.close()
