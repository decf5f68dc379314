"""A dialogue with an assistant, turn by turn."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from gptasst.api.types import BROKEN_OFF_MARK, PastMessage, TextDelta, TextPart
from gptasst.conversations.service import ConversationService
from gptasst.conversations.types import Conversation, Turn
from gptasst.errors import GptasstError, InvalidInput, UsageError
from gptasst.inputs.encoding import as_utf8
from gptasst.inputs.reading import InputFile
from gptasst.inputs.screening import SCREENED, Screening, refusal, secret_error
from gptasst.models.prices import Budget
from gptasst.runs.inputs import message_parts, read_inputs
from gptasst.runs.preparation import PreparedRun
from gptasst.runs.service import RunService
from gptasst.runs.types import RunPlan, RunRequest, RunResult
from gptasst.threads import more_time

_TITLE_CHARACTERS = 60
_LAST_SECONDS = 10.0  # seconds to save a partial answer after a run's timeout


class Dialogue:
    """A conversation that is continued, or starts with the first turn.

    Args:
        runs: the service that answers.
        conversations: stores the messages.
        conversation: the conversation to continue; `None` starts one.
    """

    def __init__(
        self,
        runs: RunService,
        conversations: ConversationService,
        conversation: Conversation | None = None,
    ) -> None:
        self._runs = runs
        self._conversations = conversations
        self.conversation = conversation
        self.kept_part = False
        self._branched_from: Conversation | None = None

    def plan(self, request: RunRequest) -> RunPlan:
        """What the next turn would send. Sends nothing."""
        return self._runs.plan(self._with_past(request, again=False))

    def say(self, request: RunRequest, *, again: bool = False) -> Generator[TextDelta | RunResult]:
        """Take a turn; yields and raises as `RunService.stream` does.

        The turn is saved once it is answered. If the answer breaks off (an error, or a closed
        generator), the part that arrived is saved and marked, and `kept_part` is true; if nothing
        arrived, the conversation is unchanged.

        Args:
            request: the question.
            again: replace the last question and its answer.
        """
        self.kept_part = False
        if again:
            again = not self._branched()
        else:
            self._branched_from = None
        try:
            prepared = self._runs.prepare(self._with_past(request, again=again))
        except GptasstError as error:
            self._leave_branch()
            if again and self.conversation:
                self._restore(self.conversation)
            raise _explained(error, self.conversation) from error
        return self._take(prepared, again=again)

    def _branched(self) -> bool:
        """Continue in a new conversation with the earlier turns, if a turn can't be removed."""
        self._branched_from = None
        if self.conversation is None:
            return False
        branch = self._conversations.keeper(self.conversation).branch(self.conversation)
        if branch is self.conversation:
            return False
        self._branched_from, self.conversation = self.conversation, branch
        return True

    def _leave_branch(self) -> None:
        """Return to the old conversation, because nothing was answered in the new one."""
        if self._branched_from is not None and self.conversation is not None:
            self._conversations.discard(self.conversation)
            self.conversation = self._branched_from

    def last_question(self, assistant: str) -> RunRequest:
        """The question of the last turn, to be asked again.

        Raises:
            UsageError: there is no question yet, or its files are gone.
        """
        conversation = self.conversation
        turn = conversation and self._conversations.keeper(conversation).last_question(conversation)
        if not turn:
            raise UsageError("there is no question to ask again")
        return RunRequest(assistant, files=turn.files, text=turn.question)

    def last_answer(self) -> str:
        """The last answer, unchanged; empty if there is none yet."""
        if self.conversation is None:
            return ""
        messages = self._conversations.transcript(self.conversation).messages
        answers = [message.text for message in messages if message.role == "assistant"]
        return answers[-1] if answers else ""

    def _with_past(self, request: RunRequest, *, again: bool) -> RunRequest:
        conversation = self.conversation
        if conversation is None:
            return request
        turns = self._conversations.keeper(conversation).past(conversation, again=again)
        _refuse_secrets(turns, request.screening)
        return replace(request, past=tuple(m for turn in turns for m in as_messages(turn)))

    def _take(self, prepared: PreparedRun, *, again: bool) -> Generator[TextDelta | RunResult]:
        conversation, title = self.conversation, _title(prepared)
        if conversation is None:
            keeper = self._conversations.keeper(None)
            conversation = keeper.start(prepared.request.name, title)
            if conversation.kept == "openai":  # a command that is killed leaves it on the server
                self._conversations.remember(conversation)
        else:
            title = conversation.title or title
            conversation = replace(conversation, assistant=prepared.request.name, title=title)
        if conversation.kept == "openai":
            prepared = prepared.within(conversation.id)
        received: list[str] = []
        asked_at = datetime.now(UTC)
        ended = "interrupted"
        try:
            with contextlib.closing(self._runs.send(prepared, received)) as events:
                for event in events:
                    if isinstance(event, RunResult):
                        turn = _turn(prepared, event.answer, asked_at, model=event.model)
                        ended = ""
                        self._record(conversation, turn, again=again)
                        yield replace(event, conversation=conversation.id)
                    else:
                        yield event
        except GptasstError as error:
            ended = ended and error.code
            raise _explained(error, self.conversation) from error
        finally:
            if ended:
                turn = _turn(prepared, "".join(received), asked_at, broken_off=ended)
                self._keep_what_came(conversation, turn, again=again)

    def _record(self, conversation: Conversation, turn: Turn, *, again: bool) -> None:
        keeper = self._conversations.keeper(conversation)
        self.conversation = keeper.record(conversation, turn, as_messages(turn), again=again)

    def _keep_what_came(self, conversation: Conversation, turn: Turn, *, again: bool) -> None:
        # Report the error that broke off the answer, not one of saving it.
        with more_time(_LAST_SECONDS), contextlib.suppress(GptasstError):
            if turn.answer.strip():
                self._record(conversation, turn, again=again)
                self.kept_part = True
            elif turn.broken_off == "answer_lost":
                self._conversations.remember(conversation)
            elif self.conversation is None:
                self._conversations.discard(conversation)
            elif self._branched_from is not None:
                self._leave_branch()
            elif again:
                self._restore(conversation)

    def _restore(self, conversation: Conversation) -> None:
        with contextlib.suppress(GptasstError):  # the next turn does it
            self._conversations.keeper(conversation).restore(conversation)


