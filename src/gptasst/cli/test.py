"""`gptasst test`: run the cases of assistants and instructions."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.commands import AllowSecretsOption, build_command
from gptasst.cli.estimates import MaxCostOption, budget_of
from gptasst.cli.output import Output, count_text, harmless
from gptasst.cli.progress import Activity, CaseProgress, Transfers
from gptasst.cli.results import price_text, tell_fallback
from gptasst.cli.run_each import DEFAULT_JOBS, MOST_JOBS, coloured_diff, stopping_on_interrupt
from gptasst.cli.session import Session
from gptasst.errors import GptasstError, UsageError

if TYPE_CHECKING:
    from gptasst.assistants.types import AssistantChange, KnowledgeOutcome
    from gptasst.cases.running import TestRun
    from gptasst.cases.types import CaseResult, CheckFailure, TestReport, TestSummary
    from gptasst.inputs.screening import Screening

_INTERRUPTED = 130
_WORDS = {"passed": "ok", "failed": "FAIL", "error": "ERROR", "not_run": "-"}
_COLOURS = {"passed": "32", "failed": "1;31", "error": "1;31", "not_run": "2"}
_about_model = functools.partial(typer.Option, rich_help_panel="Models")

_EPILOG = """\
Examples:

  gptasst test Writer

  gptasst test Writer --case 'keeps *' --force

  gptasst test instructions/Writer.toml --junit report.xml

  gptasst test Handbook --retrieval-only
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
    from gptasst.config.profile import check_timeout
    from gptasst.storage.atomic_files import check_output

    if timeout is not None:
        check_timeout(timeout, f"--timeout is {timeout:g}")
    if junit is not None:
        check_output(junit)
    if retrieval_only and (model or judge_model):
        raise UsageError("--retrieval-only asks no model", hint="leave out the model")
    activity = Activity(session.output, "looking at the cases")
    service = session.context.cases(activity.report)
    with activity:
        subjects = service.subjects(list(dict.fromkeys(names or ())), cases)
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
            screening=session.screening(allow_secrets),
        )
        run = service.start(job)
    if not retrieval_only:
        tell_fallback(session)
    report = follow(session.output, run)
    if junit is not None:
        write_junit(junit, report)
    finish(session.output, run, report, cases)


def follow(output: Output, run: TestRun) -> TestReport:
    """Run a test to its end; show each case in order, as soon as possible."""
    order = [(subject.name, case.name) for subject, case, _ in run.tasks]
    came: dict[tuple[str, str], CaseResult] = {}
    shown = 0
    progress = CaseProgress(output, len(order))
    with stopping_on_interrupt(run), progress, contextlib.closing(run.results()) as coming:
        for result in coming:
            came[result.name, result.case] = result
            lines = ""
            while shown < len(order) and order[shown] in came:
                lines += _line(output, came[order[shown]])
                shown += 1
            progress.advance(lines if output.mode == "people" else "")
    return run.report()


def _line(output: Output, result: CaseResult) -> str:
    word = output.styled(f"{_WORDS[result.status]:5}", _COLOURS[result.status])
    took = f"{result.seconds:.1f} s" if result.asked and result.seconds is not None else ""
    remembered = "remembered" if result.answer is not None and not result.asked else ""
    about = took or remembered
    tail = f"  {output.styled(about, '2')}" if about else ""
    return f"{word}  {harmless(result.name)}: {harmless(result.case)}{tail}\n"


def finish(output: Output, run: TestRun, report: TestReport, cases: Path | None = None) -> None:
    """Show failures and totals; end with the matching exit code.

    `cases` is the file of the cases, if one was given.

    Raises:
        GptasstError: a case failed, or could not be tested.
    """
    from gptasst.cases.service import error_of

    error = error_of(run, report, cases)
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


