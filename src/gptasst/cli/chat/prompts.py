"""The input of a chat: a line editor, or standard input."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from gptasst.completion.candidates import unquoted
from gptasst.errors import UsageError
from gptasst.hints import nearest, suggestion
from gptasst.storage.atomic_files import private_directory

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings


class Prompt(Protocol):
    """Reads the user's questions and commands."""

    @property
    def interactive(self) -> bool:
        """Whether a person can correct mistakes."""
        ...

    def read(self) -> str:
        """The next question or command.

        Raises:
            EOFError: the input has ended.
            KeyboardInterrupt: the line was discarded.
        """
        ...


class StdinLines:
    """The lines of standard input, in UTF-8. The last line end may be missing."""

    interactive = False

    def read(self) -> str:
        from gptasst.inputs.encoding import decode_text

        line = sys.stdin.buffer.readline() if sys.stdin else b""
        if not line:
            raise EOFError
        return decode_text(line, "stdin")[0].rstrip("\r\n")


class PlainLines(StdinLines):
    """Lines typed at a dumb terminal.

    Args:
        stream: the terminal.
    """

    interactive = True

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def read(self) -> str:
        self._stream.write("> ")
        self._stream.flush()
        return super().read()


class LineEditor:
    """Lines edited at a terminal, with a persistent history.

    Enter sends; Esc-Enter (Alt-Enter) and Ctrl-J insert a line break; pasted text keeps its lines.

    Args:
        history: a file that only its owner can read.
        stream: the terminal.
    """

    interactive = True

    def __init__(self, history: Path, stream: IO[str]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.output import create_output

        self._session: PromptSession[str] = PromptSession(
            "> ",
            multiline=True,
            prompt_continuation="  ",
            key_bindings=_keys(),
            history=_history(history),
            completer=_completer(),
            complete_while_typing=False,
            enable_suspend=True,
            output=create_output(stdout=stream),  # type: ignore[arg-type]  # IO[str] is a TextIO
        )

    def read(self) -> str:
        return self._session.prompt()


def _history(path: Path) -> History:
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        private_directory(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError:  # a chat works without history
        return InMemoryHistory()
    return FileHistory(path)


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    @keys.add("c-j")
    def begin_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _completer() -> Completer:
    """Completes commands, their paths, and models."""
    from prompt_toolkit.completion import Completer, Completion

    class CommandCompleter(Completer):
        def get_completions(
            self,
            document: Document,
            complete_event: CompleteEvent,  # noqa: ARG002  # the name is part of the interface
        ) -> Iterable[Completion]:
            for text, shown, typed in completions(document.text_before_cursor):
                yield Completion(text, start_position=-typed, display=shown)

    return CommandCompleter()


def completions(before: str) -> Iterator[tuple[str, str, int]]:
    """The completions at the cursor in a line of a chat.

    Args:
        before: the line up to the cursor.

    Yields:
        The text to insert, its display, and how many characters before the cursor it replaces.
    """
    name, blank, rest = before.partition(" ")
    command = name.removeprefix("/")
    if not name.startswith("/"):
        return
    if not blank:
        for known in COMMANDS:
            if known.startswith(command):
                yield f"/{known}", f"/{known}", len(before)
    elif command == "model":
        from gptasst.completion.names import models

        for model, _ in models(sys.argv[1:]):
            if model.startswith(rest):
                yield model, model, len(rest)
    elif command in TAKE_PATHS:
        word = _last_word(rest)
        for path, shown in _paths(unquoted(word)):
            yield _quoted(path), shown, len(word)


def _last_word(text: str) -> str:
    """The last word as typed, with its quotes, the last of which may be open."""
    found = re.search(r"""(?:[^\s"'\\]|\\.?|"(?:[^"\\]|\\.?)*"?|'[^']*'?)*$""", text)
    return found[0] if found else ""


def _paths(typed: str) -> Iterator[tuple[str, str]]:
    """Paths with this prefix, and their last parts; those of directories end with `/`."""
    directory, slash, base = typed.rpartition("/")
    try:
        folder = Path(directory + slash or ".").expanduser()
        entries = sorted((path.name, path.is_dir()) for path in folder.iterdir())
    except (OSError, RuntimeError):  # RuntimeError: there is no home directory
        return
    for name, is_directory in entries:
        if name.startswith(base) and (base or not name.startswith(".")) and name.isprintable():
            shown = f"{name}/" if is_directory else name
            yield f"{directory}{slash}{shown}", shown


def _quoted(path: str) -> str:
    """A path as `_words` reads it."""
    if os.name == "nt":
        return f'"{path}"' if " " in path else path
    return re.sub(r"""([\s"'\\])""", r"\\\1", path)


@contextlib.contextmanager
def typing_ahead() -> Iterator[None]:
    """Keep what is typed while no prompt is shown for the next prompt.

    It is not echoed into an answer, and Enter stays Enter. Ctrl-C still interrupts.
    """
    try:
        import termios
    except ImportError:  # Windows
        yield
        return
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):  # no terminal
        yield
        return
    during = list(before)
    during[0] &= ~termios.ICRNL
    during[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(descriptor, termios.TCSANOW, during)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


COMMANDS = {
    "file": ("PATH...", "give files, patterns or directories to the next question"),
    "save": ("PATH", "write the last answer to a file, exactly as it came"),
    "retry": ("", "ask the last question again; the new answer takes the old one's place"),
    "model": ("NAME", "answer with another model from here on"),
    "help": ("", "show this"),
    "quit": ("", "leave; so does Ctrl-D"),
}

TAKE_PATHS = ("file", "save")

_KEYS = """\
Enter           send; Esc-Enter or Alt-Enter begins a new line
Ctrl-C          stop the answer; what came of it is kept
//...           a question that begins with /"""


def parse_command(line: str) -> tuple[str, Sequence[str]] | None:
    """Parse a line into a command and its words; `None` if it is a question.

    A first word like `/etc/hosts` is part of a question.

    Raises:
        UsageError: the command is unknown, or its words can't be parsed.
    """
    first = line.split(maxsplit=1)[0] if line.strip() else ""
    name = first.removeprefix("/")
    if not line.startswith("/") or "/" in name:
        return None
    if name not in COMMANDS:
        near = nearest(name, COMMANDS)
        hint = suggestion(f"/{near}") if near else "/help shows them"
        raise UsageError(f"no command `{first}`", hint=f"{hint}; as a question: `/{first} …`")
    words = _words(line.removeprefix(first))
    takes = COMMANDS[name][0]
    if (words and not takes) or (takes and name != "model" and not words):
        raise UsageError(f"`/{name}` takes {takes or 'nothing'}")
    if len(words) > 1 and not takes.endswith("..."):
        raise UsageError(f"`/{name}` takes one {takes}", hint="quote it if it contains spaces")
    return name, words


def question_of(line: str) -> str:
    """The question in a line; `//` at its start means `/`."""
    return line[1:] if line.startswith("//") else line


def _words(text: str) -> Sequence[str]:
    try:
        return shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        reason = str(error).lower()
        raise UsageError(f"`{text.strip()}` can't be read: {reason}") from None


def help_text() -> str:
    lines = [f"/{name} {takes}".ljust(16) + says for name, (takes, says) in COMMANDS.items()]
    return "\n".join([*lines, _KEYS])
