"""The commands as they are declared, for those who read about them elsewhere than in `--help`.

`scripts/derived-files` writes the page `docs/cli.md` from this, and the manual page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from gptasst.cli.epilogs import Example, epilog_parts, paragraphs


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
_EVERYWHERE = {"--profile", "--json", "--quiet", "--verbose", "--help"}
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
