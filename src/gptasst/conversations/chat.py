"""A chat with one assistant: what the next question carries, and what the last answer was."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path

from gptasst.api.types import TextDelta
from gptasst.conversations.dialogue import Dialogue
from gptasst.conversations.types import Conversation
from gptasst.errors import UsageError
from gptasst.inputs.screening import SCREENED, Screening
from gptasst.inputs.types import InputFile
from gptasst.runs.inputs import read_inputs
from gptasst.runs.types import RunRequest, RunResult

_NOTHING_TO_SAVE = "there is no answer yet that could be saved"


class Chat:
    """The state of one chat.

    Args:
        dialogue: the conversation.
        assistant: who answers.
        note: told which encoding of a file was guessed.
        warn: told what was left out, as it counts as secret or does not lie in the tree.
        model: in place of the assistant's own.
        screening: what must not be sent.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        assistant: str,
        note: Callable[[str], None],
        warn: Callable[[str], None],
        model: str | None = None,
        screening: Screening = SCREENED,
    ) -> None:
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
        """Whether the last answer broke off and what came of it is kept."""
        return self._dialogue.kept_part

    def attach(self, words: Sequence[str]) -> tuple[InputFile, ...]:
        """Read files, patterns and directories for the next question.

        Raises:
            InvalidInput: one of them can't be used; none is attached.
        """
        paths = [os.path.expanduser(word) for word in words]  # noqa: PTH111
        found = read_inputs(paths, self._note, warn=self._warn, screening=self._screening)
        self.attached += found
        return found

    def ask(self, text: str) -> Generator[TextDelta | RunResult]:
        """Ask, with the attached files; yields and raises as `Dialogue.say` does."""
        files, self.attached = self.attached, ()
        request = RunRequest(self.assistant, files=files, text=text or None)
        return self._say(request, again=False)

    def ask_again(self) -> Generator[TextDelta | RunResult]:
        """Ask the last question once more; the new answer takes the place of the old one.

        Raises:
            UsageError: nothing was asked yet.
        """
        if self._failed:
            return self._say(self._failed, again=False)
        return self._say(self._dialogue.last_question(self.assistant), again=True)

    def _say(self, request: RunRequest, *, again: bool) -> Generator[TextDelta | RunResult]:
        request = replace(request, model=self.model, screening=self._screening)
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
        """Write the last answer exactly as it came; gives its size in bytes.

        Raises:
            UsageError: there is none yet.
            InvalidInput: it can't be written.
            NoAnswer: it is blank or has control characters.
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