def _refuse_secrets(turns: Sequence[Turn], screening: Screening) -> None:
    """Check files again that were allowed before, because the endpoint may be another one."""
    for path in (file.path for turn in turns for file in turn.files):
        reason = screening.of_name(Path(path))
        if reason:
            raise secret_error(f"{refusal(path, reason)}; it was said before in the conversation")


def _turn(
    prepared: PreparedRun,
    answer: str,
    asked_at: datetime,
    *,
    model: str | None = None,
    broken_off: str | None = None,
) -> Turn:
    request = prepared.request
    files = request.files
    if request.stdin is not None:
        size = len(request.stdin.encode())
        files = (InputFile("stdin", "text", "text/plain", size, text=request.stdin), *files)
    files = tuple(replace(file, path=as_utf8(file.path)) for file in files)
    return Turn(
        question=prepared.task and as_utf8(prepared.task),
        files=files,
        answer=answer,
        model=model or prepared.model_request.model,
        asked_at=asked_at,
        answered_at=datetime.now(UTC),
        broken_off=broken_off,
    )


def _title(prepared: PreparedRun) -> str:
    """The first words of the question; without words, its files."""
    request = prepared.request
    names = " ".join(file.path for file in request.files) or "standard input"
    words = as_utf8(request.text or names).split()
    title = ""
    for word in words:
        if len(title) + len(word) >= _TITLE_CHARACTERS:
            return f"{title or word[: _TITLE_CHARACTERS - 1]}…"
        title = f"{title} {word}".strip()
    return title


