"""What is shown of cases: a line for each, why they failed, the totals, a JUnit report."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.cli.output import Output, count_text, harmless
from gptasst.cli.progress import CaseProgress
from gptasst.cli.results import price_text
from gptasst.cli.run_each import coloured_diff, stopping_on_interrupt
from gptasst.errors import UsageError

if TYPE_CHECKING:
    from gptasst.cases.running import TestRun
    from gptasst.cases.types import CaseResult, CheckFailure, TestReport, TestSummary

_WORDS = {"passed": "ok", "failed": "FAIL", "error": "ERROR", "not_run": "-"}
_COLOURS = {"passed": "32", "failed": "1;31", "error": "1;31", "not_run": "2"}


def follow(output: Output, run: TestRun, *, lines_shown: bool = True) -> TestReport:
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
            progress.advance(lines if output.mode == "people" and lines_shown else "")
    return run.report()


def _line(output: Output, result: CaseResult) -> str:
    word = output.styled(f"{_WORDS[result.status]:5}", _COLOURS[result.status])
    took = f"{result.seconds:.1f} s" if result.asked and result.seconds is not None else ""
    remembered = "remembered" if result.answer is not None and not result.asked else ""
    about = took or remembered
    tail = f"  {output.styled(about, '2')}" if about else ""
    return f"{word}  {harmless(result.name)}: {harmless(result.case)}{tail}\n"


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
    usage = Usage(summary.input_tokens, summary.output_tokens)
    if usage.input or usage.output:  # some servers report none
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


def check_junit(path: Path) -> None:
    """Raise, before anything is sent, if a report can't be written to a path.

    Raises:
        UsageError: it is `-`.
        InvalidInput: see `check_output`.
    """
    from gptasst.storage.atomic_files import check_output

    if str(path) == "-":
        raise UsageError("--junit writes a file, not stdout", hint="--junit report.xml")
    check_output(path)


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
