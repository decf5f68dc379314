"""`gptasst assistant`: assistants of the profile's store."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from gptasst.cli.commands import (
    AllowSecretsOption,
    CommandGroup,
    KnowledgeEncodingOption,
    YesOption,
    command,
    imported,
)
from gptasst.cli.output import count_text, one_line, size_text, time_text
from gptasst.cli.progress import Transfers
from gptasst.cli.results import (
    KeepFilesOption,
    TestedOption,
    finish_change,
    ident_of,
    note_left,
)
from gptasst.cli.session import Session
from gptasst.cli.tables import Column
from gptasst.cli.variables import VarOption, given_values
from gptasst.definitions.schemas import read_schema
from gptasst.definitions.types import ReasoningEffort
from gptasst.errors import UsageError
from gptasst.hints import cmd
from gptasst.inputs.encoding import named_encoding

if TYPE_CHECKING:
    from gptasst.assistants.types import (
        Assistant,
        AssistantChange,
        AssistantSummary,
        KnowledgeOutcome,
        Revision,
    )
    from gptasst.definitions.types import DefinitionChanges
    from gptasst.inputs.screening import Screening

app = CommandGroup("Assistants: a model with instructions and knowledge, under a name.")

_EFFORTS = get_args(ReasoningEffort)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="An assistant's name or id.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="Model; the default is the profile's.")
]
FilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--file", "-f", metavar="FILE...", help="Knowledge files, patterns or directories."
    ),
]
DescriptionOption = Annotated[
    str | None, typer.Option("--description", help="Description, in one line.")
]
FileSearchOption = Annotated[
    bool | None,
    typer.Option("--file-search/--no-file-search", help="Search the knowledge in each run."),
]
CodeOption = Annotated[
    bool | None,
    typer.Option("--code-interpreter/--no-code-interpreter", help="Allow it to run Python."),
]
WebOption = Annotated[
    bool | None, typer.Option("--web-search/--no-web-search", help="Allow it to search the web.")
]
EffortOption = Annotated[
    str | None,
    typer.Option("--reasoning-effort", metavar="LEVEL", help=f"One of {', '.join(_EFFORTS)}."),
]
SchemaOption = Annotated[
    Path | None,
    typer.Option("--schema", metavar="FILE", help="JSON Schema that its answers must match."),
]


@command(app, "create", examples=["gptasst assistant create DocWriter-1 -i DocWriter -f docs"])
def create(  # one parameter an option
    session: Session,
    name: Annotated[str, typer.Argument(help="A name that is not taken.")],
    instruction: Annotated[
        str,
        typer.Option("--instruction", "-i", metavar="NAME", help="An instruction or TOML file."),
    ],
    model: ModelOption = None,
    file: FilesOption = None,
    description: DescriptionOption = None,
    file_search: FileSearchOption = None,
    code_interpreter: CodeOption = None,
    web_search: WebOption = None,
    reasoning_effort: EffortOption = None,
    schema: SchemaOption = None,
    var: VarOption = None,
    allow_secrets: AllowSecretsOption = False,
    encoding: KnowledgeEncodingOption = None,
    yes: YesOption = False,
) -> None:
    """Create an assistant from an instruction and knowledge files."""
    screening = session.screening(allow_secrets)
    changes = _changes(
        screening,
        name=name,
        instruction=instruction,
        model=model,
        description=description,
        file_search=file_search,
        code_interpreter=code_interpreter,
        web_search=web_search,
        reasoning_effort=reasoning_effort,
        schema=schema,
        var=var,
    )
    _confirm_instruction(session, instruction, yes=yes)
    with Transfers(session.output) as transfers:
        outcome = session.context.assistants.create(
            changes, file or (), screening, transfers.report, encoding=named_encoding(encoding)
        )
    made = outcome.assistant
    files = count_text(len(made.knowledge), "file")
    warn_of_end(session, made)
    finish_change(session.output, f"created `{made.name}` with {files}", outcome, created=True)


@command(
    app,
    "edit",
    examples=[
        "gptasst assistant edit DocWriter-1 -m gpt-6.2-sol",
        "gptasst assistant edit DocWriter-1 --rename Writer",
    ],
)
def edit(  # one parameter an option
    session: Session,
    name: NameArgument,
    instruction: Annotated[
        str | None,
        typer.Option(
            "--instruction",
            "-i",
            metavar="NAME",
            help="Replace the definition with this instruction.",
        ),
    ] = None,
    model: ModelOption = None,
    rename: Annotated[
        str | None, typer.Option("--rename", metavar="NEW", help="A new name.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file", "-f", metavar="FILE...", help="Replace all knowledge with these files."
        ),
    ] = None,
    description: DescriptionOption = None,
    file_search: FileSearchOption = None,
    code_interpreter: CodeOption = None,
    web_search: WebOption = None,
    reasoning_effort: EffortOption = None,
    schema: SchemaOption = None,
    var: VarOption = None,
    allow_secrets: AllowSecretsOption = False,
    encoding: KnowledgeEncodingOption = None,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", metavar="FILE", help="Replace its cases with those of this file."),
    ] = None,
    keep_files: KeepFilesOption = False,
    tested: TestedOption = False,
    yes: YesOption = False,
) -> None:
    """Change an assistant; what you do not name stays."""
    from gptasst.definitions.case_files import carried_cases
    from gptasst.definitions.types import DefinitionChanges

    screening = session.screening(allow_secrets)
    changes = _changes(
        screening,
        name=rename,
        instruction=instruction,
        model=model,
        description=description,
        file_search=file_search,
        code_interpreter=code_interpreter,
        web_search=web_search,
        reasoning_effort=reasoning_effort,
        schema=schema,
        cases=None if cases is None else carried_cases(cases, screening),
        var=var,
    )
    if changes == DefinitionChanges() and not file:
        raise UsageError(
            "there is nothing to change", hint=f"{cmd('assistant edit --help')} shows the options"
        )
    if instruction is not None:
        _confirm_instruction(session, instruction, yes=yes)
    change = session.context.assistants.plan_edit(
        name, changes, file or None, screening, encoding=named_encoding(encoding)
    )
    outcome = carried_out(session, change, screening, tested=tested, keep_files=keep_files)
    changed = outcome.assistant
    text = f"changed `{changed.name}` (revision {changed.revision})"
    warn_of_end(session, changed)
    finish_change(session.output, text, outcome)


def carried_out(
    session: Session,
    change: AssistantChange,
    screening: Screening,
    *,
    tested: bool,
    keep_files: bool = False,
) -> KnowledgeOutcome:
    """Make a planned change; if it is to be tested, once the assistant's cases hold."""
    if tested:
        from gptasst.cli.test import carry_out_tested

        return carry_out_tested(session, change, screening, keep_files=keep_files)
    with Transfers(session.output) as transfers:
        return session.context.assistants.carry_out(change, transfers.report, keep_files=keep_files)


