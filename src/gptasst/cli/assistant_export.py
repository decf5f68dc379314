"""`gptasst assistant export`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from gptasst.cli.commands import build_command, examples_text
from gptasst.cli.output import count_text
from gptasst.cli.session import Session
from gptasst.errors import UsageError
from gptasst.hints import cmd

_EXAMPLES = (
    "gptasst assistant export DocWriter-1 -o writer.toml",
    "gptasst assistant export DocWriter-1 -o writer.toml --with-files knowledge",
    "gptasst assistant export --all -o assistants --with-files assistants/knowledge",
)


def export(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An assistant's name or id.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.toml",
            help="Output file; - is stdout. With --all, a new directory.",
        ),
    ] = None,
    with_files: Annotated[
        Path | None,
        typer.Option("--with-files", metavar="DIR", help="Write its knowledge to a new directory."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Export all assistants to a directory that `apply` reads."),
    ] = False,
) -> None:
    """Write an assistant's definition as TOML, and its knowledge to `--with-files DIR`."""
    from gptasst.assistants.exported_files import not_written
    from gptasst.storage.atomic_files import output_file, replace_file

    if everything:
        _export_all(session, name, output, with_files)
        return
    if name is None:
        raise UsageError(
            "missing argument NAME", hint=f"{cmd('assistant export --all -o DIR')} exports all"
        )
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
        if with_files and not failed:
            words = shlex.join(
                ["assistant", "import", str(output), "--with-files", str(with_files)]
            )
            session.output.note(f"{cmd(words)} restores both")
    elif session.output.mode == "json":
        session.output.document({"definition": text})
    else:
        session.output.text(text)
    if failed:
        raise not_written(failed, None)


def _export_all(
    session: Session, name: str | None, directory: Path | None, knowledge: Path | None
) -> None:
    from gptasst.assistants.exported_files import not_written

    output = session.output
    if name is not None:
        raise UsageError(f"`--all` exports all assistants, so `{name}` doesn't fit")
    if directory is None or directory == Path("-"):
        raise UsageError("`--all` needs a directory", hint="-o DIR names a new one")
    with session.waiting():
        written = session.context.assistants_as_code.export_all(directory, knowledge)
    for note in written.notes:
        output.warn(note)
    if written.failed and output.mode == "json":
        raise not_written(written.failed, written)
    if output.mode == "quiet":
        output.answer("".join(f"{one.path}\n" for one in written.assistants))
    else:
        count = count_text(len(written.assistants), "assistant")
        output.done(f"wrote {count} to `{directory}`", written, ident="")
    if written.failed:
        raise not_written(written.failed, None)


def build() -> Any:
    """The command, for the group `assistant`."""
    return build_command(export, "export", epilog=examples_text(_EXAMPLES))
