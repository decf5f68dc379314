"""`gptasst run --each`: every file its own run; how it goes, and what came of it."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gptasst.cli.commands import Session
from gptasst.cli.each_output import error_of, show_plan, show_results, summary_of, tell
from gptasst.cli.each_progress import FileProgress
from gptasst.cli.output import Output
from gptasst.cli.progress import Activity
from gptasst.cli.run_batch import submit_batch
from gptasst.errors import UsageError

if TYPE_CHECKING:
    from gptasst.each.run import EachRun
    from gptasst.each.service import EachService
    from gptasst.each.types import EachJob, FileResult, FileTarget, Purpose
    from gptasst.runs.types import RunRequest

DEFAULT_JOBS = 8
MOST_JOBS = 1000  # the connections that the SDK's pool opens at most
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class EachOptions:
    """The options that only go with `--each`."""

    jobs: int | None = None
    in_place: bool = False
    check: bool = False
    diff: bool = False
    force: bool = False
    batch: bool = False
    wait: bool = False

    def refuse_alone(self) -> None:
        """Refuse them where `--each` was not given."""
        given = [name for name, value in _named(self) if value]
        if given:
            raise UsageError(f"{given[0]} needs --each", hint="--each makes every file its own run")


def _named(options: EachOptions) -> Sequence[tuple[str, object]]:
    return [
        ("--jobs", options.jobs is not None),
        ("--in-place", options.in_place),
        ("--check", options.check),
        ("--diff", options.diff),
        ("--force", options.force),
        ("--batch", options.batch),
        ("--wait", options.wait),
    ]


def run_each(
    session: Session,
    request: RunRequest,
    words: Sequence[str],
    target: Path | None,
    options: EachOptions,
    *,
    encoding: str | None,
    dry_run: bool,
) -> None:
    """Run what was asked on each of the files that `words` mean.

    Args:
        session: the parts of the program.
        request: what is the same for all files.
        words: file names, patterns, directories.
        target: what `-o` said.
        options: the others.
        encoding: of all text files, where it was named.
        dry_run: only show what would be done.
    """
    from gptasst.each.types import EachJob

    if options.wait and not options.batch:
        raise UsageError("--wait needs --batch", hint="without --batch the answers are waited for")
    purpose = _purpose(session.output, target, options)
    job = EachJob(
        name=request.name,
        targets=_targets(session, request, words, purpose, target),
        purpose=purpose,
        text=request.text,
        model=request.model,
        schema=request.schema,
        timeout=request.timeout,
        jobs=options.jobs or DEFAULT_JOBS,
        force=options.force,
        file_search=request.file_search,
        allow_secrets=request.allow_secrets,
        encoding=encoding,
    )
    activity = Activity(session.output, "looking at the files")
    service = session.context.each(activity.report)
    if dry_run:
        show_plan(session.output, service.plan(job))
        return
    if options.batch:
        submit_batch(session, job, words, target, wait=options.wait)
        return
    _work(session, service, job, activity, options)


def _purpose(output: Output, target: Path | None, options: EachOptions) -> Purpose:
    given = [("-o", target is not None), *_named(options)[1:3]]
    names = [name for name, value in given if value]
    if len(names) > 1:
        raise UsageError(
            f"{names[0]} and {names[1]} exclude each other", hint="leave one of them out"
        )
    if target is not None:
        if options.diff:
            raise UsageError(
                "--diff compares with the file itself and does not go with -o",
                hint="leave one of them out",
            )
        return "write"
    if options.in_place:
        return "replace"
    if options.check or options.diff:
        return "check"
    if output.mode == "json":
        return "collect"
    raise UsageError(
        "--each needs a place for the answers",
        hint="-o DIRECTORY, --in-place, --check, --diff, or --json",
        code="no_output",
    )


def _targets(
    session: Session,
    request: RunRequest,
    words: Sequence[str],
    purpose: Purpose,
    target: Path | None,
) -> tuple[FileTarget, ...]:
    from gptasst.each.targets import plan_targets

    if "-" in words or target == Path("-"):
        raise UsageError(
            "--each reads files and writes files, not standard input or output",
            hint="without --each, `-` is standard input",
        )
    return plan_targets(
        words,
        purpose,
        None if target is None else str(target),
        session.output.note,
        allow_secrets=request.allow_secrets,
    )


def _work(
    session: Session, service: EachService, job: EachJob, activity: Activity, options: EachOptions
) -> None:
    output = session.output
    started = time.monotonic()
    with activity:
        run = service.start(job)
    results: list[FileResult] = []
    progress = FileProgress(output, len(job.targets))
    with _stopping_on_interrupt(run), progress, contextlib.closing(run.results()) as coming:
        for result in coming:
            results.append(result)
            progress.show(result)
    if run.ended_by is None or run.ended_by.code != "model_not_found":  # that says it, too
        for warning in run.warnings:
            output.warn(warning)
    for note in run.notes():
        output.note(note)
    order = {str(target.path): number for number, target in enumerate(job.targets)}
    results.sort(key=lambda result: order[result.path])
    summary = summary_of(results, time.monotonic() - started)
    error = error_of(run, summary, results, check=options.check)
    if output.mode == "json":
        shown = [replace(r, diff=r.diff if options.diff else None) for r in results]
        output.document({"files": shown, "summary": summary, "error": error})
        raise typer.Exit(_INTERRUPTED if run.stopped else error.exit_code if error else 0)
    show_results(output, results, diff=options.diff, check=options.check)
    tell(output, results, summary, stopped=run.stopped)
    if run.stopped:
        raise typer.Exit(_INTERRUPTED)
    if error is not None:
        raise error


@contextlib.contextmanager
def _stopping_on_interrupt(run: EachRun) -> Iterator[None]:
    """The first Ctrl-C stops the run with all that was finished kept; the second, at once."""

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run.stop()

    try:
        before = signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
