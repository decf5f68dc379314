"""The reference page, the manual page and the completion table, from the commands."""

from __future__ import annotations

import pprint
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from gptasst import __version__
from gptasst.cli.help import Example, epilog_parts, paragraphs


@dataclass(frozen=True, slots=True)
class CommandText:
    """What `--help` says of one command.

    `description` and `notes` are paragraphs; a group's `commands` are names and what they do.
    """

    path: str
    usage: str
    description: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    commands: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    examples: tuple[Example, ...]


def command_texts() -> list[CommandText]:
    """Every command of the program, the program itself first, each group before its commands."""
    from gptasst.cli.app import app

    root = typer.main.get_command(app)
    return list(_texts(root, "gptasst", None))


def _texts(command: Any, name: str, parent: Any) -> Iterator[CommandText]:
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        inner = {}
        if hasattr(command, "list_commands"):
            found = {n: command.get_command(context, n) for n in command.list_commands(context)}
            inner = {n: each for n, each in found.items() if not each.hidden}
        yield _text(command, context, inner)
        for inner_name, each in inner.items():
            yield from _texts(each, inner_name, context)


def _text(command: Any, context: Any, inner: dict[str, Any]) -> CommandText:
    path = context.command_path
    parameters = [p for p in command.get_params(context) if not p.hidden]
    records = {
        kind: tuple(p.get_help_record(context) for p in parameters if p.param_type_name == kind)
        for kind in ("argument", "option")
    }
    notes, examples = epilog_parts(command.epilog or "")
    return CommandText(
        path=path,
        usage=" ".join([path, *command.collect_usage_pieces(context)]),
        description=tuple(paragraphs(command.help or "")),
        arguments=records["argument"],
        options=records["option"],
        commands=tuple((name, each.get_short_help_str(200)) for name, each in inner.items()),
        notes=tuple(notes),
        examples=tuple(examples),
    )


# What every command takes, said once.
_EVERYWHERE = {"--profile", "--json", "--quiet", "--verbose", "--no-project", "--help"}
_PAGE_HEAD = """\
# Commands and options

<!-- Written by scripts/derived-files from the program; change the program. -->

`gptasst COMMAND --help` says the same in a terminal, and `man gptasst` where manual pages are
installed. These options stand anywhere: before, between or after the names of a command:

"""
_PAGE_AFTER_OPTIONS = """\
A text that was asked for - an answer, a transcript, an exported definition - is data: it comes
whole under `--quiet`, too. With `--json`, `--quiet` leaves out the notes on stderr.

Without a command:

"""


def own_options(text: CommandText) -> tuple[tuple[str, str], ...]:
    """The options that not every command has."""
    return tuple(
        (names, meaning)
        for names, meaning in text.options
        if not set(re.findall(r"--[\w-]+", names)) & _EVERYWHERE
    )


def reference_page() -> str:
    """The reference as Markdown."""
    root, *commands = command_texts()
    alone = own_options(root)
    everywhere = [option for option in root.options if option not in alone]
    head = _PAGE_HEAD + _table("option", everywhere)
    after = _PAGE_AFTER_OPTIONS + _table("option", alone)
    return "\n".join([head, after, *map(_section, commands)])


def _section(text: CommandText) -> str:
    level = "##" if text.path.count(" ") == 1 else "###"
    parts = [f"{level} {text.path}", *text.description]
    head, rows = "argument or option", [*text.arguments, *own_options(text)]
    if text.commands:
        head = "command"
        rows = [(f"{text.path} {name}", meaning) for name, meaning in text.commands]
    else:
        parts.append(f"```text\n{text.usage}\n```")
    if rows:
        parts.append(_table(head, rows).rstrip())
    parts += text.notes
    for example in text.examples:
        parts += [f"{example.lead}:", "\n".join(["```sh", *example.lines, "```"])]
    return "\n\n".join(parts) + "\n"


def _table(head: str, rows: Sequence[tuple[str, str]]) -> str:
    lines = [f"| `{_cell(names)}` | {_cell(meaning)} |" for names, meaning in rows]
    return "\n".join([f"| {head} | |", "| --- | --- |", *lines, ""])


def _cell(text: str) -> str:
    """A text as a cell of a table; a command's notes on values come after two spaces."""
    return text.replace("  [", " [").replace("|", "\\|")


Rows = Sequence[tuple[str, str]]


def manual_page(exit_codes: Rows, variables: Rows) -> str:
    """The page as roff for man(7).

    Args:
        exit_codes: each code and what it means.
        variables: of the environment, and what each is for.
    """
    root, *commands = command_texts()
    everywhere = [option for option in root.options if option not in own_options(root)]
    lines = [
        '.\\" Written by scripts/derived-files from the program; change the program.',
        f'.TH GPTASST 1 "" "gptasst {__version__}" "User Commands"',
        ".SH NAME",
        "gptasst \\- run assistants on files",
        ".SH SYNOPSIS",
        _escaped(root.usage),
        ".SH DESCRIPTION",
        *_paragraphs(root.description),
        ".SH OPTIONS OF EVERY COMMAND",
        *_definitions(everywhere),
        ".SH OPTIONS WITHOUT A COMMAND",
        *_definitions(own_options(root)),
        ".SH COMMANDS",
        *(line for text in commands for line in _command(text)),
        ".SH EXIT STATUS",
        *_definitions(exit_codes),
        ".SH ENVIRONMENT",
        *_definitions(variables),
    ]
    return "\n".join(lines) + "\n"


def _command(text: CommandText) -> Iterator[str]:
    yield f'.SS "{_escaped(text.path)}"'
    yield from _paragraphs(text.description)
    if text.commands:
        return
    yield from (".PP", _escaped(text.usage))
    yield from _definitions([*text.arguments, *own_options(text)])
    yield from _paragraphs(text.notes)
    for example in text.examples:
        yield from (".PP", _escaped(example.lead) + ":", ".nf")
        yield from map(_escaped, example.lines)
        yield ".fi"


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (".PP", _escaped(text))


def _definitions(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, meaning in rows:
        yield from (".TP", f"\\fB{_escaped(term)}\\fR", _escaped(meaning.replace("  [", " [")))


def _escaped(text: str) -> str:
    """A text in which nothing is a request or an escape of roff, and each dash can be copied."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    plain = plain.replace("'", "\\(aq").replace("…", "\\&...")
    return f"\\&{plain}" if plain.startswith(".") else plain


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
    "paths": "file",
    "with_files": "file",
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
    "var": "variable",
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
        "many": parameter.multiple and parameter.metavar != "NAME=VALUE...",
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
