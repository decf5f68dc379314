"""`gptasst apply`: assistants as code."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from gptasst.cli.commands import AllowSecretsOption, DryRunOption, YesOption, build_command
from gptasst.cli.output import BOLD, DIM, GREEN, Output, count_text, harmless, one_line
from gptasst.cli.progress import Activity, Transfers
from gptasst.cli.results import KeepFilesOption, TestedOption, note_left
from gptasst.cli.session import Session
from gptasst.definitions.case_files import is_cases_file
from gptasst.errors import PartlyDone
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.apply.types import Action, ApplyPlan, PlannedAssistant
    from gptasst.assistants.types import KnowledgeOutcome
    from gptasst.cases.trial import TestedChanges
    from gptasst.inputs.screening import Screening
    from gptasst.uploads.types import TransferState

_DONE: dict[Action, str] = {
    "create": "created",
    "change": "changed",
    "rename": "renamed",
    "delete": "deleted",
}
_LEFT: tuple[Action, ...] = ("blocked", "unchanged")
_SHOWN = 20  # knowledge files of one kind, of one assistant

_EPILOG = """\
Every *.toml file with a `name` is an assistant. Its `knowledge` lists files, patterns and
directories, relative to the file.

Examples:

  gptasst apply assistants

  gptasst apply assistants --check

  gptasst apply assistants --prune --yes
"""


def build() -> Any:
    return build_command(apply, "apply", epilog=_EPILOG)


def apply(
    session: Session,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="FILE|DIR...", help="Directories of definitions, or single files."),
    ],
    dry_run: DryRunOption = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Change nothing, and exit with code 6 if something differs."),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Delete assistants that came from a directory and are gone from it."
        ),
    ] = False,
    yes: YesOption = False,
    allow_secrets: AllowSecretsOption = False,
    keep_files: KeepFilesOption = False,
    tested: TestedOption = False,
) -> None:
    """Bring assistants in line with a directory of definitions."""
    output, screening = session.output, session.screening(allow_secrets)
    service = session.context.assistants_as_code

    told = None if output.mode == "json" else output.error  # one document

    def look() -> ApplyPlan:
        with session.waiting():
            return service.plan(paths, screening, prune=prune, told=told)

    plan = look()
    _tell_about(session, plan)
    if check or dry_run:
        error = _would_fail(plan, paths, check=check)
        if error is None or output.mode != "json":
            _show_only(output, plan)
        if error:
            raise error
        return
    if not plan.is_empty:
        _show(session, plan)
        plan = _confirmed(session, plan, look, yes=yes)
    with _Progress(output) as progress, contextlib.ExitStack() as stack:
        how = _tested(session, progress, screening, stack) if tested else None
        done = service.apply(
            plan, progress.done, progress.report, keep_files=keep_files, tested=how
        )
    if output.mode == "json":
        output.document(done)
    elif output.mode == "quiet":
        output.answer(_names(done))
    else:
        output.note(_sum(done))


def _tested(
    session: Session, progress: _Progress, screening: Screening, stack: contextlib.ExitStack
) -> TestedChanges:
    """The service for `--tested`; the stack ends the command if a test is stopped."""
    from gptasst.cases.types import TestJob
    from gptasst.cli.test import ShownTests, ending_when_stopped

    stack.enter_context(ending_when_stopped(session.output))
    return session.context.tested_changes(
        Activity(session.output, "").report,
        TestJob((), screening=screening),
        ShownTests(session, progress.stop),
    )


def _confirmed(
    session: Session, plan: ApplyPlan, look: Callable[[], ApplyPlan], *, yes: bool
) -> ApplyPlan:
    """The plan after a yes, made again; if it changed, ask again."""
    while not yes and plan.possible:
        session.confirm(_question(plan), yes=yes)
        now = look()
        if now == plan:
            break
        session.output.note("this changed while the question was open")
        plan = now
        _show(session, plan)
    return plan


def _question(plan: ApplyPlan) -> str:
    counts = Counter(one.action for one in plan.possible)
    actions = [f"{action} {count}" for action, count in sorted(counts.items())]
    listed = ", ".join(actions[:-1]) + " and " * (len(actions) > 1) + actions[-1]
    question = f"{listed} {'assistant' if len(plan.possible) == 1 else 'assistants'}?"
    if plan.outside:
        outside = count_text(len(plan.outside), "file")
        question = f"send {outside} from outside of the repository, and {question}"
    return question


class _Progress:
    """Shows transfers and results, assistant by assistant."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._transfers = Transfers(output)

    def __enter__(self) -> Self:
        self._transfers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._transfers.stop()

    def report(self, state: TransferState) -> None:
        self._transfers.report(state)

    def stop(self) -> None:
        """Remove the bars from the screen."""
        self._transfers.stop()

    def done(self, one: PlannedAssistant, outcome: KnowledgeOutcome | None) -> None:
        """Print the result of an assistant, in place of the bars of its files."""
        self._transfers.stop()
        if outcome is not None:
            note_left(self._output, outcome.left)
            for note in outcome.notes:
                self._output.warn(note)
        if one.status == "done" and one.action in _DONE and self._output.mode == "people":
            old = f"`{one_line(one.old_name)}` to " if one.old_name else ""
            self._output.note(f"{_DONE[one.action]} {old}`{one_line(one.name)}`")
        self._transfers = Transfers(self._output)
        self._transfers.__enter__()


