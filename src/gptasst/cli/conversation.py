"""`gptasst conversation`: show and delete conversations; and the options that continue one."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptasst.cli.commands import CommandGroup, YesOption, command
from gptasst.cli.output import time_text
from gptasst.cli.session import Session
from gptasst.cli.tables import Column
from gptasst.errors import UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.conversations.types import Conversation

app = CommandGroup("Show and delete conversations.")

_NEW = "new"

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="An id or a title, or the beginning of one.")
]
ContinueOption = Annotated[
    bool, typer.Option("--continue", "-c", help="Continue the last conversation, if any.")
]
ConversationOption = Annotated[
    str | None,
    typer.Option(
        "--conversation", metavar="ID", help=f"Continue this conversation; `{_NEW}` starts one."
    ),
]


def chosen_conversation(
    session: Session, assistant: str, *, go_on: bool, asked: str | None
) -> Conversation | None:
    """The conversation that the options select, printed on stderr; `None`: a new one.

    Raises:
        UsageError: both options are given.
        NotFound: there is no such conversation.
    """
    if go_on and asked:
        raise UsageError(
            "-c and --conversation can't be combined",
            hint="-c continues the last one, --conversation ID any other",
        )
    if asked == _NEW or not (go_on or asked):
        return None
    service = session.context.conversations
    found = service.find(asked) if asked else service.last(assistant)
    if found is None:
        session.output.note(f"no conversation with `{assistant}` yet, so this starts one")
        return None
    service.keeper(found)  # refuses conversations of another project
    session.output.note(f"continuing {shown(found)}")
    return found


def shown(conversation: Conversation) -> str:
    title = f" ({conversation.title})" if conversation.title else ""
    return f"conversation `{conversation.id}`{title}"


@command(app, "list")
def list_conversations(session: Session) -> None:
    """List this machine's conversations, newest first."""
    columns: list[Column[Conversation]] = [
        Column("id", lambda c: c.id),
        Column("assistant", lambda c: c.assistant, cuts=True),
        Column("messages", lambda c: str(c.messages), right=True, gives_way=2),
        Column("last", lambda c: time_text(c.updated_at), gives_way=1, dim=True),
        Column("kept", lambda c: c.profile if c.kept == "openai" else "here", gives_way=3),
        Column("title", lambda c: c.title, cuts=True),
    ]
    session.output.table(
        "conversations",
        session.context.conversations.list(),
        columns,
        ident=lambda c: c.id,
        empty=f"no conversations yet; {cmd('chat NAME')} or {cmd('run NAME -c …')} begins one",
    )


@command(app, "show", examples=["gptasst conversation show conv_68f1 -o talk.md"])
def show(
    session: Session,
    conversation: IdArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Output file; JSON if it ends in .json; - is stdout.",
        ),
    ] = None,
) -> None:
    """Show a conversation as Markdown, or with --json as JSON."""
    from gptasst.conversations.service import as_markdown, markdown_pieces
    from gptasst.storage.atomic_files import output_file, replace_file

    output = output_file(output)
    service = session.context.conversations
    as_json = session.output.mode == "json"
    if output is None and not as_json:
        with session.waiting():
            found = service.find(conversation)
            messages = service.messages(found)
            first = list(itertools.islice(messages, 1))  # print nothing if it is gone
        for piece in markdown_pieces(found, itertools.chain(first, messages)):
            session.output.answer(piece)
        return
    with session.waiting():
        transcript = service.transcript(service.find(conversation))
    if output is None:
        session.output.document(transcript)
        return
    text = as_markdown(transcript)
    if output.suffix.lower() == ".json":
        text = session.output.as_json(transcript) + "\n"
    replace_file(output, text.encode("utf-8", "replace"))
    session.output.done(f"wrote `{output}`", {"path": str(output)}, ident=str(output))


@command(app, "delete")
def delete(
    session: Session,
    conversation: IdArgument,
    yes: YesOption = False,
) -> None:
    """Delete a conversation and all its messages."""
    service = session.context.conversations

    def look() -> Conversation:
        found = service.find(conversation)
        service.keeper(found)  # refuse conversations of another project before asking
        return found

    found = session.confirmed(look, lambda found: f"delete {shown(found)}?", yes=yes)
    with session.waiting():
        deleted = service.delete(found)
    if deleted:
        said = f"deleted conversation `{found.id}`"
    else:
        said = f"forgot conversation `{found.id}`; it is not gptasst's, so the server keeps it"
    session.output.done(said, {"deleted": found.id}, ident=found.id)
