"""What a run or a job would send, and what that may cost."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gptasst.cli.output import Output, count_text, size_text
from gptasst.cli.tables import Column
from gptasst.errors import PartlyDone
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.cli.session import Session
    from gptasst.each.types import JobPlan
    from gptasst.models.prices import Budget
    from gptasst.runs.service import RunService
    from gptasst.runs.types import RunPlan, RunRequest

MaxCostOption = Annotated[
    float | None,
    typer.Option(
        "--max-cost", metavar="USD", help="Spend no more than so many US dollars, as estimated."
    ),
]
# Within which time answers come, and what asks for that.
_TIMES = {
    "now": ("now", "without --by"),
    "2h": ("within 2 hours", "--by 2h"),
    "8h": ("within 8 hours", "--by 8h"),
    "24h": ("within 24 hours", "--by 24h"),
}


def budget_of(max_cost: float | None) -> Budget | None:
    """The budget that `--max-cost` gives.

    Raises:
        UsageError: it is no amount that can be spent.
    """
    if max_cost is None:
        return None
    from gptasst.models.prices import budget_of

    return budget_of(max_cost, "--max-cost")


_LONG = 60.0  # seconds
_MOST_WORDS = 8  # that are repeated in a command
_MANY_CHARACTERS = 8_000  # fewer never take so long


def tell_long_run(
    session: Session, service: RunService, request: RunRequest, words: Sequence[str]
) -> None:
    """Print how long the embedded model will take, if it is long, and what is better.

    `words` are the files and directories as they were typed.
    """
    context, output = session.context, session.output
    given = [*(file.text or "" for file in request.files), request.stdin or ""]
    if not context.profile.embedded or sum(map(len, given)) < _MANY_CHARACTERS:
        return
    from gptasst.embedded.capacity import expected_seconds

    prepared = service.prepare(request)
    estimate, edit = service.spending.estimate(prepared), prepared.edit
    settings = context.settings.local_model()
    corrected = 0
    if edit is not None and edit.by_sentence:
        corrected = sum(len(each.text) for each in edit.inputs)
    elif edit is None and estimate.input_tokens > settings.context:
        return  # it will be refused
    seconds = expected_seconds(
        context.model_file.path,
        settings,
        read=0 if corrected else estimate.input_tokens,
        written=0 if corrected else estimate.output_tokens,
        corrected=corrected,
    )
    if seconds < _LONG:
        return
    minutes = count_text(round(seconds / 60), "minute")
    told = f"this takes about {minutes} on the embedded model, more on a busy machine"
    if len(request.files) > 1 and len(words) <= _MOST_WORDS:
        each = cmd(f"run {_with_each(request, words)}")
        told += f"; {each} runs each file on its own and keeps what is finished"
    elif len(request.files) > 1:
        told += "; --each runs each file on its own and keeps what is finished"
    output.note(told)


def _with_each(request: RunRequest, words: Sequence[str]) -> str:
    """The words after `run` that do the same with `--each`."""
    typed = [request.name, *words, "--each"]
    if request.text:
        typed += ["-t", request.text]
    if request.model:
        typed += ["-m", request.model]
    for name, value in request.variables.items():
        typed += ["--var", f"{name}={value}"]
    inside = any(os.path.realpath(word) == os.path.realpath(".") for word in words)
    return shlex.join([*typed, "-o", "../answers" if inside else "answers"])


def show_run_plan(output: Output, plan: RunPlan) -> None:
    """Show what one run would send."""
    inputs = [f"{i.path} ({size_text(i.size)}, {i.sent_as})" for i in plan.inputs]
    excerpts = [f"{e.path}, {e.place}" for e in plan.excerpts]
    estimate = (
        f"about {count_text(plan.estimated_tokens, 'token')} in,"
        f" {plan.estimated_output_tokens:,} out"
    )
    fields: Sequence[tuple[str, str]] = [
        (plan.source, plan.name),
        ("definition", plan.definition or "the assistant's"),
        ("tools", ", ".join((*plan.tools, *plan.functions)) or "none"),
        ("endpoint", f"{plan.endpoint} (profile {plan.profile})"),
        ("model", plan.model),
        ("inputs", "\n".join(inputs) or "none"),
        ("excerpts", "\n".join(excerpts) or "none"),
        ("text", f"{plan.instructions_characters + plan.input_characters:,} characters"),
        ("estimate", estimate),
        ("price", _price_text(plan.estimated_cost)),
    ]
    output.record(plan, fields, ident=plan.name)
    for note in plan.notes:
        output.note(note)


def show_job_plan(output: Output, plan: JobPlan) -> None:
    """Show what each file would come to, and what all of them may cost.

    Raises:
        PartlyDone: some files would fail.
    """
    if output.mode == "json":
        output.document(plan)
    else:
        output.table(
            "files",
            plan.files,
            [
                Column("file", lambda file: file.path, cuts=True),
                Column("output", lambda file: file.output or "", cuts=True),
                Column("state", lambda file: file.state.replace("_", " ")),
                Column("tokens", lambda file: f"{file.estimated_tokens:,}", right=True),
            ],
            ident=lambda file: file.path,
            empty="no files",
        )
        tell_estimate(output, plan)
        _tell_choices(output, plan.cost)
    refused = [file.error for file in plan.files if file.error]
    if output.mode != "json":
        for error in refused:
            output.warn(error.message)
    if refused and output.mode != "json":
        files = count_text(len(plan.files), "file")
        raise PartlyDone(f"{len(refused):,} of {files} would fail", hint=refused[0].advice)
    if refused:
        raise typer.Exit(PartlyDone.exit_code)


def tell_estimate(output: Output, plan: JobPlan, window: str = "now") -> None:
    """Print in one line what a job may take if its answers come within a time."""
    from gptasst.models.prices import cost_text

    if not plan.requests:
        return
    cost = plan.cost.get(window, plan.cost.get("now"))
    price = "" if cost == 0 else f", {cost_text(cost)}"
    output.note(
        f"estimate: {count_text(plan.requests, 'request')}, about"
        f" {count_text(plan.input_tokens, 'token')} in, {plan.output_tokens:,} out{price}"
    )


def _tell_choices(output: Output, costs: Mapping[str, float]) -> None:
    """Print a table of the times within which answers can come, with their price."""
    from gptasst.models.prices import cost_text

    if len(costs) < 2 or output.quiet:
        return
    rows = [(*_TIMES[window], cost_text(cost)) for window, cost in costs.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for when, option, price in rows:
        output.note(f"  {when:{widths[0]}}  {price:>{widths[2]}}  {option}")


def _price_text(costs: Mapping[str, float]) -> str:
    from gptasst.models.prices import cost_text

    if not costs:
        return "price unknown"
    if not any(costs.values()):
        return "none: the model runs on this machine"
    return ", ".join(f"{cost_text(cost)} {_TIMES[window][0]}" for window, cost in costs.items())