def failure_text(output: Output, result: CaseResult) -> str:
    """Why a case failed: expected, got, a diff."""
    head = output.styled(f"{harmless(result.name)}: {harmless(result.case)}", "1")
    return f"\n{head}\n" + "".join(_failure(output, each) for each in result.failures)


def _failure(output: Output, failure: CheckFailure) -> str:
    pairs = (("expected", failure.expected), ("got", failure.got))
    lines = [f"  {harmless(failure.check)}\n"]
    for label, text in pairs:
        if failure.diff and label == "got" and "\n" in failure.got:
            continue  # the diff shows it
        lines.append(f"    {label + ':':10}{_indented(text)}\n")
    if failure.diff:
        diff = coloured_diff(failure.diff) if output.colours else harmless(failure.diff)
        lines += [f"    {line}\n" for line in diff.splitlines()]
    return "".join(lines)


def _indented(text: str) -> str:
    return harmless(text.strip("\n")).replace("\n", "\n" + " " * 14)


def summary_text(summary: TestSummary) -> str:
    """The totals in one line."""
    from gptasst.api.types import Usage

    kinds = (
        ("passed", "passed"),
        ("failed", "failed"),
        ("errors", "not tested"),
        ("not_run", "not run"),
    )
    counts = [f"{getattr(summary, key):,} {word}" for key, word in kinds if getattr(summary, key)]
    parts = [f"{count_text(summary.cases, 'case')}: {', '.join(counts)}"]
    asked = [count_text(summary.requests, "request")]
    if summary.remembered:
        asked.append(f"{count_text(summary.remembered, 'answer')} remembered")
    parts.append(", ".join(asked))
    if summary.requests:
        usage = Usage(summary.input_tokens, summary.output_tokens)
        tokens = count_text(usage.input + usage.output, "token")
        parts.append(tokens + price_text(usage, summary.cost))
    if summary.judges:
        parts.append(f"judged by {', '.join(summary.judges)}")
    return "; ".join([*parts, f"{summary.seconds:.1f} s"])


# Characters that XML can't contain.
_NOT_XML = dict.fromkeys(
    (*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF),
    "\N{REPLACEMENT CHARACTER}",
)


def write_junit(path: Path, report: TestReport) -> None:
    """Write a JUnit report with a suite for each assistant, completely or not at all."""
    from gptasst.storage.atomic_files import replace_file

    replace_file(path, junit_text(report).encode("utf-8"))


def junit_text(report: TestReport) -> str:
    """A report as JUnit XML, for CI systems."""
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    root = Element("testsuites", {"name": "gptasst", **_counts(report.cases)})
    for name in dict.fromkeys(result.name for result in report.cases):
        results = [result for result in report.cases if result.name == name]
        suite = SubElement(root, "testsuite", {"name": _xml(name), **_counts(results)})
        for result in results:
            seconds = f"{result.seconds or 0:.3f}"
            test = SubElement(
                suite, "testcase", name=_xml(result.case), classname=_xml(name), time=seconds
            )
            if result.failures:
                message = "; ".join(f"{each.check}: {each.got}" for each in result.failures)
                failure = SubElement(test, "failure", message=_xml(message))
                failure.text = _xml("".join(_plain_failure(each) for each in result.failures))
            elif result.error is not None:
                SubElement(
                    test, "error", message=_xml(result.error.message), type=result.error.code
                )
            elif result.status == "not_run":
                SubElement(test, "error", message="the test ended before its turn", type="not_run")
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _counts(results: Sequence[CaseResult]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(result.status == "failed" for result in results)),
        "errors": str(sum(result.status in ("error", "not_run") for result in results)),
        "time": f"{sum(result.seconds or 0 for result in results):.3f}",
    }


def _xml(text: str) -> str:
    return text.translate(_NOT_XML)


def _plain_failure(failure: CheckFailure) -> str:
    diff = f"\n{failure.diff}" if failure.diff else ""
    return f"{failure.check}\nexpected: {failure.expected}\ngot: {failure.got}{diff}\n"