def _confirm_instruction(session: Session, name: str, *, yes: bool) -> None:
    """Ask before creating an assistant from a project instruction that shadows another."""
    found = session.context.library.find(name)
    if found.needs_consent:
        session.confirm(f"{'; '.join(found.notices())}: use it?", yes=yes)


def _changes(
    screening: Screening, *, schema: Path | None, var: list[str] | None, **given: object
) -> DefinitionChanges:
    from gptasst.definitions.types import DefinitionChanges

    effort = given["reasoning_effort"]
    if effort is not None and effort not in _EFFORTS:
        raise UsageError(
            f"--reasoning-effort `{effort}` is not a level", hint=f"one of: {', '.join(_EFFORTS)}"
        )
    read = read_schema(schema, screening) if schema else None
    variables = given_values(var, screening) if var else None
    return DefinitionChanges(schema=read, variables=variables, **given)  # type: ignore[arg-type]  # as declared above


@command(app, "list")
def list_assistants(
    session: Session,
    all_stores: Annotated[
        bool, typer.Option("--all-stores", help="Read all vector stores of the project again.")
    ] = False,
) -> None:
    """List the assistants."""
    columns: list[Column[AssistantSummary]] = [
        Column("name", lambda a: a.name, cuts=True),
        Column("model", lambda a: a.model or "", gives_way=2),
        Column("instruction", lambda a: a.instruction or "", cuts=True, gives_way=3),
        Column("files", lambda a: str(a.files), right=True),
        Column("size", lambda a: size_text(a.size), right=True, dim=True),
        Column("updated", lambda a: time_text(a.updated_at), gives_way=1, dim=True),
    ]
    from gptasst.assistants.types import WHY_UNREADABLE

    with session.waiting():
        found = session.context.assistants.list(all_stores=all_stores)
    bearers = Counter(assistant.name for assistant in found)

    def ident(assistant: AssistantSummary) -> str:
        # Two with the same name can only be addressed by their ids.
        return ident_of(assistant) if bearers[assistant.name] == 1 else assistant.id

    session.output.table(
        "assistants",
        found,
        columns,
        ident=ident,
        empty=f"no assistants yet; {cmd('assistant create NAME -i INSTRUCTION')} makes one",
    )
    for assistant in found:
        if assistant.state == "deleting":
            delete = cmd(f"assistant delete {shlex.quote(ident(assistant))} -y")
            name = one_line(assistant.name)
            session.output.warn(f"the deletion of `{name}` was interrupted; {delete} finishes it")
        if assistant.state == "unreadable":
            named = f"`{one_line(assistant.name)}` ({assistant.id})"
            session.output.warn(f"{named} can't be read: {WHY_UNREADABLE}")
        warning = _warning_of_end(session, ident(assistant), assistant.model)
        if warning:
            session.output.note(warning)