def _tell_about(session: Session, plan: ApplyPlan) -> None:
    """Print notes that are not part of the plan."""
    output = session.output
    for path in plan.passed_over:
        if is_cases_file(path):
            output.warn(f"`{path}` has no definition beside it, so its cases belong to none")
            continue
        output.note(f"`{path}` has no `name`, so it is no assistant of its own")
    if plan.left:
        named = ", ".join(f"`{one_line(name)}`" for name in plan.left)
        output.note(f"{named} came from there and has no file any more; `--prune` deletes it")
    for name in plan.doubtful:
        output.note(
            f"`{one_line(name)}` came from a directory of this path, here or on another machine,"
            f" and has no file here; {cmd(f'assistant delete {shlex.quote(name)}')} deletes it"
        )
    for one in plan.changes:
        for note in one.notes:
            output.warn(note)
        for path in one.outside:
            output.warn(f"`{path}` lies outside of the repository and would be sent")
        for refusal in one.knowledge.refused if one.knowledge else ():
            output.warn(f"left out: {refusal.reason}")
        model = one.definition.model if one.definition else None
        end = session.context.model_ends.of_assistant(one.name, model).warning() if model else None
        if end:
            output.warn(end)


def _would_fail(plan: ApplyPlan, paths: Sequence[str], *, check: bool) -> PartlyDone | None:
    """The error of a plan that is only shown."""
    from gptasst.apply.service import partly

    if check and plan.possible:
        return _would_change(plan, paths)
    return partly(plan) if plan.blocked else None


def _would_change(plan: ApplyPlan, paths: Sequence[str]) -> PartlyDone:
    named = [f"`{one.name}`" for one in plan.possible]
    more = ", …" if len(named) > 3 else ""
    prune = ["--prune"] if any(one.action == "delete" for one in plan.changes) else []
    error = PartlyDone(
        f"{len(named)} of {count_text(len(plan.assistants), 'assistant')} would change:"
        f" {', '.join(named[:3])}{more}",
        hint=f"{cmd(f'apply {shlex.join([*paths, *prune])}')} changes them",
        code="would_change",
    )
    error.done = plan
    return error


def _sum(plan: ApplyPlan) -> str:
    counts = Counter(one.action for one in plan.assistants)
    parts = [f"{counts[action]:,} {word}" for action, word in _DONE.items() if counts[action]]
    parts += [f"{counts['unchanged']:,} unchanged"] if counts["unchanged"] else []
    return f"{count_text(len(plan.assistants), 'assistant')}: {', '.join(parts) or 'nothing to do'}"


# The plan


def _show_only(output: Output, plan: ApplyPlan) -> None:
    """Print a plan that is not carried out."""
    if output.mode == "json":
        output.document(plan)
    elif output.mode == "quiet":
        output.answer(_names(plan))
    else:
        text = "".join(line + "\n" for one in plan.changes for line in _lines(output, one))
        (output.drawn if output.colours else output.answer)(text)
        output.note(_planned_sum(plan))


def _show(session: Session, plan: ApplyPlan) -> None:
    """Print a plan before it is carried out; with `--json`, stdout is for the result."""
    output = session.output
    if output.mode == "people":
        _show_only(output, plan)
    elif sys.stdin and sys.stdin.isatty():  # the user is about to be asked
        for one in plan.changes:
            output.warn(f"{one.action} `{one_line(one.name)}`")


def _names(plan: ApplyPlan) -> str:
    return "".join(f"{one_line(one.name)}\n" for one in plan.possible)


def _planned_sum(plan: ApplyPlan) -> str:
    if plan.is_empty:
        return f"nothing to do: {count_text(len(plan.assistants), 'assistant')} unchanged"
    counts = Counter(one.action for one in plan.assistants)
    parts = [f"{counts[action]:,} to {action}" for action in _DONE if counts[action]]
    parts += [f"{counts[action]:,} {action}" for action in _LEFT if counts[action]]
    return f"plan: {', '.join(parts)}"


def _lines(output: Output, one: PlannedAssistant) -> Iterator[str]:
    codes = {"create": GREEN, "delete": "31", "blocked": "31"}
    action = output.styled(f"{one.action:7}", codes.get(one.action, BOLD))
    name = one_line(one.name)
    if one.old_name is not None:
        name = f"{one_line(one.old_name)} -> {name}"
    keys = f": {', '.join(one.keys)}" if one.keys else ""
    yield f"{action} {output.styled(name, BOLD)}{harmless(keys)}"
    for about in _about(one):
        yield output.styled(f"        {about}", DIM)
    knowledge = one.knowledge
    if knowledge is not None:
        for sign, paths in (
            ("+", knowledge.add),
            ("~", knowledge.replace),
            ("-", knowledge.remove),
        ):
            yield from (f"        {sign} {one_line(path)}" for path in paths[:_SHOWN])
            if len(paths) > _SHOWN:
                yield f"        {sign} … {len(paths) - _SHOWN:,} more"
    if one.diff:
        from gptasst.cli.run_each import coloured_diff

        diff = coloured_diff(one.diff) if output.colours else harmless(one.diff)
        yield from (f"        {line}" for line in diff.splitlines())


def _about(one: PlannedAssistant) -> Iterator[str]:
    if one.file is not None:
        yield f"from {one_line(one.file)}"
    if one.action == "blocked" and one.problem is not None:
        yield harmless(one.problem.message)
    if one.taken_from is not None:
        maker = one_line(one.taken_from) if one.taken_from else "hand"
        yield f"takes over an assistant that was made by {maker}"
    if one.unfinished:
        yield "finishes what an interrupted command began"
    if one.tools:
        yield f"turns on {' and '.join(one.tools)}"
    if one.action == "delete":
        yield f"its file is gone; {count_text(one.files, 'knowledge file')} and its history go, too"
    kept = one.knowledge.unchanged if one.knowledge is not None else 0
    if kept:
        yield f"{count_text(kept, 'knowledge file')} unchanged"
