"""`gptasst test --compare`: which answers another definition changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gptasst.cli.case_report import follow, summary_text
from gptasst.cli.output import DIM, Output, count_text, harmless
from gptasst.cli.run_each import coloured_diff
from gptasst.cli.session import Session

if TYPE_CHECKING:
    from gptasst.cases.running import TestRun
    from gptasst.cases.service import CaseService
    from gptasst.cases.types import Compared, Subject
    from gptasst.inputs.screening import Screening

_INTERRUPTED = 130


def compared_subjects(
    session: Session,
    service: CaseService,
    names: tuple[str, str],
    cases: Path | None,
    words: Sequence[str] | None,
    screening: Screening,
) -> tuple[Subject, Subject]:
    """The two definitions that are compared, with the inputs that both get.

    Args:
        session: of the command.
        service: finds them.
        names: what is tested, and what `--compare` names.
        cases: a file with other cases.
        words: files in place of cases.
        screening: what must not be sent.
    """
    from gptasst.cases.comparing import cases_of_files, subjects_to_compare
    from gptasst.definitions.case_files import read_cases_file

    if words:
        found = screening.files(words)
        found.tell(session.output.warn, session.output.miss)
        return subjects_to_compare(service, *names, cases_of_files(found.paths))
    if cases is not None:
        return subjects_to_compare(service, *names, read_cases_file(cases), cases.parent)
    return subjects_to_compare(service, *names)


def show_comparison(
    output: Output, run: TestRun, names: tuple[str, str], options: Sequence[str]
) -> None:
    """Let both run to their end, and show which answers differ.

    Args:
        output: for what is shown.
        run: a test of both.
        names: of the earlier definition, and of the other.
        options: of the command that tests the same again.

    Raises:
        GptasstError: a case of the new definition did not hold, or an answer could not be had.
    """
    from gptasst.cases.comparing import comparison
    from gptasst.cases.service import error_of

    old, new = names
    report = follow(output, run, lines_shown=False)
    told = comparison(report, old, new)
    # What the old definition does not hold is no failure of the new one.
    counted = tuple(r for r in report.cases if r.name == new or r.status != "failed")
    error = error_of(run, replace(report, cases=counted), options)
    if output.mode == "json":
        output.document(
            {
                "old": told.old,
                "new": told.new,
                "compared": told.compared,
                "summary": told.summary,
                "error": error,
            }
        )
        raise typer.Exit(_INTERRUPTED if run.stopped else error.exit_code if error else 0)
    for each in told.compared:
        if output.mode == "quiet":
            output.answer(f"{each.case}\n" if each.changed else "")
        else:
            output.drawn(_text(output, each))
    changed = count_text(len(told.changed), "answer")
    output.note(f"{changed} of {len(told.compared):,} changed from `{old}` to `{new}`")
    output.note(summary_text(told.summary))
    if run.stopped:
        raise typer.Exit(_INTERRUPTED)
    if error is not None:
        raise error


def _text(output: Output, each: Compared) -> str:
    """One input: whether its answer changed, how, and whether its checks hold."""
    word = output.styled("CHANGED", "1") if each.changed else "same   "
    held = ""
    if each.old.status != each.new.status or each.new.status == "failed":
        held = output.styled(f"  {each.old.status} -> {each.new.status}", DIM)
    diff = coloured_diff(each.diff) if output.colours else harmless(each.diff)
    indented = "".join(f"    {line}\n" for line in diff.splitlines())
    return f"{word}  {harmless(each.case)}{held}\n{indented}"
