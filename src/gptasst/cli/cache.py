"""`gptasst cache`: the cache of local files and of files on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gptasst.cli.commands import CommandGroup, YesOption, command
from gptasst.cli.output import count_text, size_text
from gptasst.cli.progress import Activity
from gptasst.cli.session import Session
from gptasst.cli.tables import Column

if TYPE_CHECKING:
    from gptasst.project_files.cache_types import CacheVerification

app = CommandGroup("The cache of file hashes and ids. It is safe to delete.")


@command(app, "show")
def show(session: Session) -> None:
    """Show what is in the cache."""
    status = session.context.cache.status()
    fields = [
        ("path", status.path),
        ("size", size_text(status.size)),
        ("local files", f"{status.files:,}"),
        ("endpoint", status.scope or "none: the embedded model has no files on a server"),
        ("uploads", f"{status.uploads:,}"),
        ("assistants", f"{status.assistants:,}"),
        ("read from the server", "yes" if status.synced else "not yet; the first upload does it"),
    ]
    session.output.record(status, fields, ident=status.path)


@command(app, "path")
def path(session: Session) -> None:
    """Print the path of the cache."""
    found = str(session.context.cache.path())
    if session.output.mode == "json":
        session.output.document({"path": found})
    else:
        session.output.text(found)


@command(app, "verify")
def verify(session: Session) -> None:
    """Check the cache against the server and the disk, and drop wrong entries."""
    output = session.output
    with Activity(output, "checking"):
        result = session.context.cache.verify()
    rows = [(what, entry) for what, entries in _wrong(result) for entry in entries]
    if output.mode == "json":
        output.document(result)
        return
    if rows:
        output.table("wrong", rows, _ROW_COLUMNS, ident=lambda row: row[1], empty="")
    uploads, files = count_text(result.uploads, "upload"), count_text(result.files, "local file")
    verdict = f"{len(rows):,} wrong and forgotten" if rows else "all is right"
    output.note(f"checked {uploads} and {files}: {verdict}")


_Row = tuple[str, str]
_ROW_COLUMNS: list[Column[_Row]] = [
    Column("what", lambda row: row[0]),
    Column("which", lambda row: row[1], wraps=True),
]


def _wrong(result: CacheVerification) -> list[tuple[str, tuple[str, ...]]]:
    return [
        ("not on the server", result.uploads_gone),
        ("changed", result.files_changed),
        ("gone from the disk", result.files_missing),
    ]


@command(app, "rebuild", examples=["gptasst cache rebuild ."])
def rebuild(
    session: Session,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="More files, patterns or directories in which to look for uploaded content.",
        ),
    ] = None,
) -> None:
    """Rebuild the cache from the server and the disk.

    Files on the server are recognized by the sha256 that gptasst wrote into their names or into
    the attributes of an assistant's files. All others are unknown.
    """
    with Activity(session.output, "reading the server and the disk"):
        result = session.context.cache.rebuild(files or ())
    text = (
        f"{count_text(result.files, 'local file')};"
        f" on the server {count_text(result.knowledge, 'knowledge file')},"
        f" {result.kept:,} known from before, {result.matched:,} recognized,"
        f" {result.unknown:,} unknown"
    )
    session.output.done(text, result, ident=str(session.context.cache.path()))


@command(app, "clear")
def clear(session: Session, yes: YesOption = False) -> None:
    """Clear the cache. No file is deleted, here or on the server."""
    service = session.context.cache
    session.confirm(f"forget everything in `{service.path()}`?", yes=yes)
    service.clear()
    session.output.done("the cache is empty", {"cleared": True}, ident=str(service.path()))
