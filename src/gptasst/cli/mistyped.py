"""What people type who know other programs, or whose editor changes dashes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gptasst.errors import UsageError
from gptasst.hints import cmd, suggestion

# Editors and chat programs make them of hyphens.
_DASHES = {"\N{EN DASH}": "-", "\N{EM DASH}": "--", "\N{MINUS SIGN}": "-"}

# Of these, the last one would win, and what the others say would be lost in silence.
_ONCE = frozenset({"--instruction", "--output", "--text"})
_PATHS = frozenset({"--file", "--output", "file", "files"})

_SETTING = "it is set in a definition, under [settings]: {}"
_FILES = "files are given with `-f`"
_VARIABLES = "variables are set with `--var NAME=VALUE`"
_TASK = "the task is given with `-t`"

# Names of commands in other programs.
SYNONYMS = {
    "list": ("ls",),
    "show": ("cat", "get", "info", "view"),
    "delete": ("del", "remove", "rm"),
    "edit": ("change", "modify", "update"),
    "create": ("add", "make", "new"),
    "new": ("add", "create", "make"),
    "set": ("change",),
}

# Options of other programs (llm, openai, aichat, sgpt, mods, ollama), for `run` and `chat`.
_FOREIGN = {
    "--system": "instructions are in a definition: {}",
    "--temperature": _SETTING,
    "--top-p": _SETTING,
    "--max-tokens": _SETTING,
    "--max-output-tokens": _SETTING,
    "--stream": "answers are streamed to stdout as they come",
    "--no-stream": "with `-o`, an answer appears whole",
    "--param": _VARIABLES,
    "-p": _VARIABLES,
    "--attachment": _FILES,
    "-a": _FILES,
    "--input": _FILES,
    "-i": _FILES,
    "--prompt": _TASK,
    "--message": _TASK,
    "--key": "{login} stores a key",
    "--api-key": "{login} stores a key",
}
_FOREIGN |= {"-s": _FOREIGN["--system"], "--system-prompt": _FOREIGN["--system"]}


def foreign_option(option: str, command: str) -> str | None:
    """The hint for an unknown option, if it is known what it is elsewhere.

    Args:
        option: what was typed.
        command: for which command.
    """
    if not command:
        from gptasst.completion.table import COMMANDS

        if option == "-V":
            return suggestion("--version")
        of_run = any(option in each["names"] for each in COMMANDS["run"]["options"])
        usage = cmd("run --help")
        return f"options of a command come after its name: {usage} shows them" if of_run else None
    if command not in ("run", "chat") or option not in _FOREIGN:
        return None
    return _FOREIGN[option].format(cmd("instruction new NAME"), login=cmd("auth login"))


def refuse_mistyped(words: Sequence[str], options: Sequence[str]) -> None:
    """Raise if a word is an option with other dashes.

    Args:
        words: of the command, as typed.
        options: that it has.
    """
    for word in words:
        if word == "--":
            return
        name, equals, value = word.partition("=")
        hyphens = "".join(_DASHES.get(character, character) for character in name[:2])
        rest = f"{hyphens}{name[2:]}".lstrip("-")
        meant = ("-" if len(rest) == 1 else "--") + rest
        if meant == name or not hyphens.startswith("-") or os.path.lexists(word):
            continue
        if meant in options and (len(rest) > 1 or name[0] != "-"):
            problem = "has one dash" if name[0] == "-" else f"begins with `{name[0]}`, not a hyphen"
            raise UsageError(f"`{word}` {problem}", hint=suggestion(f"{meant}{equals}{value}"))


def refuse_lost(order: Sequence[Any], values: dict[str, Any]) -> None:
    """Raise if an option was given twice of which only one value would count, or a path is empty.

    Args:
        order: the parameters, as often as they were given.
        values: of each.
    """
    for parameter in order:
        names = {*parameter.opts, parameter.name}
        of_option = parameter.param_type_name == "option"
        shown = parameter.opts[-1] if of_option else "FILE"
        if of_option and names & _ONCE and order.count(parameter) > 1:
            raise UsageError(f"{shown} is given twice", hint="leave one of them out")
        value = values.get(parameter.name)
        found = value if isinstance(value, (list, tuple)) else [value]
        if names & _PATHS and "" in found:
            raise UsageError(f"{shown} has an empty name", hint="is a variable in it not set?")


def name_taken_for_file(command: str, words: Sequence[str], listed: Sequence[str]) -> str | None:
    """The hint where the words after a list option left none for NAME.

    Args:
        command: that was typed.
        words: its own.
        listed: those that the list option took.
    """
    names = [word for word in listed if not os.path.exists(word) and not Path(word).suffix]
    if len(names) != 1 or names[0] not in words:  # `--file=NAME` names a file
        return None
    rest = list(words)
    rest.remove(names[0])
    return f"did you mean {cmd(shlex.join([*command.split()[1:], names[0], *rest]))}?"
