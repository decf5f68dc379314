"""`gptasst instruction`: the definitions that `-i` and `run` find by name."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.commands import CommandGroup, command
from gptasst.cli.session import Session
from gptasst.cli.tables import Column
from gptasst.cli.variables import VarOption, given_values, variable_text
from gptasst.errors import UsageError
from gptasst.hints import cmd
from gptasst.processes.programs import find_program

if TYPE_CHECKING:
    from gptasst.definitions.types import Instruction

app = CommandGroup("Instructions: the definitions that assistants are made from.")

NameArgument = Annotated[str, typer.Argument(help="An instruction's name, or its TOML file.")]


@command(app, "list")
def list_instructions(session: Session) -> None:
    """List the instructions."""
    found, broken = session.context.instructions.list()
    columns: list[Column[Instruction]] = [
        Column("name", lambda i: i.definition.name),
        Column("from", _from, gives_way=1, dim=True),
        Column("model", lambda i: i.definition.model or ""),
        Column("description", lambda i: i.definition.description, cuts=True),
    ]
    session.output.table(
        "instructions",
        found,
        columns,
        ident=lambda i: i.definition.name,
        empty="no instructions",
    )
    for error in broken:
        session.output.warn(error.message)


def _from(instruction: Instruction) -> str:
    if instruction.origin == "path":
        return str(Path(instruction.path).parent)
    return instruction.origin


@command(app, "show")
def show(
    session: Session,
    name: NameArgument,
    resolved: Annotated[
        bool,
        typer.Option(
            "--resolved", help="Show it with what it extends, and the values of its variables."
        ),
    ] = False,
    var: VarOption = None,
) -> None:
    """Show an instruction's file."""
    found = session.context.instructions.get(name)
    if resolved:
        values = given_values(var, session.screening(allow_secrets=True))
        _show_resolved(session, found, values)
        return
    if var:
        raise UsageError("--var needs --resolved", hint="--resolved fills in variables")
    if session.output.mode == "json":
        session.output.document(found)
    elif session.output.mode == "quiet":
        session.output.text(found.definition.name)
    else:
        session.output.note(f"# {found.path}")
        session.output.text(Path(found.path).read_text("utf-8-sig"))


def _show_resolved(session: Session, found: Instruction, values: Mapping[str, str]) -> None:
    """Show what a run would use; variables without a value stay."""
    from gptasst.definitions.toml import dump_definition
    from gptasst.definitions.variables import partly_filled

    definition = partly_filled(found.definition, values)
    if session.output.mode == "json":
        session.output.document(replace(found, definition=definition))
        return
    if session.output.mode == "quiet":
        session.output.text(definition.name)
        return
    session.output.note(f"# {found.path}")
    for each in found.extended:
        session.output.note(f"# extends {each.path}")
    for variable in definition.variables:
        session.output.note(f"# variable {variable_text(variable)}")
    session.output.text(dump_definition(definition))


@command(app, "new", examples=["gptasst instruction new HouseStyle --project"])
def new(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name of the instruction and of its file.")],
    source: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="An instruction to copy.")
    ] = None,
    project: Annotated[
        bool,
        typer.Option(
            "--project", help="Create it in ./instructions, to share it with the project."
        ),
    ] = False,
) -> None:
    """Create an instruction and print its path."""
    made = session.context.instructions.new(name, source=source, in_project=project)
    if session.output.mode == "json":
        session.output.document(made)
        return
    session.output.text(made.path)
    if made.cases_path:
        session.output.note(f"copied its cases: {made.cases_path}")
    for note in made.notes:
        session.output.note(note)
    session.output.note(f"{cmd(f'instruction edit {shlex.quote(name)}')} opens it")


@command(app, "edit")
def edit(session: Session, name: NameArgument) -> None:
    """Edit an instruction; a shipped one is copied first."""
    found = session.context.instructions.edit(name, _open_editor)
    session.output.done(f"`{found.path}` is valid", found, ident=found.definition.name)


def _open_editor(path: Path) -> None:
    import subprocess

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise UsageError(
            f"no editor is set for `{path}`",
            hint="export EDITOR=vi, or open the file yourself",
            code="no_editor",
        )
    try:
        program, *words = shlex.split(editor)
        found = find_program(program)
        if found is None:
            reason = "no such program on PATH (one in the working directory is not started)"
            raise UsageError(
                f"the editor `{editor}` can't be started: {reason}",
                hint="set EDITOR to the name or the full path of a program",
                code="no_editor",
            )
        code = subprocess.call([found, *words, str(path)])  # noqa: S603  # the user's editor
    except (OSError, ValueError) as error:
        raise UsageError(f"the editor `{editor}` can't be started: {error}") from None
    if code:
        raise UsageError(f"the editor `{editor}` ended with exit code {code}")


@command(app, "validate", examples=["gptasst instruction validate"])
def validate(
    session: Session,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FILE]...", help="Default: all."),
    ] = None,
) -> None:
    """Check instructions; errors show file, line and key."""
    result = session.context.instructions.validate(names or ())
    output = session.output
    if output.mode == "json":
        output.document(result)
    else:
        for path in result.valid:
            output.text(path if output.mode == "quiet" else f"{path}: ok")
        for error in result.errors:
            output.error(error)
        for note in result.notes:
            output.warn(note)
    if result.errors:
        raise typer.Exit(max(error.exit_code for error in result.errors))


def _build_import() -> Any:
    from gptasst.cli.instruction_moving import build_import

    return build_import()


def _build_export() -> Any:
    from gptasst.cli.instruction_moving import build_export

    return build_export()


app.builders["import"] = _build_import
app.builders["export"] = _build_export