def _warning_of_end(session: Session, name: str, model: str | None) -> str | None:
    """A warning if an assistant's model was shut down or will be soon."""
    return session.context.model_ends.of_assistant(name, model).warning() if model else None


def warn_of_end(session: Session, changed: Assistant) -> None:
    warning = _warning_of_end(session, changed.name, changed.definition.model)
    if warning:
        session.output.warn(warning)


@command(app, "delete")
def delete(
    session: Session,
    name: NameArgument,
    yes: YesOption = False,
    keep_files: KeepFilesOption = False,
) -> None:
    """Delete an assistant with its history and knowledge. Your files on disk stay."""
    service = session.context.assistants

    def look() -> AssistantSummary:
        with session.waiting():
            return service.summary(name)

    def question(found: AssistantSummary) -> str:
        files = count_text(found.files, "knowledge file")
        return f"delete assistant `{one_line(found.name)}` with {files}?"

    found = session.confirmed(look, question, yes=yes)
    with session.waiting():
        left = service.delete(found, keep_files=keep_files)
    note_left(session.output, left)
    session.output.done(
        f"deleted `{one_line(found.name)}`", {"deleted": found.name}, ident=ident_of(found)
    )


@command(app, "history")
def history(session: Session, name: NameArgument) -> None:
    """List the revisions of an assistant's definition, oldest first."""
    columns: list[Column[Revision]] = [
        Column("revision", lambda r: str(r.number), right=True),
        Column("current", lambda r: "*" if r.current else ""),
        Column("created", lambda r: time_text(r.created_at), dim=True),
        Column("name", lambda r: r.definition.name, cuts=True),
        Column("model", lambda r: r.definition.model or "", gives_way=1),
        Column("instruction", lambda r: r.definition.instruction or "", cuts=True, gives_way=3),
        Column("changed", lambda r: ", ".join(r.changed), cuts=True, gives_way=2),
    ]
    from gptasst.cli.batches_of_rows import print_as_they_come

    service = session.context.assistants
    print_as_they_come(
        session, "revisions", lambda: service.history(name), columns, lambda r: str(r.number)
    )


app.builders["rollback"] = lambda: imported("gptasst.cli.assistant_rollback")
app.builders["show"] = lambda: imported("gptasst.cli.assistant_show")
app.builders["export"] = lambda: imported("gptasst.cli.assistant_export")
app.builders["import"] = lambda: imported("gptasst.cli.assistant_import")
app.builders["search"] = lambda: imported("gptasst.cli.assistant_search")
app.builders["files"] = lambda: imported("gptasst.cli.assistant_files")
