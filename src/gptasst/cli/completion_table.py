"""The table of commands and options that shell completion is answered from.

It is made from the commands as they are declared and kept in the package, since building them
takes longer than a key press may.
"""

from __future__ import annotations

import pprint
from collections.abc import Iterator
from typing import Any

import typer

_HEAD = '''"""Commands, options and what their values are. Written by `scripts/derived-files`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gptasst.completion.entries import CommandEntry

# fmt: off
COMMANDS: dict[str, CommandEntry] = '''

# What can stand for a parameter: kinds of names (see `completion.names`), `file`, or, after
# `=`, a few words. For the rest nothing can be offered. A command's own come before those of all.
_KINDS = {
    "file": "file",
    "files": "file",
    "output": "file",
    "schema": "file",
    "jobs": "",
    "model": "model",
    "profile": "profile",
    "instruction": "instruction file",
    "reasoning_effort": "=none,minimal,low,medium,high,xhigh,max",
    "conversation": "conversation",
    "purpose": "=user_data,assistants",
    "expires": "=1h,1d,7d,30d",
    "shell": "=bash,zsh,fish,powershell",
}
_OWN_KINDS = {
    ("assistant", "name"): "assistant",
    ("chat", "name"): "assistant instruction",
    ("assistant create", "name"): "",
    ("assistant import", "name"): "",
    ("batch", "batch_id"): "batch",
    ("batch", "batch_ids"): "batch",
    ("batch cancel", "batch_id"): "unfinished-batch",
    ("config set", "key"): "config-key",
    ("config set", "value"): "config-value",
    ("file delete", "names"): "file-id file",
    ("file show", "name"): "file-id file",
    ("instruction", "name"): "instruction file",
    ("instruction new", "name"): "",
    ("instruction new", "source"): "instruction",
    ("instruction validate", "names"): "instruction file",
    ("run", "name"): "assistant instruction",
}


def table_source() -> str:
    """The Python source of the table."""
    from gptasst.cli.app import app

    root = typer.main.get_command(app)
    with root.make_context("gptasst", [], resilient_parsing=True) as context:
        entries = dict(_entries(root, context, ""))
    return _HEAD + pprint.pformat(entries, width=200, sort_dicts=False) + "\n"


def _entries(command: Any, context: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    names = command.list_commands(context) if hasattr(command, "list_commands") else []
    inner = {name: command.get_command(context, name) for name in names}
    shown = {name: found for name, found in inner.items() if not found.hidden}
    parameters = command.get_params(context)
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    yield (
        path,
        {
            "commands": {name: found.get_short_help_str(80) for name, found in shown.items()},
            "options": tuple(_option(p, path) for p in parameters if p not in arguments),
            "arguments": tuple(kinds_of(path, p.name) for p in arguments),
            "many": bool(arguments) and arguments[-1].nargs == -1,
        },
    )
    for name, found in shown.items():
        yield from _entries(found, context, f"{path} {name}".strip())


def _option(parameter: Any, path: str) -> dict[str, Any]:
    return {
        "names": tuple(sorted([*parameter.opts, *parameter.secondary_opts])),
        "value": "" if parameter.is_flag else kinds_of(path, parameter.name) or "text",
        "many": parameter.multiple,
        "help": parameter.help or "",
    }


def kinds_of(path: str, parameter: str) -> str:
    """What can stand for a parameter of a command."""
    parts = path.split()
    for depth in range(len(parts), 0, -1):
        own = _OWN_KINDS.get((" ".join(parts[:depth]), parameter))
        if own is not None:
            return own
    return _KINDS.get(parameter, "")
