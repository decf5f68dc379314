"""`gptasst completion`: commands, options and names at the touch of a key."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from gptasst.cli.commands import CommandGroup, command
from gptasst.cli.session import Session

app = CommandGroup("Shell completion of commands, options, names and paths.")


@command(app, "install", examples=["gptasst completion install zsh"])
def install(
    session: Session,
    shell: Annotated[
        str | None, typer.Argument(help="bash, zsh, fish or powershell; default: yours.")
    ] = None,
) -> None:
    """Install completion for your shell. Run it again after an upgrade."""
    from gptasst.completion.install import current_shell, install_completion

    chosen = shell or current_shell(os.environ)
    made = install_completion(chosen, session.context.paths, os.environ)
    where = f"`{made.profile}` loads `{made.script}`" if made.profile else f"wrote `{made.script}`"
    session.output.done(f"{where}; open a new {chosen} to use it", made, ident=made.script)


@command(app, "show")
def show(
    session: Session,
    shell: Annotated[str, typer.Argument(help="bash, zsh, fish or powershell.")],
) -> None:
    """Print the completion script, to install it by hand."""
    from gptasst.completion.install import completion_script

    script = completion_script(shell)
    if session.output.mode == "json":
        session.output.document({"shell": shell, "script": script})
    else:
        session.output.text(script)
