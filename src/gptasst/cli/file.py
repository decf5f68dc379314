"""`gptasst file`: the files of the project on the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gptasst.cli.commands import (
    AllowSecretsOption,
    CommandGroup,
    DryRunOption,
    FilesArgument,
    YesOption,
    command,
)
from gptasst.cli.output import Output, count_text, one_line, size_text, time_text
from gptasst.cli.progress import Activity, Transfers
from gptasst.cli.session import Session
from gptasst.cli.tables import Column
from gptasst.errors import PartlyDone, UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.api.types import Purpose
    from gptasst.project_files.types import FileEntry, UploadedFile, UploadOutcome

app = CommandGroup("The files of the project on the server.")

_PURPOSES: tuple[Purpose, ...] = ("user_data", "assistants")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TIME = re.compile(r"(\d{1,9})([smhd]?)")
_SHORTEST, _LONGEST = 3_600, 2_592_000  # seconds, the API's limits

NamesArgument = Annotated[
    list[str],
    typer.Argument(metavar="FILE|ID...", help="Ids, local paths, or names on the server."),
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
            "--expires", metavar="TIME", help="Delete after this time: 1h to 30d; default never."
        ),
    ] = None,
    dry_run: DryRunOption = False,
    allow_secrets: AllowSecretsOption = False,
) -> None:
    """Upload files; content that is already there is not sent again."""
    from gptasst.project_files.upload import planned_files

    chosen = next((known for known in _PURPOSES if known == purpose), None)
    if chosen is None:
        raise UsageError(f"no purpose `{purpose}`", hint=f"one of: {', '.join(_PURPOSES)}")
    service = session.context.uploads
    with session.waiting():
        plan = service.plan(files, chosen, _lifetime(expires), session.screening(allow_secrets))
    for left in plan.left_out:
        session.output.warn(f"left out: {left.reason}")
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
    match = _TIME.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise UsageError(f"--expires `{text}` is not a time from 1h to 30d", hint="such as 12h")
    return seconds


def _show_uploads(session: Session, files: Sequence[UploadedFile], words: tuple[str, str]) -> None:
    columns: list[Column[UploadedFile]] = [
        Column("path", lambda f: f.path, cuts=True),
        Column("size", lambda f: size_text(f.size), right=True, dim=True),
        Column("state", lambda f: words[0] if f.new else words[1]),
        Column("id", lambda f: f.id or "", gives_way=1, dim=True),
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
            f" {len(outcome.files) - len(new):,} were already there"
        )
    if outcome.failed:
        named = "; ".join(f"`{failure.path}`: {failure.reason}" for failure in outcome.failed)
        error = PartlyDone(
            f"{count_text(len(outcome.failed), 'file')} could not be uploaded: {named}",
            hint="the others are uploaded; run the same command again to retry these",
        )
        error.done = outcome
        raise error


@command(app, "list")
def list_files(session: Session) -> None:
    """List files, newest first, with local paths and the assistants that use them."""
    with Activity(session.output, "reading the list"):
        found = session.context.files.list()
    session.output.table(
        "files",
        found,
        _ENTRY_COLUMNS,
        ident=lambda f: f.id,
        empty=f"no files; {cmd('file upload FILE...')} uploads some",
    )


_ENTRY_COLUMNS: list[Column[FileEntry]] = [
    Column("id", lambda f: f.id, gives_way=3, dim=True),
    Column("name", lambda f: f.filename, cuts=True),
    Column("size", lambda f: size_text(f.size), right=True, dim=True),
    Column("purpose", lambda f: f.purpose, gives_way=1),
    Column("created", lambda f: time_text(f.created_at), gives_way=2, dim=True),
    Column("used by", lambda f: ", ".join(f.used_by), cuts=True),
    Column("local path", lambda f: ", ".join(f.paths), cuts=True, gives_way=4),
]


@command(app, "show")
def show(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="An id, a local path, or a name on the server.")
    ],
) -> None:
    """Show a file; the newest, if its content was uploaded more than once."""
    with Activity(session.output, "looking it up"):
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
    """Delete files from the server and from every assistant. Your files on disk stay."""

    def look() -> list[_Row]:
        with Activity(session.output, "looking them up"):
            found = session.context.files.find(names, to_delete=True)
            return [(file, _users(file)) for file in found]

    _delete(session, look, session.context.files.delete, yes=yes, dry_run=dry_run)


@command(app, "prune", examples=["gptasst file prune --dry-run"])
def prune(
    session: Session,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    min_age: Annotated[
        str,
        typer.Option(
            "--min-age", metavar="TIME", help="Keep younger uploads of other machines, such as 12h."
        ),
    ] = "1d",
) -> None:
    """Delete gptasst's unused and duplicate uploads.

    Knowledge goes when no vector store holds it. An input stays for as long as the file that it
    was made from is on this disk; inputs of other machines stay. Files that gptasst did not
    upload are never touched.
    """
    age = _age(min_age)
    files = session.context.files

    def look() -> list[_Row]:
        with Activity(session.output, "looking for unused files"):
            found = files.leftovers(age)
        if not dry_run:
            files.forget(found.gone)
        return [(prunable.file, prunable.reason) for prunable in found.files]

    def delete(found: Sequence[FileEntry]) -> Sequence[FileEntry]:
        return files.delete(found, unless_used=True)

    _delete(session, look, delete, yes=yes, dry_run=dry_run)


def _age(text: str) -> timedelta:
    match = _TIME.fullmatch(text)
    if not match:
        raise UsageError(f"--min-age `{text}` is not a time", hint="such as 12h, 2d or 0")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def _nothing_to_prune(session: Session) -> None:
    if session.output.mode == "json":
        session.output.document({"files": [], "bytes": 0})
    else:
        session.output.note("nothing to prune")


# A file to delete, and why, or what is deleted with it.
_Row = tuple["FileEntry", str]


def _users(file: FileEntry) -> str:
    return f"used by {', '.join(file.used_by)}" if file.used_by else ""


def _delete(
    session: Session,
    look: Callable[[], list[_Row]],
    delete: Callable[[Sequence[FileEntry]], Sequence[FileEntry]],
    *,
    yes: bool,
    dry_run: bool,
) -> None:
    """List the files to delete, ask, check again, and delete them."""
    output = session.output

    def question(rows: Sequence[_Row]) -> str:
        for file, about in rows:
            tail = f", {about}" if about else ""
            name = one_line(file.filename)
            output.note(f"{file.id}  {name} ({size_text(file.size)}{tail})")
        return f"delete {_amount(rows)} from the server?"

    rows = look() if dry_run else session.confirmed(look, question, yes=yes, nothing=[])
    if not rows:
        _nothing_to_prune(session)
        return
    if dry_run:
        if output.mode == "json":
            output.document(_document(rows))
            return
        output.table("files", rows, _ROW_COLUMNS, ident=lambda row: row[0].id, empty="")
        output.note(f"would delete {_amount(rows)}")
        return
    try:
        with Activity(output, "deleting"):
            gone = delete([file for file, _ in rows])
    except PartlyDone as error:
        error.done = _document([row for row in rows if row[0] in cast("Any", error.done)])
        raise
    _report_deleted(output, [row for row in rows if row[0] in gone], rows)


def _report_deleted(output: Output, gone: Sequence[_Row], named: Sequence[_Row]) -> None:
    for file, _ in named:
        if not any(file is row[0] for row in gone):
            output.note(f"kept {file.id}: it is in use now, or may be")
    if output.mode == "quiet":
        output.table("files", gone, _ROW_COLUMNS, ident=lambda row: row[0].id, empty="")
    else:
        output.done(f"deleted {_amount(gone)}", _document(gone), ident="")


def _amount(rows: Sequence[_Row]) -> str:
    total = sum(file.size for file, _ in rows)
    return f"{count_text(len(rows), 'file')} ({size_text(total)})"


_ROW_COLUMNS: list[Column[_Row]] = [
    Column("id", lambda row: row[0].id, gives_way=1, dim=True),
    Column("name", lambda row: row[0].filename, cuts=True),
    Column("size", lambda row: size_text(row[0].size), right=True, dim=True),
    Column("why", lambda row: row[1], cuts=True),
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
