"""`gptasst file`: the files of the project on the server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gptasst.cli.commands import (
    AllowSecretsOption,
    CommandGroup,
    DryRunOption,
    FilesArgument,
    Session,
    YesOption,
    command,
)
from gptasst.cli.output import count_text, size_text, time_text
from gptasst.cli.progress import Activity, Transfers
from gptasst.cli.tables import Column
from gptasst.errors import PartlyDone, UsageError

if TYPE_CHECKING:
    from gptasst.api.types import Purpose
    from gptasst.project_files.types import FileEntry, UploadedFile, UploadOutcome

app = CommandGroup("The files of the project on the server.")

_PURPOSES: tuple[Purpose, ...] = ("user_data", "assistants")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SHORTEST, _LONGEST = 3_600, 2_592_000  # seconds, as the API has it

NamesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE|ID...", help="Ids, local paths, or names there.")
]


@command(
    app,
    "upload",
    examples=[
        "gptasst file upload docs/ --expires 7d",
        "gptasst file upload guide.md --purpose assistants",
    ],
)
def upload(
    session: Session,
    files: FilesArgument,
    purpose: Annotated[
        str,
        typer.Option(
            "--purpose", metavar="PURPOSE", help="user_data (inputs) or assistants (knowledge)."
        ),
    ] = "user_data",
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires", metavar="TIME", help="Deleted after so long: 1h to 30d; default never."
        ),
    ] = None,
    dry_run: DryRunOption = False,
    allow_secrets: AllowSecretsOption = False,
) -> None:
    """Upload files; a content that is there already is not sent again."""
    from gptasst.project_files.upload import planned_files

    chosen = next((known for known in _PURPOSES if known == purpose), None)
    if chosen is None:
        raise UsageError(f"no purpose `{purpose}`", hint=f"one of: {', '.join(_PURPOSES)}")
    service = session.context.uploads
    with session.waiting():
        plan = service.plan(files, chosen, _lifetime(expires), allow_secrets=allow_secrets)
    for left in plan.left_out:
        session.output.note(f"left out: {left.reason}")
    if dry_run:
        _show_uploads(session, planned_files(plan), words=("would upload", "is there"))
        return
    with Transfers(session.output) as transfers:
        outcome = service.carry_out(plan, transfers.report)
    _finish_upload(session, outcome)


def _lifetime(text: str | None) -> int | None:
    """Seconds from `3600`, `90m`, `12h` or `30d`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise UsageError(f"--expires `{text}` is not a time from 1h to 30d", hint="such as 12h")
    return seconds


def _show_uploads(session: Session, files: Sequence[UploadedFile], words: tuple[str, str]) -> None:
    columns: list[Column[UploadedFile]] = [
        Column("path", lambda f: f.path, wraps=True),
        Column("size", lambda f: size_text(f.size), right=True),
        Column("state", lambda f: words[0] if f.new else words[1]),
        Column("id", lambda f: f.id or ""),
    ]
    session.output.table("files", files, columns, ident=lambda f: f.id or f.path, empty="no files")


def _finish_upload(session: Session, outcome: UploadOutcome) -> None:
    new = [file for file in outcome.files if file.new]
    if session.output.mode == "json":
        if not outcome.failed:
            session.output.document(outcome)
    else:
        _show_uploads(session, outcome.files, words=("uploaded", "was there"))
        session.output.note(
            f"{count_text(len(new), 'file')} uploaded ({size_text(sum(f.size for f in new))}),"
            f" {len(outcome.files) - len(new):,} there already"
        )
    if outcome.failed:
        named = "; ".join(f"`{failure.path}`: {failure.reason}" for failure in outcome.failed)
        error = PartlyDone(
            f"{count_text(len(outcome.failed), 'file')} could not be uploaded: {named}",
            hint="the rest is done; the same command tries these again",
        )
        error.done = outcome
        raise error


@command(app, "list")
def list_files(session: Session) -> None:
    """List the files, newest first, with their local paths and who uses them."""
    with Activity(session.output, "reading the list"):
        found = session.context.files.list()
    session.output.table(
        "files",
        found,
        _ENTRY_COLUMNS,
        ident=lambda f: f.id,
        empty="no files; `gptasst file upload FILE...` uploads some",
    )


_ENTRY_COLUMNS: list[Column[FileEntry]] = [
    Column("id", lambda f: f.id),
    Column("name", lambda f: f.filename, wraps=True),
    Column("size", lambda f: size_text(f.size), right=True),
    Column("purpose", lambda f: f.purpose),
    Column("created", lambda f: time_text(f.created_at), wraps=True),
    Column("used by", lambda f: ", ".join(f.used_by), wraps=True),
    Column("local path", lambda f: ", ".join(f.paths), wraps=True),
]


