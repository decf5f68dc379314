"""`gptasst assistant export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gptasst.cli.assistant import NameArgument
from gptasst.cli.commands import build_command, examples_text
from gptasst.cli.session import Session

_EXAMPLES = (
    "gptasst assistant export DocWriter-1 -o writer.toml",
    "gptasst assistant export DocWriter-1 -o writer.toml --with-files knowledge",
)


def export(
    session: Session,
    name: NameArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.toml", help="Output file; - is stdout."),
    ] = None,
    with_files: Annotated[
        Path | None,
        typer.Option("--with-files", metavar="DIR", help="Write its knowledge to a new directory."),
    ] = None,
) -> None:
    """Write an assistant's definition as TOML, and its knowledge to `--with-files DIR`."""
    from gptasst.assistants.exported_files import not_written
    from gptasst.storage.atomic_files import output_file, replace_file

    output = output_file(output)
    service = session.context.assistants
    with session.waiting():
        text = service.export(name)
        failed = service.export_files(name, with_files) if with_files else ()
    if output is not None:
        replace_file(output, text.encode("utf-8"))
    if failed and session.output.mode == "json":
        raise not_written(failed, {"path": str(output)} if output else {"definition": text})
    if output is not None:
        session.output.done(f"wrote `{output}`", {"path": str(output)}, ident=str(output))
    elif session.output.mode == "json":
        session.output.document({"definition": text})
    else:
        session.output.text(text)
    if failed:
        raise not_written(failed, None)


def build() -> Any:
    """The command, for the group `assistant`."""
    return build_command(export, "export", epilog=examples_text(_EXAMPLES))
