"""`gptasst batch`: batches that were submitted with `run --each --batch`."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptasst.cli.batches_of_rows import print_as_they_come
from gptasst.cli.commands import CommandGroup, command
from gptasst.cli.output import Output, count_text, harmless, time_text
from gptasst.cli.progress import Activity, Drawn, Transfers
from gptasst.cli.results import tell_kept, totals_of, totals_text, warn_of_failures
from gptasst.cli.session import Session
from gptasst.cli.tables import Column
from gptasst.errors import GptasstError, PartlyDone, UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from gptasst.api.types import Batch
    from gptasst.batches.types import Fetched, Submission
    from gptasst.each.types import EachJob


def progress_text(batch: Batch) -> str:
    """The number of finished requests, and of all."""
    failed = f", {batch.failed:,} failed" if batch.failed else ""
    return f"{batch.completed + batch.failed:,} of {batch.all_requests:,}{failed}"


class BatchProgress(Drawn):
    """A progress bar over all requests of batches, while waiting for them."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._bar: tuple[Progress, TaskID] | None = None

    def report(self, batches: Sequence[Batch]) -> None:
        """Show the state of batches."""
        if not self._output.shows_progress:
            return
        self._bar = self._bar or self._draw()
        progress, task = self._bar
        states = Counter(batch.status.replace("_", " ") for batch in batches)
        progress.update(
            task,
            description=", ".join(f"{number} {status}" for status, number in states.items()),
            completed=sum(batch.completed + batch.failed for batch in batches),
            total=sum(batch.all_requests for batch in batches) or None,
        )

    def _draw(self) -> tuple[Progress, TaskID]:
        from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

        progress = self._bars(
            "{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        return progress, progress.add_task("")


def show_submission(output: Output, submission: Submission) -> None:
    """Print what was submitted, and the results of files that needed no submission."""
    error = submission_error(submission)
    if output.mode == "json":
        output.document({"submission": submission, "error": error})
    else:
        for batch in submission.batches:
            output.text(batch.id)
        warn_of_failures(output, submission.results)
        output.note(_submission_text(submission))
        ids = " ".join(batch.id for batch in (*submission.batches, *submission.earlier))
        if ids:
            output.note(
                f"{cmd(f'batch fetch {ids}')} writes the answers when they are"
                " ready, within 24 hours"
            )


def submission_error(submission: Submission) -> GptasstError | None:
    """The error for a submission without some of the files."""
    failed = sum(result.status == "failed" for result in submission.results)
    if not failed:
        return None
    return PartlyDone(f"{count_text(failed, 'file')} can't be submitted or written")


def _submission_text(submission: Submission) -> str:
    counts = Counter(result.status for result in submission.results)
    batches = count_text(len(submission.batches), "batch").replace("batchs", "batches")
    parts = [f"{count_text(submission.submitted, 'file')} submitted in {batches}"]
    if submission.waiting:
        parts.append(f"{submission.waiting:,} on their way in earlier ones")
    done = counts["written"] + counts["unchanged"]
    parts += [f"{done:,} answered before"] if done else []
    for number, word in ((counts["skipped"], "empty"), (counts["failed"], "failed")):
        parts += [f"{number:,} {word}"] if number else []
    if not submission.submitted:
        parts[0] = "nothing to submit"
    return "; ".join(parts)


def show_fetched(
    output: Output, fetched: Sequence[Fetched], submission: Submission | None = None
) -> None:
    """Print the result of each file; as JSON, together with the submission before."""
    results = [result for one in fetched for result in one.results]
    summary = totals_of(results)
    error = fetch_error(fetched, submission)
    if output.mode == "json":
        batches = [{"batch": one.batch, "name": one.name, "files": one.results} for one in fetched]
        document = {"batches": batches, "summary": summary, "error": error}
        output.document({"submission": submission} | document if submission else document)
        return
    if output.mode == "quiet":
        for result in results:
            if result.status == "written":
                output.text(harmless(result.output or result.path))
    warn_of_failures(output, results)
    tell_kept(output, [kept for result in results for kept in result.kept])
    kinds = ("written", "unchanged", "failed")
    counted = [(getattr(summary, kind), kind) for kind in kinds]
    parts = ", ".join(f"{number:,} {kind}" for number, kind in counted if number)
    used = filter(None, (parts, totals_text(output, summary)))
    output.note(f"{count_text(summary.files, 'file')}: {'; '.join(used)}")


def fetch_error(
    fetched: Sequence[Fetched], submission: Submission | None = None
) -> GptasstError | None:
    """The error for a fetch that did not write all answers, or for the submission before."""
    summary = totals_of([result for one in fetched for result in one.results])
    if not summary.failed:
        return submission_error(submission) if submission else None
    # A command from another machine may not work here.
    typed = {o.command for o in fetched if any(r.status == "failed" for r in o.results)} - {""}
    commands = ", ".join(f"`{command}`" for command in sorted(typed))
    return PartlyDone(
        f"{summary.failed:,} of {count_text(summary.files, 'file')} failed",
        hint=f"{commands} submits only what is missing" if commands else None,
    )


app = CommandGroup("Run many files within 24 hours at half price.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="An id from `batch list`.")]


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
    print_as_they_come(
        session,
        "batches",
        session.context.batches.all,
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
    batch_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids from `batch list`.")],
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
    """Fetch batches, after waiting for them if requested, and print the results."""
    service = session.context.batches
    if wait:
        with BatchProgress(session.output) as progress:
            batches = service.wait(batches, progress.report)
    if submission is not None:  # batches of other machines have the paths of those machines
        away = [batch.id for batch in batches if not service.submitted_here(batch)]
        batches = [batch for batch in batches if batch.id not in away]
        if away:
            session.output.note(
                f"{', '.join(away)}: run the same command again to write the answers"
            )
    with Activity(session.output, "writing the answers"):
        fetched = [service.fetch(batch, directory) for batch in batches]
    show_fetched(session.output, fetched, submission)
    error = fetch_error(fetched, submission)
    if error is not None and session.output.mode == "json":
        raise typer.Exit(error.exit_code)  # the document has it
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


# Shorten a list of files that the shell expanded from a pattern.
_LONGEST_VALUE = 40  # of a variable, as it is shown in a command
_MOST_WORDS = 6


def submit_batch(
    session: Session, job: EachJob, words: Sequence[str], target: Path | None, *, wait: bool
) -> None:
    """Submit the files of a job; with `wait`, wait for the answers.

    Args:
        session: the session of the command.
        job: the job.
        words: the words that stand for the files.
        target: the value of `-o`.
        wait: whether to wait until the answers are written.
    """
    if job.purpose not in ("write", "replace"):
        raise UsageError(
            "--batch needs a place for the answers",
            hint="-o DIRECTORY or --in-place",
            code="no_output",
        )
    service = session.context.batches
    with Transfers(session.output) as transfers:
        submission = service.submit(job, _typed(job, words, target), transfers.report)
    for warning in submission.warnings:
        session.output.warn(warning)
    batches = (*submission.batches, *submission.earlier)
    in_one_document = wait and session.output.mode == "json"
    if not in_one_document:
        show_submission(session.output, submission)
    error = submission_error(submission)
    if wait and (batches or in_one_document):
        fetch_all(session, batches, None, submission, wait=True)
    if error is not None and session.output.mode == "json":
        raise typer.Exit(error.exit_code)
    if error is not None:
        raise error


def _typed(job: EachJob, words: Sequence[str], target: Path | None) -> str:
    """The command that submits the missing files, as people would type it."""
    shown = [shlex.quote(word) for word in words[:_MOST_WORDS]]
    shown += ["…"] if len(words) > _MOST_WORDS else []
    asked = job.asked
    options = ["--in-place"] if target is None else ["-o", shlex.quote(str(target))]
    for option, value in (("-t", asked.text), ("-m", asked.model)):
        options += [option, shlex.quote(value)] if value else []
    if asked.schema is not None:
        options.append("--schema …")
    if not asked.file_search:
        options.append("--no-file-search")
    for name, value in asked.variables.items():
        told = value if len(value) <= _LONGEST_VALUE and value.isprintable() else "…"
        options += ["--var", shlex.quote(f"{name}={told}")]
    if asked.encoding:
        options += ["--encoding", asked.encoding]
    if asked.screening.allow_secrets:
        options.append("--allow-secrets")
    name = shlex.quote(asked.name)
    return " ".join(["gptasst run", name, *shown, "--each --batch", *options])
