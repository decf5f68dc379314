"""`gptasst instruction import` and `export`: prompts from and for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.commands import (
    AllowSecretsOption,
    DryRunOption,
    build_command,
    examples_text,
)
from gptasst.cli.output import Output, count_text
from gptasst.cli.session import Session
from gptasst.cli.tables import Column

if TYPE_CHECKING:
    from gptasst.definitions.formats.types import (
        ImportedInstruction,
        InstructionImport,
        LeftBehind,
    )

_FORMATS = ("skill", "llm", "prompt-yml", "fabric")
_IMPORT_EXAMPLES = (
    "gptasst instruction import ~/.config/fabric/patterns -n",
    "gptasst instruction import summarize.prompt.yml --project",
    "gptasst instruction import saved-response.json --name Triage",
)
_EXPORT_EXAMPLES = (
    "gptasst instruction export CodeReviewer --format skill -o .claude/skills",
    "gptasst instruction export Translator --format llm -o templates",
)
_SHOWN_SKIPPED = 10


def import_instructions(
    session: Session,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Prompts, or directories of them; - for stdin."),
    ],
    project: Annotated[
        bool,
        typer.Option("--project", help="Write to ./instructions, to share them with the project."),
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="Name to give it, if it is one prompt.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace instructions that exist.")
    ] = False,
    dry_run: DryRunOption = False,
    allow_secrets: AllowSecretsOption = False,
) -> None:
    """Import prompts of other tools: fabric, Agent Skills, llm, .prompt.yml, .prompty, and more."""
    from gptasst.definitions.formats.service import failure_of

    importer = session.context.instruction_importer
    done = importer.plan(
        paths, session.screening(allow_secrets), name=name, in_project=project, force=force
    )
    if not dry_run:
        done = importer.write(done, in_project=project)
    failure = failure_of(done)
    if failure is not None and session.output.mode == "json":
        failure.done = done
        raise failure
    _show(session.output, done)
    if failure is not None:
        raise failure


def _show(output: Output, done: InstructionImport) -> None:
    if output.mode == "json":
        output.document(done)
        return
    if done.dry_run and len(done.imported) == 1 and output.mode != "quiet":
        output.text(done.imported[0].toml)
        output.note(f"would {done.imported[0].action} `{done.imported[0].path}`")
    elif done.imported:
        columns: list[Column[ImportedInstruction]] = [
            Column("name", lambda i: i.name),
            Column("format", lambda i: i.format, gives_way=2, dim=True),
            Column("action", lambda i: i.action),
            Column("turns on", lambda i: ", ".join(i.hosted_tools), gives_way=3),
            Column("file", lambda i: i.path, cuts=True),
        ]
        output.table("prompts", done.imported, columns, ident=lambda i: i.name, empty="")
    for each in done.imported:
        if each.cases_path:
            would = "would write" if done.dry_run else "wrote"
            output.note(f"{each.name}: {would} {count_text(each.cases, 'case')}: {each.cases_path}")
        _tell(output, each.name, each.notes, each.left_behind)
        if each.hosted_tools:
            output.warn(f"{each.name}: turns on {' and '.join(each.hosted_tools)}")
    _show_others(output, done)


def _show_others(output: Output, done: InstructionImport) -> None:
    """Print refused and skipped files."""
    if done.imported or len(done.refused) > 1:
        for refused in done.refused:
            output.warn(f"`{refused.path}` can't be imported: {refused.reason}")
    shown = done.skipped if output.verbose else done.skipped[:_SHOWN_SKIPPED]
    for skipped in shown:
        output.note(f"skipped `{skipped.path}`: {skipped.reason}")
    if len(done.skipped) > len(shown):
        output.note(f"skipped {len(done.skipped) - len(shown):,} more; --verbose lists them")


def _tell(
    output: Output, name: str, notes: tuple[str, ...], left_behind: tuple[LeftBehind, ...]
) -> None:
    for note in notes:
        output.note(f"{name}: {note}")
    alike: dict[tuple[str, str], list[str]] = {}
    for left in left_behind:
        alike.setdefault((left.kind, left.reason), []).append(f"`{left.name}`")
    for (kind, reason), names in alike.items():
        output.note(f"{name}: left behind: {kind} {', '.join(names)}: {reason}")


def export(
    session: Session,
    name: Annotated[str, typer.Argument(help="An instruction's name, or its TOML file.")],
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(_FORMATS)}.")
    ],
    directory: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Directory to write to."),
    ] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    allow_secrets: AllowSecretsOption = False,
) -> None:
    """Write an instruction in the format of another tool."""
    done = session.context.instruction_exporter.export(
        name,
        form,  # type: ignore[arg-type]  # it is refused if it is none of them
        directory,
        session.screening(allow_secrets),
        force=force,
    )
    output = session.output
    if output.mode == "json":
        output.document(done)
        return
    for path in done.paths:
        output.text(path)
    _tell(output, done.name, done.notes, done.left_behind)


def build_import() -> Any:
    """The command, for the group `instruction`."""
    return build_command(import_instructions, "import", epilog=examples_text(_IMPORT_EXAMPLES))


def build_export() -> Any:
    """The command, for the group `instruction`."""
    return build_command(export, "export", epilog=examples_text(_EXPORT_EXAMPLES))
