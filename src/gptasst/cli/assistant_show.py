"""`gptasst assistant show`: an assistant, its knowledge and its instructions."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.commands import build_command
from gptasst.cli.output import (
    BOLD,
    DIM,
    Output,
    count_text,
    harmless,
    one_line,
    size_text,
    time_text,
)
from gptasst.cli.results import ident_of, incomplete_text, tools_shown
from gptasst.cli.session import Session
from gptasst.cli.tables import Column, folded, record_lines, terminal_width
from gptasst.cli.variables import variable_text
from gptasst.errors import GptasstError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.assistants.types import Assistant
    from gptasst.knowledge.types import KnowledgeFile

_FOLDED = 8  # lines of the instructions


def build() -> Any:
    """The command, for the group `assistant`."""
    return build_command(show, "show")


def show(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An assistant's name or id.")],
    full: Annotated[
        bool, typer.Option("--full", help="Show the instructions to their end.")
    ] = False,
) -> None:
    """Show an assistant, its knowledge and its instructions. In a pipe, print it as TOML."""
    output = session.output
    with session.waiting():
        found = session.context.assistants.examine(name)
    if not found.complete:
        output.warn(incomplete_text(found))
    file = _file(session, found)
    if output.draws:
        output.paged("".join(line + "\n" for line in _drawn(output, found, file, full=full)))
    elif output.mode == "people":
        output.text(_as_toml(found, file))
    elif output.mode == "json" and file is not None:
        shown = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
        output.document(shown | {"file": file.path, "differs": file.keys})
    else:
        output.record(found, (), ident=ident_of(found))


@dataclasses.dataclass(frozen=True, slots=True)
class _File:
    """The file that an assistant comes from, and the keys in which it differs."""

    path: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        if not self.keys:
            return f"{self.path}, which says the same"
        return f"{self.path}, which differs in {', '.join(self.keys)}"


def _file(session: Session, assistant: Assistant) -> _File | None:
    """The file of an assistant that `apply` made, if it is in the repository we are in."""
    if not assistant.source:
        return None
    from gptasst.apply.differences import compared_with_file

    try:
        compared = compared_with_file(
            assistant, Path.cwd(), session.context.library, lambda: session.context.machine_mark
        )
    except GptasstError as error:
        session.output.warn(error.message)
        return None
    if compared is None:
        return None
    file = _File(*compared)
    if file.keys:
        apply = cmd(f"apply {shlex.quote(file.path)}")
        session.output.note(f"it differs from its file; {apply} changes it to what that says")
    return file


def _drawn(
    output: Output, assistant: Assistant, file: _File | None, *, full: bool
) -> Iterator[str]:
    """The assistant's facts, then its knowledge, then the instructions."""
    definition = assistant.definition
    yield output.styled(one_line(assistant.name), BOLD)
    width = max(terminal_width() - 2, 1)
    if definition.description:
        yield from (f"  {line}" for line in folded(harmless(definition.description), width))
    yield ""
    fields = [(label, harmless(text)) for label, text in _fields(assistant, file)]
    yield from record_lines(fields, terminal_width())
    yield ""
    yield output.styled("knowledge", BOLD)
    if assistant.knowledge:
        yield output.table_text(assistant.knowledge, _columns(assistant)).rstrip("\n")
        sizes = size_text(sum(file.size for file in assistant.knowledge))
        yield output.styled(f"{count_text(len(assistant.knowledge), 'file')}, {sizes}", DIM)
    else:
        yield "  none"
    yield ""
    yield output.styled("instructions", BOLD)
    yield from _instructions(output, definition.instructions, full=full)


def _fields(assistant: Assistant, file: _File | None) -> list[tuple[str, str]]:
    definition = assistant.definition
    fields = [
        ("model", definition.model or "that of the profile"),
        ("instruction", definition.instruction or ""),
        ("tools", ", ".join(tools_shown(definition)) or "none"),
        ("variables", "\n".join(map(variable_text, definition.variables))),
        ("cases", "\n".join(one_line(case.name) for case in definition.cases)),
        ("comes from", str(file) if file else assistant.source),
        ("synced from", "\n".join(definition.knowledge)),
        ("gone", "" if assistant.complete else "\n".join(assistant.gone) or "not known here"),
        ("revision", f"{assistant.revision}, {time_text(assistant.updated_at)}"),
        ("created", time_text(assistant.created_at)),
        ("id", assistant.id),
    ]
    return [(label, text) for label, text in fields if text]


def _columns(assistant: Assistant) -> list[Column[KnowledgeFile]]:
    indexed = all(file.status == "completed" for file in assistant.knowledge)
    return [
        Column("path", lambda f: f.path, cuts=True),
        Column("size", lambda f: size_text(f.size), right=True, dim=True),
        Column("status", lambda f: "" if indexed else _status(f), cuts=True),
        Column("added", lambda f: time_text(f.added_at), gives_way=1, dim=True),
    ]


def _status(file: KnowledgeFile) -> str:
    return f"{file.status}: {file.problem}" if file.problem else file.status


def _instructions(output: Output, text: str, *, full: bool) -> Iterator[str]:
    width = max(terminal_width() - 2, 1)
    lines = [
        part for line in harmless(text).rstrip("\n").split("\n") for part in folded(line, width)
    ]
    shown = lines if full or len(lines) <= _FOLDED + 1 else lines[:_FOLDED]
    yield from (f"  {line}".rstrip() for line in shown)
    if len(shown) < len(lines):
        left = count_text(len(lines) - len(shown), "more line")
        yield output.styled(f"  … {left}; --full shows them", DIM)


def _as_toml(assistant: Assistant, file: _File | None) -> str:
    """The definition, with other facts about the assistant as comments above it."""
    from gptasst.definitions.toml import dump_definition

    about = [
        f"assistant {one_line(assistant.name)}, id {one_line(assistant.id)}",
        f"revision {assistant.revision}, {time_text(assistant.updated_at)}",
    ]
    if assistant.source:
        about.append(f"from {one_line(str(file) if file else assistant.source)}")
    about += [
        f"knowledge: {one_line(f.path)} ({size_text(f.size)}, {one_line(_status(f))})"
        for f in assistant.knowledge
    ]
    about += [f"gone: {one_line(path)}" for path in assistant.gone]
    comments = "".join(f"# {line}\n" for line in about)
    return f"{comments}\n{dump_definition(assistant.definition)}"
