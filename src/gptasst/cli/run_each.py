"""`gptasst run --each`: a run for each file, its progress and results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from gptasst.cli.output import Output, count_text, harmless
from gptasst.cli.results import (
    FileTotals,
    tell_fallback,
    tell_kept,
    totals_of,
    totals_text,
    warn_of_failures,
)
from gptasst.errors import GptasstError, PartlyDone
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.each.service import EachRun
    from gptasst.each.types import FileResult


import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gptasst.cli.batch import submit_batch
from gptasst.cli.estimates import show_job_plan, tell_estimate
from gptasst.cli.progress import Activity, FileProgress
from gptasst.cli.session import Session
from gptasst.cli.variables import asking
from gptasst.errors import UsageError

if TYPE_CHECKING:
    from gptasst.api.types import CompletionWindow
    from gptasst.cases.running import TestRun
    from gptasst.each.deferred import DeferredRun
    from gptasst.each.service import EachRun, EachService
    from gptasst.each.types import EachJob, FileResult, FileTarget, Purpose
    from gptasst.runs.types import RunRequest

DEFAULT_JOBS = 8
MOST_JOBS = 1000  # the most connections of the SDK's pool
_INTERRUPTED = 130
_MANY = 20  # files, from which an estimate is shown on a terminal
_SAMPLE = 500  # files that it is made from at most


@dataclass(frozen=True, slots=True)
class EachOptions:
    """The options that require `--each`."""

    jobs: int | None = None
    in_place: bool = False
    check: bool = False
    diff: bool = False
    force: bool = False
    batch: bool = False
    wait: bool = False
    null: bool = False
    by: CompletionWindow | None = None

    def refuse_alone(self) -> None:
        """Raise if they are given without `--each`."""
        given = [name for name, value in _named(self) if value]
        if given:
            raise UsageError(f"{given[0]} needs --each", hint="--each runs every file on its own")


def _named(options: EachOptions) -> Sequence[tuple[str, object]]:
    return [
        ("--jobs", options.jobs is not None),
        ("--in-place", options.in_place),
        ("--check", options.check),
        ("--diff", options.diff),
        ("--force", options.force),
        ("--batch", options.batch),
        ("--wait", options.wait),
        ("--null", options.null),
        ("--by", options.by is not None),
    ]


def run_each(
    session: Session,
    request: RunRequest,
    words: Sequence[str],
    target: Path | None,
    options: EachOptions,
    *,
    dry_run: bool,
) -> None:
    """Run a request on each of the files that `words` stand for.

    Args:
        session: the session of the command.
        request: the parts that all files share.
        words: file names, patterns, directories.
        target: the value of `-o`.
        options: the options of `--each`.
        dry_run: only show the plan.
    """
    from gptasst.each.types import EachJob

    if options.by and options.batch:
        raise UsageError(
            f"--by {options.by} and --batch can't be combined",
            hint="--by 24h is --batch",
        )
    if options.wait and not options.batch:
        raise UsageError(
            "--wait needs --batch", hint="without --batch, gptasst waits for the answers anyway"
        )
    purpose = _purpose(session.output, target, options)
    job = EachJob(
        request,
        targets=_targets(session, request, words, purpose, target),
        purpose=purpose,
        jobs=options.jobs or DEFAULT_JOBS,
        force=options.force,
        by=options.by,
    )

    if not dry_run:
        tell_fallback(session)

    def work(asked: RunRequest) -> None:
        activity = Activity(session.output, "looking at the files")
        service = session.context.each(activity.report)
        ready = replace(job, asked=asked)
        if dry_run:
            show_job_plan(session.output, service.plan(ready))
            return
        later = options.batch or options.by is not None
        if session.output.shows_progress and (later or len(job.targets) > _MANY):
            with activity:
                plan = service.sampled_plan(ready, _SAMPLE)
            tell_estimate(session.output, plan, "24h" if options.batch else options.by or "now")
        if options.batch:
            service.admit(ready, "24h")
            submit_batch(session, ready, words, target, wait=options.wait)
        else:
            _work(session, service, ready, activity, options)

    asking(session, request, work)


def _purpose(output: Output, target: Path | None, options: EachOptions) -> Purpose:
    given = [("-o", target is not None), *_named(options)[1:3]]
    names = [name for name, value in given if value]
    if len(names) > 1:
        raise UsageError(
            f"{names[0]} and {names[1]} can't be combined", hint="use only one of them"
        )
    if target is not None:
        if options.diff:
            raise UsageError(
                "--diff compares answers with their files and can't be combined with -o",
                hint="use only one of them",
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
        session.output.warn,
        request.screening,
        failed=session.output.miss,
    )


def _work(
    session: Session, service: EachService, job: EachJob, activity: Activity, options: EachOptions
) -> None:
    output = session.output
    started = time.monotonic()
    with activity:
        run = service.start(job)
    if job.by is not None and output.shows_progress:
        output.note(f"answers come within {job.by[:-1]} hours; Ctrl-C and {_SAME_LATER}")
    results: list[FileResult] = []
    progress = FileProgress(output, len(job.targets), run.waited_longest_for)
    with stopping_on_interrupt(run), progress, contextlib.closing(run.results()) as coming:
        for result in coming:
            results.append(result)
            progress.show(result)
    if run.ended_by is None or run.ended_by.code != "model_not_found":  # the error reports it, too
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
        error = error or output.missed_error()
        output.document({"files": shown, "summary": summary, "error": error})
        raise typer.Exit(_INTERRUPTED if run.stopped else error.exit_code if error else 0)
    show_results(output, results, options)
    tell(output, results, summary, stopped=run.stopped)
    if run.stopped:
        raise typer.Exit(_INTERRUPTED)
    if error is not None:
        raise error


@contextlib.contextmanager
def stopping_on_interrupt(run: EachRun | DeferredRun | TestRun) -> Iterator[None]:
    """Let the first Ctrl-C stop the run and keep finished files, and the second stop at once."""

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


_DIFF_COLOURS = {"+++": "1", "---": "1", "@@": "35", "+": "32", "-": "31"}
_SAME_LATER = "the same command later goes on waiting"
_SAME_COMMAND = "the same command does only what is missing"


@dataclass(frozen=True, slots=True)
class EachSummary(FileTotals):
    """The results of all files. `seconds` is the duration of the command."""

    would_change: int
    answered: int
    skipped: int
    not_run: int
    requests: int
    seconds: float


def summary_of(results: Sequence[FileResult], seconds: float) -> EachSummary:
    """Summarize the results of files, and the seconds that the command took."""
    counts = Counter(result.status for result in results)
    return EachSummary(
        **asdict(totals_of(results)),
        would_change=counts["would_change"],
        answered=counts["answered"],
        skipped=counts["skipped"],
        not_run=counts["not_run"],
        requests=sum(result.asked for result in results),
        seconds=round(seconds, 3),
    )


def error_of(
    run: EachRun | DeferredRun, summary: EachSummary, results: Sequence[FileResult], *, check: bool
) -> GptasstError | None:
    """The error at the end of a command over many files, if something failed."""
    if run.ended_by is not None:
        return run.ended_by
    files = count_text(summary.files, "file")
    if summary.failed:
        found = f", {summary.would_change:,} would change" if check else ""
        return PartlyDone(f"{summary.failed:,} of {files} failed{found}", hint=_SAME_COMMAND)
    if check and summary.would_change:
        changing = [f"`{r.path}`" for r in results if r.status == "would_change"]
        return PartlyDone(
            f"{summary.would_change:,} of {files} would change: {', '.join(changing[:3])}"
            + (", …" if len(changing) > 3 else ""),
            hint="use --in-place instead of --check to change them; no further requests are needed",
            code="would_change",
        )
    return None


def show_results(output: Output, results: Sequence[FileResult], options: EachOptions) -> None:
    """Print the data: diffs, the names of files that would change, or of written files."""
    if options.diff and not options.null and output.mode != "quiet":
        for result in results:
            if result.diff and output.colours:
                output.drawn(coloured_diff(result.diff))
            elif result.diff:
                output.answer(result.diff)
    elif output.mode == "quiet" or options.check or options.null:
        end = "\0" if options.null else "\n"
        for result in results:
            if result.status in ("would_change", "written"):
                output.answer((result.output or result.path) + end)


def coloured_diff(diff: str) -> str:
    """A diff in colours, with its control characters made harmless."""
    lines = []
    for line in harmless(diff).splitlines():
        code = next((c for start, c in _DIFF_COLOURS.items() if line.startswith(start)), None)
        lines.append(f"\x1b[{code}m{line}\x1b[0m" if code else line)
    return "\n".join(lines) + "\n"


def tell(
    output: Output, results: Sequence[FileResult], summary: EachSummary, *, stopped: bool
) -> None:
    warn_of_failures(output, results)
    tell_kept(output, [kept for result in results for kept in result.kept])
    kinds = ("written", "unchanged", "would_change", "skipped", "failed", "not_run")
    words = {"would_change": "would change", "skipped": "empty", "not_run": "not done"}
    counted = [(getattr(summary, kind), words.get(kind, kind)) for kind in kinds]
    parts = ", ".join(f"{number:,} {word}" for number, word in counted if number)
    took = [count_text(summary.requests, "request"), totals_text(output, summary)]
    took = [*filter(None, took), f"{summary.seconds:.1f} s"]
    output.note(f"{count_text(summary.files, 'file')}: {parts}; {', '.join(took)}")
    if stopped:
        output.note(f"stopped; {_SAME_COMMAND}")
