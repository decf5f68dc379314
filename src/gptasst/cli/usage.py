"""`gptasst usage`: the runs of this machine, and their cost."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.commands import build_command
from gptasst.cli.output import count_text
from gptasst.cli.session import Session
from gptasst.cli.tables import Column
from gptasst.errors import UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.models.usage import UsageLine

_EPILOG = """\
Runs are counted on this machine: names, numbers and days, never content. Prices are those of the
day of the run. `usage.record = false` in config.toml stops counting.

Examples:

  gptasst usage

  gptasst usage --by model --since 2026-11-01
"""


class By(StrEnum):
    """How usage is grouped."""

    assistant = "assistant"
    model = "model"
    day = "day"


def build() -> Any:
    return build_command(usage, "usage", epilog=_EPILOG)


def usage(
    session: Session,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="Leave out earlier days: YYYY-MM-DD."),
    ] = None,
    by: Annotated[By, typer.Option("--by", help="Sum up by assistant, model or day.")] = (
        By.assistant
    ),
) -> None:
    """Show what this machine ran, with tokens and cost."""
    from gptasst.models.prices import rounded

    journal = session.context.usage_journal
    lines = journal.sums(by.value, _day(since) if since else None)
    runs = sum(line.runs for line in lines)
    unpriced = sum(line.unpriced for line in lines)
    cost = rounded(sum(line.cost for line in lines))
    output = session.output
    if output.mode == "json":
        total = {"runs": runs, "cost": cost, "unpriced": unpriced}
        output.document({"by": by.value, "since": since, "usage": lines, "total": total})
        return
    columns: list[Column[UsageLine]] = [
        Column(by.value, lambda line: line.key, cuts=True),
        Column("runs", lambda line: f"{line.runs:,}", right=True),
        Column("tokens in", lambda line: f"{line.input_tokens:,}", right=True),
        Column("cached", lambda line: f"{line.cached_tokens:,}", right=True, gives_way=1),
        Column("tokens out", lambda line: f"{line.output_tokens:,}", right=True),
        Column("cost", _cost, right=True),
    ]
    empty = f"no run was counted since {since}" if since else "no runs were counted yet"
    if not session.context.settings.records_usage():
        empty = f"runs are not counted; {cmd('config set usage.record true')} counts them"
    output.table(f"{by.value}s", lines, columns, ident=lambda line: line.key, empty=empty)
    if lines:
        output.note(f"{count_text(runs, 'run')}: {_sum_text(runs, unpriced, cost)}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--since is `{text}`, which is not a date", hint="a date looks like 2026-11-29"
        ) from None


def _cost(line: UsageLine) -> str:
    from gptasst.models.prices import cost_text

    if line.unpriced == line.runs:
        return "unknown"
    return cost_text(line.cost) + " and more" * bool(line.unpriced)


def _sum_text(runs: int, unpriced: int, cost: float) -> str:
    from gptasst.models.prices import cost_text

    if runs == unpriced:
        return "price unknown"
    more = f", and {count_text(unpriced, 'run')} whose price is unknown" if unpriced else ""
    return f"{cost_text(cost)}{more}"
