"""How a run that is an edit is done: which texts, and how much of them a request may bring."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gptasst.definitions.types import EditSettings
from gptasst.edits.types import Rules
from gptasst.runs.inputs import STDIN_NAME
from gptasst.runs.types import RunRequest

TASK_NAME = "the text"  # what a task is called that is itself the text to edit

# Up to so many characters, a text goes in one request to a model whose answers have no known limit.
_WHOLE = 100_000
# Groups are no larger, so that several are on their way at once and little is lost with one.
_GROUP = 24_000
_SHORTEST_GROUP = 500
# Characters that a token has at least, in most texts; others have about one letter in each.
_SURE_CHARACTERS = 3
# Nobody gives a model fewer tokens, so that a shorter text fits anyway.
_SMALLEST_CONTEXT = 1024
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class EditInput:
    """One text to edit, and what it is called."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model takes: of its context and its answers in tokens, where they are known.

    `told` is how many characters go with each request besides the text.
    """

    context: int | None = None
    output: int | None = None
    told: int = 0

    def most(self, text: str) -> int | None:
        """How much of a text fits into one request and its answer, in characters."""
        other = sum(not character.isascii() for character in text) / max(len(text), 1)
        each = _SURE_CHARACTERS * (1 - other) + other
        limits = []
        if self.context is not None:
            limits.append(int((self.context - self.told / _SURE_CHARACTERS) / 2 * each))
        if self.output is not None:
            limits.append(int(self.output * each))
        return max(min(limits), _SHORTEST_GROUP) if limits else None


@dataclass(frozen=True, slots=True)
class EditPlan:
    """How the texts of a run are edited."""

    settings: EditSettings
    inputs: tuple[EditInput, ...]
    by_sentence: bool
    limits: Limits = Limits()
    at_once: int = _AT_ONCE

    @property
    def rules(self) -> Rules:
        return Rules(self.settings.keep, self.settings.max_change)

    @property
    def needs_context(self) -> bool:
        """Whether it has to be known how large the model's context is."""
        if self.by_sentence or self.settings.unit == "block" or self.limits.context is not None:
            return False
        fits = Limits(_SMALLEST_CONTEXT, None, self.limits.told)
        return any(len(each.text) > (fits.most(each.text) or 0) for each in self.inputs)

    def within(self, context: int | None) -> EditPlan:
        """The same for a model with a context, in tokens."""
        return replace(self, limits=replace(self.limits, context=context))

    def takes_whole(self, text: str) -> bool:
        """Whether a text goes into one request."""
        most = self.limits.most(text)
        if self.limits.output is None:
            most = min(most or _WHOLE, _WHOLE)
        return most is None or len(text) <= most

    def group(self, text: str) -> int:
        """How many characters of a text go into one request where it is taken apart."""
        return min(self.limits.most(text) or _GROUP, _GROUP)


def inputs_of(request: RunRequest, settings: EditSettings) -> tuple[EditInput, ...]:
    """The texts that a run edits; none where its answer is no edit.

    A task alone is the text itself, unless it may become other words altogether: then it says
    what to do, too.
    """
    if any(file.text is None for file in request.files):
        return ()
    found = [EditInput(file.path, file.text or "") for file in request.files]
    if request.stdin is not None:
        found.insert(0, EditInput(STDIN_NAME, request.stdin))
    if not found and request.text and settings.max_change < 1:
        found.append(EditInput(TASK_NAME, request.text))
    return tuple(found)