def _explained(error: GptasstError, conversation: Conversation | None) -> GptasstError:
    """The error, with a hint for a conversation that is too long."""
    if conversation is None or error.code != "too_long":
        return error
    return InvalidInput(
        f"{error.message} (the earlier turns of the conversation count too)",
        hint="start a new conversation, or send less",
        code=error.code,
    )


def as_messages(turn: Turn) -> tuple[PastMessage, PastMessage]:
    """A turn's question with its files, and its answer, marked if it broke off.

    Excerpts from knowledge are not included: they are searched again for each question.
    """
    question = message_parts(turn.question, RunRequest("", files=turn.files), ())
    answer = turn.answer + (BROKEN_OFF_MARK if turn.broken_off else "")
    return PastMessage("user", question), PastMessage("assistant", (TextPart(answer),))


_NOTHING_TO_SAVE = "there is no answer yet that could be saved"


class Chat:
    """The state of one chat.

    Args:
        dialogue: the conversation.
        assistant: the name of the assistant.
        note: called when an encoding was guessed.
        warn: called for files that are skipped as secret or outside of the tree.
        model: a model instead of the assistant's own.
        screening: the check for secrets.
        variables: the values of the definition's variables.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        assistant: str,
        note: Callable[[str], None],
        warn: Callable[[str], None],
        model: str | None = None,
        screening: Screening = SCREENED,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._variables = variables
        self.budget: Budget | None = None  # of all answers
        self._dialogue = dialogue
        self._note, self._warn = note, warn
        self._screening = screening
        self.assistant = assistant
        self.model = model
        self.attached: tuple[InputFile, ...] = ()
        self._failed: RunRequest | None = None
        self._answer = ""

    @property
    def conversation(self) -> Conversation | None:
        return self._dialogue.conversation

    @property
    def kept_part(self) -> bool:
        """Whether the last answer broke off and its part was saved."""
        return self._dialogue.kept_part

    def attach(self, words: Sequence[str]) -> tuple[InputFile, ...]:
        """Read files, patterns and directories for the next question.

        Raises:
            InvalidInput: one of them can't be used; then none is attached.
        """
        paths = [os.path.expanduser(word) for word in words]  # noqa: PTH111
        found = read_inputs(paths, self._note, warn=self._warn, screening=self._screening)
        self.attached += found
        return found

    def ask(self, text: str) -> Generator[TextDelta | RunResult]:
        """Ask, with the attached files; yields and raises like `Dialogue.say`."""
        files, self.attached = self.attached, ()
        request = RunRequest(self.assistant, files=files, text=text or None)
        return self._say(request, again=False)

    def ask_again(self) -> Generator[TextDelta | RunResult]:
        """Ask the last question again; the new answer replaces the old one.

        Raises:
            UsageError: there is no question yet.
        """
        if self._failed:
            return self._say(self._failed, again=False)
        return self._say(self._dialogue.last_question(self.assistant), again=True)

    def _say(self, request: RunRequest, *, again: bool) -> Generator[TextDelta | RunResult]:
        request = replace(
            request,
            model=self.model,
            screening=self._screening,
            variables=self._variables,
            budget=self.budget,
        )
        self._failed = None if again else request
        self._answer = ""
        events = self._dialogue.say(request, again=again)
        try:
            for event in events:
                if isinstance(event, TextDelta):
                    self._answer += event.text
                else:
                    self._answer = event.answer
                yield event
            self._failed = None
        finally:
            events.close()
            if self.kept_part:
                self._failed = None

    def save(self, path: Path) -> int:
        """Write the last answer, unchanged; return its size in bytes.

        Raises:
            UsageError: there is none yet.
            InvalidInput: it can't be written.
            NoAnswer: it is blank, or has control characters.
        """
        from gptasst.runs.answer_text import refuse_unusable
        from gptasst.storage.atomic_files import check_output, replace_file

        path = path.expanduser()
        answer = self._answer or self._dialogue.last_answer()
        if not answer:
            raise UsageError(_NOTHING_TO_SAVE)
        refuse_unusable(answer)
        check_output(path)
        content = answer.encode("utf-8")
        replace_file(path, content)
        return len(content)
