"""`gptasst batch`: files that were handed to the server with `run --each --batch`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptasst.cli.batch_output import (
    BatchProgress,
    fetch_error,
    progress_text,
    show_fetched,
)
from gptasst.cli.commands import CommandGroup, command
from gptasst.cli.output import time_text
from gptasst.cli.progress import Activity
from gptasst.cli.session import Session
from gptasst.cli.tables import Column
from gptasst.errors import UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.api.types import Batch
    from gptasst.batches.types import Submission

app = CommandGroup("Run many files within 24 hours at half price.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `batch list` shows it.")]


@command(app, "list")
def list_batches(session: Session) -> None:
    """List the batches that gptasst submitted from any machine, newest first."""
    columns: list[Column[Batch]] = [
        Column("id", lambda b: b.id),
        Column("assistant", lambda b: b.metadata.get("assistant", ""), cuts=True),
        Column("status", lambda b: b.status.replace("_", " ")),
        Column("done", progress_text, right=True),
        Column("submitted", lambda b: time_text(b.created_at), gives_way=1, dim=True),
    ]
    with session.waiting():
        found = session.context.batches.all()
    session.output.table(
        "batches",
        found,
        columns,
        ident=lambda b: b.id,
        empty=f"no batches; {cmd('run NAME FILE... --each --batch -o DIR')} submits one",
    )


@command(app, "show")
def show(session: Session, batch_id: IdArgument) -> None:
    """Show the status of a batch."""
    with session.waiting():
        batch = session.context.batches.get(batch_id)
    fields = [
        ("id", batch.id),
        ("assistant", batch.metadata.get("assistant", "")),
        ("model", batch.metadata.get("model", "")),
        ("status", batch.status.replace("_", " ")),
        ("files", f"{batch.told('files'):,}"),
        ("requests", progress_text(batch)),
        ("submitted", time_text(batch.created_at)),
    ]
    if batch.errors:
        fields.append(("errors", "\n".join(batch.errors)))
    session.output.record(batch, fields, ident=batch.id)


@command(
    app,
    "fetch",
    examples=["gptasst batch fetch batch_68f1 --wait", "gptasst batch fetch batch_68f1 -o answers"],
)
def fetch(
    session: Session,
    batch_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="As `batch list` shows them.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write all answers below DIR instead."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until they are done.")] = False,
) -> None:
    """Fetch the answers of batches and write them, any number of times.

    Where the batch was submitted, they go where `run --each` would have put them. On any
    other machine they go below `-o DIR`, which is required there.
    """
    if output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"`{output}` is not a directory", hint="-o DIR names another place")
    service = session.context.batches
    with session.waiting():
        batches = [service.get(batch_id) for batch_id in dict.fromkeys(batch_ids)]
    fetch_all(session, batches, output, wait=wait)


def fetch_all(
    session: Session,
    batches: Sequence[Batch],
    directory: Path | None = None,
    submission: Submission | None = None,
    *,
    wait: bool,
) -> None:
    """Fetch batches, after waiting for them if that is wanted, and say what came."""
    service = session.context.batches
    if wait:
        with BatchProgress(session.output) as progress:
            batches = service.wait(batches, progress.report)
    if submission is not None:  # those of other machines have paths of other machines
        away = [batch.id for batch in batches if not service.submitted_here(batch)]
        batches = [batch for batch in batches if batch.id not in away]
        if away:
            session.output.note(f"{', '.join(away)}: the same command puts the answers in place")
    with Activity(session.output, "putting the answers in place"):
        fetched = [service.fetch(batch, directory) for batch in batches]
    show_fetched(session.output, fetched, submission)
    error = fetch_error(fetched, submission)
    if error is not None and session.output.mode == "json":
        raise typer.Exit(error.exit_code)  # it is in the document
    if error is not None:
        raise error


@command(app, "cancel")
def cancel(session: Session, batch_id: IdArgument) -> None:
    """Cancel a batch. Answers that are there already can be fetched, and are paid for."""
    with session.waiting():
        batch = session.context.batches.cancel(batch_id)
    session.output.done(
        f"batch `{batch.id}` is {batch.status.replace('_', ' ')}", batch, ident=batch.id
    )
