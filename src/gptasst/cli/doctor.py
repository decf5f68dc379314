"""`gptasst doctor`: checks everything and suggests a command that fixes each problem."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from gptasst.cli.commands import build_command
from gptasst.cli.output import (
    BOLD,
    BOLD_RED,
    DIM,
    GREEN,
    Output,
    count_text,
    harmless,
    one_line,
    size_text,
)
from gptasst.cli.progress import Activity
from gptasst.cli.session import Session
from gptasst.cli.tables import Column, folded, in_whole_words

if TYPE_CHECKING:
    from gptasst.doctor.types import Diagnosis, Finding

_EPILOG = (
    "Nothing is changed, here or on the server. Exit code: 0 without problems, 4 for a problem "
    "with the key, 1 for one with the server, 6 for any other. --quiet prints only the commands "
    "that fix something, one per line."
)
_MARKS = {"ok": "✓", "note": "·", "warning": "!", "problem": "✗"}
_STYLES = {"ok": GREEN, "note": DIM, "warning": BOLD, "problem": BOLD_RED}
_SEVERITY_WIDTH = len("✗ problem") + 2
_TOPIC_WIDTH = len("assistants") + 2
# Narrower terminals show the text below its heading, instead of beside it.
_NARROW = 60


def build() -> Any:
    return build_command(doctor, "doctor", epilog=_EPILOG)


def doctor(session: Session) -> None:
    """Check everything and suggest the command that fixes each problem."""
    output = session.output
    with Activity(output, "checking"):
        diagnosis = session.context.examine()
    _show(output, diagnosis)
    if diagnosis.exit_code:
        raise typer.Exit(diagnosis.exit_code)


def _show(output: Output, diagnosis: Diagnosis) -> None:
    findings = diagnosis.findings
    if output.mode == "json":
        output.document(diagnosis)
    elif output.mode == "quiet":
        fixable = [finding for finding in findings if finding.fix]
        output.table("findings", fixable, _COLUMNS, ident=lambda f: f.fix or "", empty="")
    elif output.draws:
        output.paged("".join(line + "\n" for line in _drawn(output, findings)))
        output.note(_summary(findings))
    else:
        output.table("findings", findings, _COLUMNS, ident=lambda f: f.topic, empty="")


def _text(finding: Finding) -> str:
    return finding.message + (f", {size_text(finding.bytes)}" if finding.bytes else "")


_COLUMNS: list[Column[Finding]] = [
    Column("severity", lambda f: f.severity),
    Column("about", lambda f: f.topic),
    Column("finding", _text),
    Column("fix", lambda f: f.fix or ""),
]


def _drawn(output: Output, findings: tuple[Finding, ...]) -> Iterator[str]:
    """The findings, wrapped to the terminal's width. Commands are not broken."""
    width = shutil.get_terminal_size().columns
    narrow = width < _NARROW
    indent = " " * (2 if narrow else _SEVERITY_WIDTH + _TOPIC_WIDTH)
    before = ""
    for finding in findings:
        severity = f"{_MARKS[finding.severity]} {finding.severity}"
        topic = finding.topic if narrow or finding.topic != before else ""
        before = finding.topic
        wrap = folded if narrow else in_whole_words
        text = wrap(one_line(_text(finding)), max(width - len(indent), 10))
        head = output.styled(severity, _STYLES[finding.severity])
        if narrow:
            yield f"{head} {topic}"
            yield from (indent + line for line in text)
        else:
            gap = " " * (_SEVERITY_WIDTH - len(severity))
            yield head + gap + topic.ljust(_TOPIC_WIDTH) + text[0]
            yield from (indent + line for line in text[1:])
        if finding.fix:
            yield f"{indent}fix: {harmless(finding.fix)}"


def _summary(findings: tuple[Finding, ...]) -> str:
    counts = Counter(finding.severity for finding in findings)
    bad = [
        count_text(counts[severity], severity)
        for severity in ("problem", "warning", "note")
        if counts[severity]
    ]
    return ", ".join(bad) if bad else "all is well"
