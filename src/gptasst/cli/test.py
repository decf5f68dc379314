"""`gptasst test`: run the cases of assistants and instructions."""

from __future__ import annotations

import contextlib
import functools
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.case_report import check_junit, failure_text, follow, summary_text, write_junit
from gptasst.cli.commands import AllowSecretsOption, build_command
from gptasst.cli.estimates import MaxCostOption, budget_of
from gptasst.cli.output import Output
from gptasst.cli.progress import Activity, Transfers
from gptasst.cli.results import tell_fallback
from gptasst.cli.run_each import DEFAULT_JOBS, MOST_JOBS
from gptasst.cli.session import Session
from gptasst.errors import GptasstError, UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.assistants.types import AssistantChange, KnowledgeOutcome
    from gptasst.cases.running import TestRun
    from gptasst.cases.types import TestReport
    from gptasst.inputs.screening import Screening

_INTERRUPTED = 130
_about_model = functools.partial(typer.Option, rich_help_panel="Models")

_EPILOG = """\
Examples:

  gptasst test Writer

  gptasst test Writer --case 'keeps *' --force

  gptasst test instructions/Writer.toml --junit report.xml

  gptasst test Handbook --retrieval-only

  gptasst test Writer --compare 3 -f docs/*.md
"""


def build() -> Any:
    return build_command(run_cases, "test", epilog=_EPILOG)


def run_cases(  # one parameter an option
    session: Session,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|FILE]...",
            help="Assistants, instructions, or files; default: your instructions with cases.",
        ),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option("--case", metavar="PATTERN...", help="Only cases of these names."),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", metavar="FILE", help="Run the cases of this file instead."),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="REVISION|NAME",
            help="Show which answers differ from those of this revision, assistant or file.",
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", metavar="FILE...", help="With --compare: other inputs."),
    ] = None,
    retrieval_only: Annotated[
        bool,
        typer.Option("--retrieval-only", help="Only check what is found; ask no model."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Ask again, even where an answer is remembered.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write a JUnit report.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, max=MOST_JOBS, help=f"How many at once. Default {DEFAULT_JOBS}."
        ),
    ] = None,
    model: Annotated[
        str | None,
        _about_model("--model", "-m", help="Model to test instead of the assistant's own."),
    ] = None,
    judge_model: Annotated[
        str | None,
        _about_model("--judge-model", metavar="MODEL", help="Model that answers `judge`."),
    ] = None,
    timeout: Annotated[
        float | None,
        _about_model("--timeout", metavar="SECONDS", help="Time limit of each answer."),
    ] = None,
    allow_secrets: AllowSecretsOption = False,
    max_cost: MaxCostOption = None,
) -> None:
    """Run the cases of assistants and instructions; exit 6 if one fails."""
    from gptasst.cases.types import TestJob
    from gptasst.cli.comparison import compared_subjects, show_comparison
    from gptasst.config.profile import check_timeout

    if timeout is not None:
        check_timeout(timeout, f"--timeout is {timeout:g}")
    if junit is not None:
        check_junit(junit)
    if retrieval_only and (model or judge_model):
        raise UsageError("--retrieval-only asks no model", hint="leave out the model")
    if file:
        _refuse_inputs(names, file, compared=compare is not None)
    if compare is not None and (len(names or ()) != 1 or junit or retrieval_only):
        raise UsageError(
            "--compare takes one name, and neither --junit nor --retrieval-only",
            hint=f"as in {cmd('test NAME --compare REVISION')}",
        )
    screening = session.screening(allow_secrets)
    activity = Activity(session.output, "looking at the cases")
    service = session.context.cases(activity.report)
    with activity:
        if compare is None:
            subjects = service.subjects(list(dict.fromkeys(names or ())), cases)
        else:
            both = ((names or [""])[0], compare)
            subjects = compared_subjects(session, service, both, cases, file, screening)
        job = TestJob(
            subjects,
            tuple(case or ()),
            model=model,
            judge_model=judge_model,
            jobs=jobs or DEFAULT_JOBS,
            timeout=timeout,
            force=force,
            retrieval_only=retrieval_only,
            budget=budget_of(max_cost),
            screening=screening,
        )
        run = service.start(job)
    again = _repeated(
        {
            "--cases": cases,
            "--compare": compare if file else None,
            "-f": file,
            "--model": model,
            "--judge-model": judge_model,
        }
    )
    if not retrieval_only:
        tell_fallback(session)
    if compare is not None:
        both = (subjects[0].name, subjects[1].name)
        show_comparison(session.output, run, both, again)
        return
    report = follow(session.output, run)
    if junit is not None:
        write_junit(junit, report)
    finish(session.output, run, report, again)


