"""Commands that gptasst prints: each is one that it takes, whichever test has it printed."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer.main

from gptasst.cli.app import app

# What stands for more words, or for any options.
_REST = ("…", "...")


def printed(text: str) -> Iterator[tuple[str, bool]]:
    """The commands of gptasst in a text for people; whether one is only the name that was meant."""
    for found in re.finditer(r"(did you mean )?`(gptasst [^`\n]*)`", text):
        yield found[2], bool(found[1])


@functools.cache
def why_not_taken(command: str) -> str | None:
    """What the command line would say of a command before it does anything; `None`: it takes it."""
    try:
        words = [word for word in shlex.split(command)[1:] if word not in _REST]
    except ValueError:
        return None  # somebody's text, which has backticks of its own
    if "--help" in words:
        words = words[: words.index("--help")]
    group: Any = typer.main.get_command(app)
    context = None
    name = "gptasst"
    try:
        while True:
            context = group.make_context(name, list(words), parent=context)
            rest = [*getattr(context, "_protected_args", ()), *context.args]
            if not hasattr(group, "resolve_command") or not rest:
                return None
            name, group, words = group.resolve_command(context, rest)
    except SystemExit:  # a group alone shows its help
        return None
    except Exception as error:  # noqa: BLE001  # Typer's own, which can't be imported
        if type(error).__name__ in ("NoArgsIsHelpError", "Exit"):
            return None
        asks_for_help = command.endswith("--help") and "Missing parameter" in str(error)
        return None if asks_for_help else f"{type(error).__name__}: {error}"


def assert_all_taken(text: str) -> None:
    """Fail where a text has a command that can't be run as it is printed."""
    for command, is_name in printed(text):
        problem = why_not_taken(command)
        if problem and is_name and problem.startswith("MissingParameter"):
            continue
        assert problem is None, f"`{command}` was printed: {problem}"
