"""`gptasst assistant import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gptasst.cli.commands import AllowSecretsOption, build_command, examples_text
from gptasst.cli.session import Session

_EXAMPLES = (
    "gptasst assistant import writer.toml",
    "gptasst assistant import writer.toml --with-files knowledge",
    "gptasst assistant import old-assistants.json --name 'Math Tutor'",
)


def import_assistant(
    session: Session,
    file: Annotated[
        Path,
        typer.Argument(
            help="A definition in TOML, or saved JSON of the old Assistants API; - for stdin."
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name", help="Name to give it, or which one to import if the file has several."
        ),
    ] = None,
    with_files: Annotated[
        Path | None,
        typer.Option("--with-files", metavar="DIR", help="Its knowledge, as `export` wrote it."),
    ] = None,
    allow_secrets: AllowSecretsOption = False,
) -> None:
    """Create an assistant from a definition, or from saved JSON of the Assistants API."""
    service = session.context.assistants
    with session.waiting():
        made = service.import_file(file, name, with_files, session.screening(allow_secrets))
    for note in made.notes:
        session.output.note(note)
    for left in made.left_behind:
        session.output.note(f"left behind: {left.kind} `{left.name}`: {left.reason}")
    session.output.done(f"created `{made.assistant.name}`", made, ident=made.assistant.name)


def build() -> Any:
    """The command, for the group `assistant`."""
    return build_command(import_assistant, "import", epilog=examples_text(_EXAMPLES))
