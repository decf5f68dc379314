"""`gptasst run --each --batch`: the files go to the server at once, the answers come later."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gptasst.cli.batch import fetch_all
from gptasst.cli.batch_output import show_submission, submission_error
from gptasst.cli.progress import Transfers
from gptasst.cli.session import Session
from gptasst.errors import UsageError

if TYPE_CHECKING:
    from gptasst.each.types import EachJob

# A pattern that the shell expanded to many files is not shown again in full.
_MOST_WORDS = 6


def submit_batch(
    session: Session, job: EachJob, words: Sequence[str], target: Path | None, *, wait: bool
) -> None:
    """Submit the files of a job; with `wait`, stay for the answers.

    Args:
        session: the parts of the program.
        job: what was asked.
        words: by which the files were named.
        target: what `-o` said.
        wait: whether to stay until the answers are in place.
    """
    if job.purpose not in ("write", "replace"):
        raise UsageError(
            "--batch needs a place for answers that come later",
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
    """The command that submits what is missing, as people would type it."""
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
    if asked.encoding:
        options += ["--encoding", asked.encoding]
    if asked.screening.allow_secrets:
        options.append("--allow-secrets")
    name = shlex.quote(asked.name)
    return " ".join(["gptasst run", name, *shown, "--each --batch", *options])