def _refuse_inputs(names: Sequence[str] | None, files: Sequence[str], *, compared: bool) -> None:
    """Raise if cases were given with `-f`, or inputs without `--compare`."""
    from gptasst.definitions.case_files import is_cases_file

    cases = next(filter(is_cases_file, files), None)
    if cases is not None:
        words = ("test", *(names or ()), *(("--cases", cases) if names else (cases,)))
        raise UsageError(
            f"`{cases}` has cases, and -f names inputs",
            hint=f"{cmd(shlex.join(words))} runs the cases",
        )
    if not compared:
        raise UsageError("-f needs --compare", hint="cases name their files themselves")


def _repeated(options: Mapping[str, object]) -> list[str]:
    """The options that were given, to test the same in the same way."""
    given = [(name, value) for name, value in options.items() if value is not None]
    return [
        word
        for name, value in given
        for word in (name, *(map(str, value) if isinstance(value, list) else [str(value)]))
    ]


def finish(output: Output, run: TestRun, report: TestReport, options: Sequence[str] = ()) -> None:
    """Show failures and totals; end with the matching exit code.

    `options` are those of the command that tests the same again.

    Raises:
        GptasstError: a case failed, or could not be tested.
    """
    from gptasst.cases.service import error_of

    error = error_of(run, report, options)
    if output.mode == "json":
        output.document({"cases": report.cases, "summary": report.summary, "error": error})
        raise typer.Exit(_INTERRUPTED if run.stopped else error.exit_code if error else 0)
    show(output, run, report, error)
    if run.stopped:
        raise typer.Exit(_INTERRUPTED)
    if error is not None:
        raise error


def show(
    output: Output, run: TestRun, report: TestReport, error: GptasstError | None = None
) -> None:
    """Show failures, untested cases (except `error`), and totals."""
    for warning in run.warnings():
        output.warn(warning)
    for result in report.failed:
        if output.mode == "quiet":
            output.answer(f"{result.name}\t{result.case}\n")
        else:
            output.drawn(failure_text(output, result))
    for result in report.cases:
        if result.error is not None and result.error is not error:
            output.warn(f"{result.place}: {result.error.message}")
    output.note(summary_text(report.summary))


class ShownTests:
    """Shows the tests of changes with `--tested`.

    Args:
        session: the session of the command.
        clear: clears progress from the screen.

    `reports` are the reports of the tests.
    """

    def __init__(self, session: Session, clear: Callable[[], None]) -> None:
        self._session = session
        self._clear = clear
        self.reports: list[TestReport] = []

    def __call__(self, run: TestRun) -> TestReport:
        output = self._session.output
        self._clear()
        if not self.reports:
            tell_fallback(self._session)
        report = follow(output, run)
        self.reports.append(report)
        if output.mode != "json":
            show(output, run, report, run.ended_by)
        return report


def carry_out_tested(
    session: Session, change: AssistantChange, screening: Screening, *, keep_files: bool = False
) -> KnowledgeOutcome:
    """Change an assistant after its cases pass; show failures.

    Raises:
        GptasstError: a case failed or could not be tested; nothing is changed.
        typer.Exit: it was stopped; nothing is changed.
    """
    from gptasst.cases.types import TestJob

    report = Activity(session.output, "trying the change").report
    with Transfers(session.output) as transfers, ending_when_stopped(session.output):
        tests = ShownTests(session, transfers.stop)
        job = TestJob((), screening=screening)
        tested = session.context.tested_changes(report, job, tests)
        try:
            return tested.carry_out(change, transfers.report, keep_files=keep_files)
        except GptasstError as error:
            error.done = tests.reports[0] if tests.reports else None
            raise


@contextlib.contextmanager
def ending_when_stopped(output: Output) -> Iterator[None]:
    """End the command if a test is stopped with Ctrl-C, without making the change."""
    from gptasst.cases.trial import Stopped

    try:
        yield
    except Stopped:
        output.note("stopped; what was being tested is as it was")
        raise typer.Exit(_INTERRUPTED) from None