@command(app, "show")
def show(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="An id, a local path, or a name there.")
    ],
) -> None:
    """Show a file: the newest, where a content was uploaded more than once."""
    with Activity(session.output, "looking for it"):
        file = max(session.context.files.find([name]), key=lambda f: f.created_at)
    fields = [
        ("id", file.id),
        ("name", file.filename),
        ("size", size_text(file.size)),
        ("purpose", file.purpose),
        ("created", time_text(file.created_at)),
        ("expires", time_text(file.expires_at) if file.expires_at else "never"),
        ("sha256", file.sha256 or "not known here"),
        ("local path", "\n".join(file.paths) or "-"),
        ("used by", "\n".join(file.used_by) or "nothing"),
    ]
    session.output.record(file, fields, ident=file.id)


@command(app, "delete", examples=["gptasst file delete guide.md"])
def delete(
    session: Session, names: NamesArgument, yes: YesOption = False, dry_run: DryRunOption = False
) -> None:
    """Delete files from the server, also out of every assistant. Your files on disk stay."""
    with Activity(session.output, "looking for them"):
        files = session.context.files.find(names)
    _delete(session, [(file, _users(file)) for file in files], yes=yes, dry_run=dry_run)


@command(app, "prune", examples=["gptasst file prune --dry-run"])
def prune(session: Session, yes: YesOption = False, dry_run: DryRunOption = False) -> None:
    """Delete what gptasst uploaded and nothing uses any more, and duplicates.

    Knowledge goes when no vector store holds it; an input stays for as long as the file that
    it was made from is on this disk. Files of others are never touched.
    """
    with Activity(session.output, "looking for what nothing uses"):
        found = session.context.files.prunable()
    if not found:
        _nothing_to_prune(session)
        return
    rows = [(prunable.file, prunable.reason) for prunable in found]
    _delete(session, rows, yes=yes, dry_run=dry_run)


def _nothing_to_prune(session: Session) -> None:
    if session.output.mode == "json":
        session.output.document({"files": [], "bytes": 0})
    else:
        session.output.note("nothing to prune")


# A file that goes, and why, or what goes with it.
_Row = tuple["FileEntry", str]


def _users(file: FileEntry) -> str:
    return f"used by {', '.join(file.used_by)}" if file.used_by else ""


def _delete(session: Session, rows: Sequence[_Row], *, yes: bool, dry_run: bool) -> None:
    """Say what goes, ask, and delete it."""
    output = session.output
    files = [file for file, _ in rows]
    total = sum(file.size for file in files)
    amount = f"{count_text(len(files), 'file')} ({size_text(total)})"
    document = _document(rows)
    if dry_run:
        if output.mode == "json":
            output.document(document)
            return
        output.table("files", rows, _ROW_COLUMNS, ident=lambda row: row[0].id, empty="")
        output.note(f"would delete {amount}")
        return
    if not yes:
        for file, about in rows:
            tail = f", {about}" if about else ""
            output.note(f"{file.id}  {file.filename} ({size_text(file.size)}{tail})")
    session.confirm(f"delete {amount} from the server?", yes=yes)
    try:
        with Activity(output, "deleting"):
            session.context.files.delete(files)
    except PartlyDone as error:
        error.done = _document([row for row in rows if row[0] in cast("Any", error.done)])
        raise
    if output.mode == "quiet":
        output.table("files", rows, _ROW_COLUMNS, ident=lambda row: row[0].id, empty="")
    else:
        output.done(f"deleted {amount}", document, ident="")


_ROW_COLUMNS: list[Column[_Row]] = [
    Column("id", lambda row: row[0].id),
    Column("name", lambda row: row[0].filename, wraps=True),
    Column("size", lambda row: size_text(row[0].size), right=True),
    Column("why", lambda row: row[1], wraps=True),
]


def _document(rows: Sequence[_Row]) -> dict[str, object]:
    return {
        "files": [_row_document(row) for row in rows],
        "bytes": sum(file.size for file, _ in rows),
    }


def _row_document(row: _Row) -> dict[str, object]:
    file, about = row
    return {
        "id": file.id,
        "filename": file.filename,
        "size": file.size,
        "purpose": file.purpose,
        "used_by": file.used_by,
        "reason": about or "asked for",
    }
