"""`gptasst chat`: an interactive session with an assistant."""

from __future__ import annotations

import contextlib
import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.commands import AllowSecretsOption, build_command
from gptasst.cli.conversation import (
    ContinueOption,
    ConversationOption,
    chosen_conversation,
    shown,
)
from gptasst.cli.output import is_dumb
from gptasst.cli.progress import Activity
from gptasst.cli.results import tell_fallback
from gptasst.cli.session import Session
from gptasst.errors import GptasstError, UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.cli.chat.prompts import Prompt

_EPILOG = """\
In a chat: /file PATH... gives files to the next question, /save PATH writes the last answer,
/retry asks again, /model NAME changes the model, /help shows all.

Where stdin is not a terminal, each line is a question and the answers go to stdout.
"""


def build() -> Any:
    return build_command(chat, "chat", epilog=_EPILOG)


def chat(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An assistant, or an instruction.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Model to use instead of the assistant's own."),
    ] = None,
    go_on: ContinueOption = False,
    conversation: ConversationOption = None,
    allow_secrets: AllowSecretsOption = False,
) -> None:
    """Chat with an assistant. The conversation is kept."""
    from gptasst.cli.chat.loop import ChatLoop
    from gptasst.cli.chat.prompts import typing_ahead
    from gptasst.conversations.dialogue import Chat
    from gptasst.inputs.screening import STDIN
    from gptasst.runs.types import RunRequest

    output = session.output
    prompt = _prompt(session)
    screening = session.screening(allow_secrets)
    if not prompt.interactive:
        screening.refuse_file(STDIN)
    activity = Activity(output, "waiting for the answer")
    answering = session.context.runs(activity.report).model(RunRequest(name, model=model))
    chosen = chosen_conversation(session, name, go_on=go_on, asked=conversation)
    tell_fallback(session)
    dialogue = session.context.dialogue(chosen, activity.report)
    state = Chat(dialogue, name, output.note, output.warn, model, screening)
    if prompt.interactive:
        output.note(f"`{name}` on {answering}; /help shows what can be typed, Ctrl-D leaves")
    loop = ChatLoop(output, state, prompt, activity)
    try:
        with contextlib.nullcontext() if is_dumb() else typing_ahead():
            loop.run()
    except GptasstError as error:
        error.done = {"conversation": state.conversation, "results": loop.results}
        raise
    finally:
        if state.conversation:
            output.note(
                f"{cmd(f'chat {shlex.quote(name)} -c')} goes on with {shown(state.conversation)}"
            )
    if output.mode == "json":
        output.document({"conversation": state.conversation, "results": loop.results})


def _prompt(session: Session) -> Prompt:
    """A line editor for a person at a terminal; for a script, the lines of stdin."""
    from gptasst.cli.chat.prompts import LineEditor, PlainLines, StdinLines

    output = session.output
    drawn_on = [stream for stream in (output.stderr, output.stdout) if stream.isatty()]
    if not (sys.stdin and sys.stdin.isatty() and drawn_on):
        return StdinLines()
    if output.mode == "json":
        raise UsageError(
            "a chat at a terminal is no JSON document",
            hint=f"pipe the questions in, one per line, or use {cmd('run NAME -c --json')}",
        )
    if is_dumb():
        return PlainLines(drawn_on[0])
    return LineEditor(session.context.paths.chat_history, drawn_on[0])
