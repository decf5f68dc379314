"""`gptasst chat`: an interactive session with an assistant."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.api.types import TextDelta
from gptasst.cli.chat.drawing import answer_view
from gptasst.cli.chat.prompts import Prompt, help_text, parse_command, question_of
from gptasst.cli.commands import AllowSecretsOption, build_command
from gptasst.cli.conversation import (
    ContinueOption,
    ConversationOption,
    chosen_conversation,
    shown,
)
from gptasst.cli.estimates import MaxCostOption, budget_of
from gptasst.cli.output import Output, is_dumb, size_text
from gptasst.cli.progress import Activity
from gptasst.cli.results import tell_about, tell_fallback
from gptasst.cli.session import Session
from gptasst.cli.variables import VarOption, asking, given_values
from gptasst.errors import GptasstError, UsageError
from gptasst.hints import cmd
from gptasst.runs.types import RunResult

if TYPE_CHECKING:
    from gptasst.conversations.dialogue import Chat


_Events = Generator[TextDelta | RunResult]


class ChatLoop:
    """A chat. For a person, it prints errors and continues; for a script, the first error ends it.

    Args:
        output: for answers and notes.
        chat: the state of the chat.
        prompt: the source of questions.
        activity: shown until an answer starts.
    """

    def __init__(self, output: Output, chat: Chat, prompt: Prompt, activity: Activity) -> None:
        self._output = output
        self._chat = chat
        self._prompt = prompt
        self._activity = activity
        self.results: list[RunResult] = []

    def run(self) -> None:
        """Run until the user leaves. Raises errors if the prompt is not interactive."""
        while True:
            try:
                line = self._prompt.read()
            except EOFError:
                return
            except KeyboardInterrupt:
                if not self._prompt.interactive:
                    raise
                self._output.note("Ctrl-D leaves")
                continue
            try:
                if not self._take(line):
                    return
            except GptasstError as error:
                if not self._prompt.interactive:
                    raise
                self._output.error(_as_typed_here(error))

    def _take(self, line: str) -> bool:
        """Handle a line; `False` ends the chat."""
        parsed = parse_command(line)
        if parsed is None:
            text = question_of(line).strip()
            if text or self._chat.attached:
                self._answer(lambda: self._chat.ask(text))
            return True
        name, words = parsed
        if name == "quit":
            return False
        self._obey(name, words)
        return True

    def _obey(self, name: str, words: Sequence[str]) -> None:
        if name == "file":
            for file in self._chat.attach(words):
                self._output.note(
                    f"`{file.path}` ({size_text(file.size)}) will be sent with the next question"
                )
        elif name == "save":
            size = self._chat.save(Path(words[0]))
            self._output.note(f"wrote `{words[0]}` ({size_text(size)})")
        elif name == "retry":
            self._ask_again()
        elif name == "model":
            self._chat.model = words[0] if words else self._chat.model
            self._output.note(f"model: {self._chat.model or 'as the assistant has it'}")
        else:
            self._output.note(help_text())

    def _ask_again(self) -> None:
        before = self._chat.conversation
        self._answer(self._chat.ask_again)
        after = self._chat.conversation
        if before and after and before.id != after.id:
            self._output.note(
                f"the server keeps deleted turns, so this goes on in a new conversation,"
                f" `{after.id}`; the old answer stays in `{before.id}`"
            )

    def _answer(self, ask: Callable[[], _Events]) -> None:
        try:
            with contextlib.closing(ask()) as events:
                self._show(events)
        except KeyboardInterrupt:
            if not self._prompt.interactive:
                raise
            self._output.note("stopped")
        finally:
            if self._chat.kept_part and self._chat.conversation:
                self._output.note("the part that arrived is kept; /retry asks again")

    def _show(self, events: _Events) -> None:
        with answer_view(self._output) as view, self._activity:
            for event in events:
                self._activity.stop()
                if isinstance(event, RunResult):
                    self.results.append(event)
                else:
                    view.feed(event.text)
        if self.results:
            *before, last = self.results
            said = {warning for result in before for warning in result.warnings}
            new = tuple(warning for warning in last.warnings if warning not in said)
            tell_about(self._output, replace(last, warnings=new))


def _as_typed_here(error: GptasstError) -> GptasstError:
    """The error with a hint that fits a chat, which has no options."""
    if error.code == "model_not_found":
        changes = [fix for fix in error.fixes if fix != "gptasst model list"]
        for_good = f"{error.advice}, or " if changes else ""
        error.advice = f"{for_good}/model NAME names another"
    return error


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
    var: VarOption = None,
    go_on: ContinueOption = False,
    conversation: ConversationOption = None,
    allow_secrets: AllowSecretsOption = False,
    max_cost: MaxCostOption = None,
) -> None:
    """Chat with an assistant. The conversation is kept."""
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
    session.context.approve = session.approver(activity.stop)
    session.context.used_by = "chat"
    runs = session.context.runs(activity.report)
    session.context.profile.require_key()
    resolved = runs.resolve(name)
    asked = RunRequest(name, model=model, variables=given_values(var, screening))
    _, asked = asking(session, asked, lambda given: resolved.filled(given.variables))
    answering = runs.model(asked, resolved)
    chosen = chosen_conversation(session, name, go_on=go_on, asked=conversation)
    tell_fallback(session)
    dialogue = session.context.dialogue(chosen, activity.report)
    state = Chat(dialogue, name, output.note, output.warn, model, screening, asked.variables)
    state.budget = budget_of(max_cost)
    if prompt.interactive:
        output.note(f"`{name}` on {answering}; /help lists the commands, Ctrl-D ends the chat")
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
                f"{cmd(f'chat {shlex.quote(name)} -c')} continues {shown(state.conversation)}"
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
            "`--json` needs piped input",
            hint=f"pipe the questions in, one per line, or use {cmd('run NAME -c --json')}",
        )
    if is_dumb():
        return PlainLines(drawn_on[0])
    return LineEditor(session.context.paths.chat_history, drawn_on[0])
