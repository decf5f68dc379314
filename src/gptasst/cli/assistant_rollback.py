"""`gptasst assistant rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.assistant import NameArgument, carried_out, warn_of_end
from gptasst.cli.commands import YesOption, build_command, examples_text
from gptasst.cli.output import one_line
from gptasst.cli.results import TestedOption
from gptasst.cli.session import Session

if TYPE_CHECKING:
    from gptasst.assistants.types import Assistant, Revision


def rollback(
    session: Session,
    name: NameArgument,
    revision: Annotated[int, typer.Argument(help="A revision number from `history`.")],
    tested: TestedOption = False,
    yes: YesOption = False,
) -> None:
    """Restore an earlier definition as the newest revision. Knowledge and name stay."""
    service = session.context.assistants

    def look() -> tuple[Assistant, Revision]:
        with session.waiting():
            assistant = service.current(name)
            return assistant, service.revision(assistant, revision)

    def question(found: tuple[Assistant, Revision]) -> str:
        current = found[0]
        return (
            f"replace the definition of `{one_line(current.name)}` (revision {current.revision})"
            f" with that of revision {revision}?"
        )

    assistant, earlier = session.confirmed(
        look, question, yes=yes, settled=lambda found: service.plan_rollback(*found).is_empty
    )
    change = service.plan_rollback(assistant, earlier)
    if change.is_empty:
        same = f"has the same definition as the current one, {assistant.revision}"
        is_it = "is the current one" if revision == assistant.revision else same
        text = f"nothing to do: revision {revision} of `{one_line(assistant.name)}` {is_it}"
        session.output.done(text, assistant, ident=assistant.name)
        return
    if tested:
        changed = carried_out(session, change, session.screening(False), tested=True).assistant
    else:
        with session.waiting():
            changed = service.rollback(assistant, earlier)
    text = f"`{changed.name}` is as in revision {revision} again (now revision {changed.revision})"
    warn_of_end(session, changed)
    session.output.done(text, changed, ident=changed.name)


def build() -> Any:
    """The command, for the group `assistant`."""
    examples = ("gptasst assistant rollback DocWriter-1 2",)
    return build_command(rollback, "rollback", epilog=examples_text(examples))
