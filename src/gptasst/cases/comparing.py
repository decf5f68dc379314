"""Two definitions side by side: the same inputs, and which answers are other ones."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gptasst.cases.service import CaseService
from gptasst.cases.types import Compared, Comparison, Subject, TestReport
from gptasst.definitions.types import Case
from gptasst.each.files import unified_diff
from gptasst.errors import NotFound, UsageError
from gptasst.hints import cmd
from gptasst.inputs.reading import read_input


def subjects_to_compare(
    service: CaseService,
    name: str,
    other: str,
    cases: Sequence[Case] | None = None,
    directory: Path | None = None,
) -> tuple[Subject, Subject]:
    """The earlier definition and the one that is in force, with the same cases.

    Args:
        service: finds them.
        name: an assistant, an instruction or a file.
        other: the number of a revision of it, or another name or file.
        cases: what to put to both, in place of the cases of `name`.
        directory: where the files of these cases are.

    Raises:
        NotFound: there is no such definition, or no case.
        UsageError: an instruction has no revisions.
    """
    new = service.subject(name)
    if not other.isdecimal():
        old = service.subject(other)
    elif new.resolved.assistant is None:
        words = f"test {shlex.quote(name)} --compare OLD.toml"
        raise UsageError(
            f"`{name}` is an instruction and has no revisions",
            hint=f"name the other definition: {cmd(words)}",
        )
    else:
        old = service.subject(f"{name.rpartition('@')[0] or name}@{other}")
    if cases is not None:
        new = replace(new, cases=tuple(cases), directory=directory)
    if old.name == new.name:
        raise UsageError(f"`{name}` and `{other}` are the same", hint="compare it with another one")
    return replace(old, cases=new.cases, directory=new.directory), new


def cases_of_files(paths: Sequence[Path]) -> tuple[Case, ...]:
    """A case for each file that checks nothing.

    Raises:
        InvalidInput: a file can't be read.
        UsageError: one is not text.
    """
    cases = []
    for path in paths:
        read = read_input(path)
        if read.text is None:
            raise UsageError(f"`{path}` is not text", hint="compare answers to text files")
        cases.append(Case(path.as_posix(), input=read.text, file=path.as_posix()))
    return tuple(cases)


def comparison(report: TestReport, old: str, new: str) -> Comparison:
    """What a test of two definitions shows of them.

    Args:
        report: of a test with both.
        old: the name of the earlier one.
        new: that of the other.

    Raises:
        NotFound: nothing was put to both.
    """
    before = {result.case: result for result in report.cases if result.name == old}
    pairs = []
    for result in report.cases:
        if result.name != new or result.case not in before:
            continue
        earlier = before[result.case]
        answers = (earlier.answer, result.answer)
        diff = ""
        if answers[0] is not None and answers[1] is not None:
            diff = unified_diff(result.case, answers[0], answers[1])
            diff = diff.replace(f"--- a/{result.case}", f"--- {old}", 1)
            diff = diff.replace(f"+++ b/{result.case}", f"+++ {new}", 1)
        pairs.append(Compared(result.case, earlier, result, diff, changed=answers[0] != answers[1]))
    if not pairs:
        raise NotFound("there is nothing to compare", code="no_cases")
    return Comparison(old, new, tuple(pairs), report.summary)
