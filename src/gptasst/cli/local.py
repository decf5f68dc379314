"""`gptasst local`: the embedded model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptasst.cli.commands import CommandGroup, command
from gptasst.cli.output import Output, size_text
from gptasst.cli.progress import Activity
from gptasst.cli.session import Session
from gptasst.hints import cmd, install_command, shown

if TYPE_CHECKING:
    from gptasst.embedded.service import LocalModelStatus

app = CommandGroup("The embedded model, which needs no account.")


@command(app, "setup")
def setup(session: Session) -> None:
    """Download the embedded model now instead of on the first run."""
    service = session.context.local_model
    service.require_engine()
    with Activity(session.output, "looking for the embedded model") as activity:
        service.ensure(activity.report)
    _show(session.output, service.status())


@command(app, "status")
def status(session: Session) -> None:
    """Show the embedded model, its path and whether it is ready."""
    _show(session.output, session.context.local_model.status())


def _show(output: Output, status: LocalModelStatus) -> None:
    setup = shown(cmd("local setup"), output.profile)
    there = f"not fetched yet; {setup} does" if status.source else "missing"
    engine = "installed" if status.engine_installed else f"missing: {install_command('local')}"
    fields = [
        ("model", status.model),
        ("file", status.path),
        ("size", there if status.size is None else size_text(status.size)),
        ("source", status.source or "your own file"),
        ("engine", engine),
        ("context", f"{status.context:,} tokens"),
    ]
    output.record(status, fields, ident=status.path)
    if status.is_default:
        output.note(
            "this small model only shows that everything works and is not for real work;"
            " `local.model` takes a GGUF file of your own"
        )
