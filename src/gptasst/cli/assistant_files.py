"""`gptasst assistant files`: what an assistant knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gptasst.cli.commands import Session, command, group
from gptasst.cli.output import Column, count_text, size_text, time_text

if TYPE_CHECKING:
    from gptasst.models.assistants import Assistant
    from gptasst.models.knowledge import KnowledgeFile

app = group("The knowledge files of an assistant.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="An assistant's name or id.")]
FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Files, patterns or directories.")
]


@command(app, "list")
def list_files(session: Session, name: NameArgument) -> None:
    """List an assistant's knowledge."""
    columns: list[Column[KnowledgeFile]] = [
        Column("path", lambda f: f.path),
        Column("size", lambda f: size_text(f.size), right=True),
        Column("status", lambda f: f.status),
        Column("added", lambda f: time_text(f.added_at)),
        Column("id", lambda f: f.id),
    ]
    session.output.table(
        "files",
        session.context.assistants.get(name).knowledge,
        columns,
        ident=lambda f: f.path,
        empty=f"no knowledge; `gptasst assistant files add {name} FILE...` adds some",
    )


@command(app, "add")
def add(session: Session, name: NameArgument, files: FilesArgument) -> None:
    """Add knowledge; a path that is there already gets its new content."""
    _done(session, session.context.assistants.add_files(name, files))


@command(app, "remove")
def remove(
    session: Session,
    name: NameArgument,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Paths, ids, patterns or directories.")
    ],
) -> None:
    """Take knowledge away. Your files on disk stay."""
    _done(session, session.context.assistants.remove_files(name, files))


@command(app, "set")
def set_files(session: Session, name: NameArgument, files: FilesArgument) -> None:
    """Make these the whole knowledge."""
    _done(session, session.context.assistants.set_files(name, files))


def _done(session: Session, assistant: Assistant) -> None:
    files = count_text(len(assistant.knowledge), "file")
    session.output.done(f"`{assistant.name}` knows {files}", assistant, ident=assistant.name)
