"""The manual page `gptasst(1)`, from the commands as they are declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gptasst import __version__
from gptasst.cli.command_reference import CommandText, command_texts, own_options

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
