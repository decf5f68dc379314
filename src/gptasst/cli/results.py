"""What people are told besides an answer: who gives it, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gptasst.cli.output import Output, count_text

if TYPE_CHECKING:
    from gptasst.api.types import Usage
    from gptasst.cli.commands import Session
    from gptasst.each.types import FileResult
    from gptasst.runs.types import Kept, RunResult


def tell_fallback(session: Session) -> None:
    """Say in one line that nobody chose the embedded model, and what that means."""
    note = session.context.fallback_note()
    if note:
        session.output.note(note)


def tell_about(output: Output, result: RunResult) -> None:
    """Say on stderr what an answer rests on."""
    if output.draws or output.verbose:
        for number, source in enumerate(result.citations, start=1):
            output.note(f"[{number}] {source.path}{', ' if source.place else ''}{source.place}")
    for warning in result.warnings:
        output.warn(warning)
    tell_kept(output, result.kept)
    if result.left_out:
        output.note(f"{count_text(result.left_out, 'earlier message')} did not fit the context")
    if output.verbose:
        output.note(_account(output, result))


def tell_kept(output: Output, kept: Sequence[Kept]) -> None:
    """Count the blocks that an edit left as they were; with `--verbose`, say why for each."""
    if not kept:
        return
    count = count_text(len(kept), "block")
    if not output.verbose:
        output.note(f"kept {count} as before, against the answer; `--verbose` shows why")
        return
    for each in kept:
        output.note(f"kept {each.path}:{each.lines}: {each.reason}")


def warn_of_failures(output: Output, results: Iterable[FileResult]) -> None:
    """Name each file that failed, and why."""
    for result in results:
        if result.error is not None:
            hint = f" ({result.error.hint})" if result.error.hint else ""
            output.warn(f"`{result.path}` failed: {result.error.message}{hint}")
            if result.error.code == "internal_error":
                output.trace(result.error)


def usage_of(results: Iterable[FileResult]) -> Usage:
    """What many files took together."""
    from gptasst.api.types import Usage

    return sum((result.usage for result in results if result.usage), Usage(0, 0))


def tokens_text(output: Output, usage: Usage) -> str:
    """Tokens in all; with `--verbose`, in all their parts."""
    if not output.verbose:
        return count_text(usage.input + usage.output, "token")
    given = f"{count_text(usage.input, 'token')} in ({usage.cached:,} cached)"
    return f"{given}, {usage.output:,} out ({usage.reasoning:,} reasoning)"


def _account(output: Output, result: RunResult) -> str:
    tokens = tokens_text(output, result.usage) if result.usage else "tokens unknown"
    first = result.timings.first_token
    begun = f"first after {first:.1f} s, " if first is not None else ""
    return f"{result.model}: {tokens}; {begun}all after {result.timings.total:.1f} s"
