"""What can be typed in a chat besides questions: commands that begin with `/`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from gptasst.errors import UsageError
from gptasst.hints import nearest, suggestion

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
    """The command and words of a line; `None`: it is a question.

    A first word like `/etc/hosts` is part of a question.

    Raises:
        UsageError: there is no such command, or its words can't be read.
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
        raise UsageError(f"`/{name}` takes one {takes}", hint="quote it if it has blanks")
    return name, words


def question_of(line: str) -> str:
    """The question that a line asks; `//` at its beginning means `/`."""
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
