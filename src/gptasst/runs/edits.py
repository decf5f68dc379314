"""A run whose answer is its input, changed: asked for in pieces, checked block by block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from gptasst.api.types import ModelAnswer, ModelRequest, PastMessage, TextDelta, TextPart, Usage
from gptasst.definitions.types import EditSettings
from gptasst.edits import pieces
from gptasst.edits.blocks import forget_sections, format_of
from gptasst.edits.document import EditedText
from gptasst.edits.pieces import Piece
from gptasst.edits.small_models import by_sentences, count_sentences
from gptasst.edits.types import Rules
from gptasst.errors import NoAnswer
from gptasst.runs.inputs import STDIN_NAME, estimated_tokens, tagged_file
from gptasst.runs.types import Kept, RunRequest
from gptasst.threads import workers

# Up to so many characters, a text goes to a model whose limits are not known in one request.
_WHOLE = 100_000
_GROUP = 24_000
# Characters that a token has at least, in most texts.
_SURE_CHARACTERS = 3
_SHORTEST_GROUP = 500
_AT_ONCE = 4
_CUT = ("incomplete", "broken_off")
_TEXT = "the text"

Stream = Callable[[ModelRequest], Iterator[TextDelta | ModelAnswer]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class EditInput:
    """One text to edit, and what it is called."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class EditPlan:
    """How the texts of a run are edited. `most` is how many characters one request may bring."""

    settings: EditSettings
    inputs: tuple[EditInput, ...]
    by_sentence: bool
    most: int | None
    at_once: int = _AT_ONCE

    @property
    def rules(self) -> Rules:
        return Rules(self.settings.keep, self.settings.max_change)


@dataclass(slots=True)
class Edited:
    """What came of an edit: the text, what was kept against the answers, and what it took."""

    text: str
    kept: tuple[Kept, ...]
    answers: tuple[ModelAnswer, ...]
    usage: Usage | None


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
        found.append(EditInput(_TEXT, request.text))
    return tuple(found)


def most_characters(context: int | None, output: int | None, told: int) -> int | None:
    """How much of a text fits into one request and its answer, in characters, if that is known.

    Args:
        context: of the model, in tokens.
        output: the limit of the answer, in tokens.
        told: characters that go with each request besides.
    """
    limits = []
    if context is not None:
        limits.append((context * _SURE_CHARACTERS - told) // 2)
    if output is not None:
        limits.append(output * _SURE_CHARACTERS)
    return max(min(limits), _SHORTEST_GROUP) if limits else None


@dataclass
class EditRun:
    """One edit at work.

    Args:
        plan: what is edited, and how.
        request: what all requests have in common; `parts` are what goes before the text.
        stream: sends a request.
        progress: told how many requests are done, and of how many.
        deadline: in seconds for all of it, where there is one.
    """

    plan: EditPlan
    request: ModelRequest
    stream: Stream
    progress: Progress = lambda _done, _all: None
    deadline: float | None = None
    _answers: list[ModelAnswer] = field(default_factory=list)
    _done: int = 0
    _all: int = 0

    def run(self) -> Edited:
        """Edit all texts.

        Raises:
            NoAnswer: nothing of any answer could be taken over.
            GptasstError: a request was not taken.
        """
        self._end = None if self.deadline is None else time.monotonic() + self.deadline
        texts = [
            EditedText(
                each.text, self.plan.rules, format_of(each.path if each.path != _TEXT else "")
            )
            for each in self.plan.inputs
        ]
        try:
            if self.plan.by_sentence:
                self._by_sentences(texts)
            else:
                self._by_pieces(texts)
        finally:
            forget_sections()
        if any(each.is_editable for each in texts) and not any(each.is_touched for each in texts):
            raise _nothing_taken(texts)
        usages = [answer.usage for answer in self._answers if answer.usage]
        return Edited(
            "\n".join(each.result() for each in texts),
            tuple(self._kept(texts)),
            tuple(self._answers),
            sum(usages, Usage(0, 0)) if usages else None,
        )

    def _kept(self, texts: Sequence[EditedText]) -> Iterator[Kept]:
        for given, edited in zip(self.plan.inputs, texts, strict=True):
            yield from _kept(given.path, edited)

    def _by_pieces(self, texts: Sequence[EditedText]) -> None:
        first = [(index, piece) for index, each in enumerate(texts) for piece in self._first(each)]
        alone = len(first) == 1
        self._ask_all(texts, first, strict=alone)
        most = min(self.plan.most or _GROUP, _GROUP)
        again = [
            (index, piece) for index, each in enumerate(texts) for piece in pieces.again(each, most)
        ]
        self._ask_all(texts, again, strict=False)

    def _first(self, edited: EditedText) -> list[Piece]:
        if not edited.is_editable:
            return []
        if self.plan.settings.unit == "block":
            return list(pieces.blocks(edited))
        most = self.plan.most
        if len(edited.text) <= (_WHOLE if most is None else most):
            return [pieces.whole(edited)]
        return list(pieces.groups(edited, min(most or _GROUP, _GROUP)))

    def _ask_all(
        self, texts: Sequence[EditedText], asked: Sequence[tuple[int, Piece]], *, strict: bool
    ) -> None:
        """Ask for pieces, several at once; with `strict`, raise what a single answer raises."""
        self._all += len(asked)
        names = [given.path for given in self.plan.inputs]

        def ask(which: tuple[int, Piece]) -> tuple[str, bool]:
            return self._ask(which[1], names[which[0]], strict=strict)

        if len(asked) == 1:  # in this thread, which an interrupt ends
            self._take(texts, asked[0], ask(asked[0]))
            return
        with workers(self.plan.at_once) as pool:
            for which, answer in zip(asked, pool.map(ask, asked), strict=True):
                self._take(texts, which, answer)

    def _take(
        self, texts: Sequence[EditedText], which: tuple[int, Piece], answer: tuple[str, bool]
    ) -> None:
        index, piece = which
        text, cut = answer
        texts[index].propose(text, piece.among, cut=cut)
        self._step()

    def _ask(self, piece: Piece, name: str, *, strict: bool) -> tuple[str, bool]:
        """The answer for a piece, and whether it was cut off; empty where there is none."""
        parts = list(self.request.parts)
        if piece.problem:
            parts.append(TextPart(f"An earlier answer could not be used: {piece.problem}."))
        parts.append(TextPart(piece.text if name == _TEXT else tagged_file(name, piece.text)))
        received: list[str] = []
        try:
            self._receive(replace(self.request, parts=tuple(parts)), received)
        except NoAnswer as error:
            if error.code in _CUT and received:
                return "".join(received), True
            if strict:
                raise
        return "".join(received), False

    def _receive(self, request: ModelRequest, received: list[str]) -> None:
        if self._all > 1:  # one limit for all requests
            request = replace(request, timeout=self._seconds())
        for event in self.stream(request):
            if isinstance(event, TextDelta):
                received.append(event.text)
            else:
                self._answers.append(event)

    def _by_sentences(self, texts: Sequence[EditedText]) -> None:
        self._all = sum(map(count_sentences, texts))
        for edited in texts:
            for _ in by_sentences(edited, self._sentence):
                self._step()

    def _sentence(self, sentence: str) -> str:
        settings = self.plan.settings
        past = []
        for before, after in settings.examples:
            past.append(PastMessage("user", (TextPart(before),)))
            past.append(PastMessage("assistant", (TextPart(after),)))
        request = replace(
            self.request,
            instructions=settings.sentence_instructions or self.request.instructions,
            parts=(TextPart(sentence),),
            past=tuple(past),
            settings=replace(
                self.request.settings,
                temperature=0.0,
                max_output_tokens=2 * estimated_tokens(len(sentence)) + 32,
            ),
        )
        received: list[str] = []
        try:
            self._receive(request, received)
        except NoAnswer:
            return ""
        return "".join(received)

    def _step(self) -> None:
        self._done += 1
        self.progress(self._done, self._all)

    def _seconds(self) -> float:
        if self._end is None:
            return self.request.timeout
        return max(min(self._end - time.monotonic(), self.request.timeout), 0.001)


def edited_text(path: str, text: str, answer: str, rules: Rules) -> tuple[str, tuple[Kept, ...]]:
    """A text with what is safe of one whole answer, and what stayed as it was against that.

    Raises:
        NoAnswer: nothing of it could be taken over.
    """
    edited = EditedText(text, rules, format_of(path))
    edited.propose(answer)
    if edited.is_editable and not edited.is_touched:
        raise _nothing_taken([edited])
    return edited.result(), tuple(_kept(path, edited))


def _kept(path: str, edited: EditedText) -> Iterator[Kept]:
    for refusal in edited.refusals():
        first, last = refusal.block.first_line, refusal.block.last_line
        yield Kept(path, str(first) if first == last else f"{first}-{last}", refusal.reason)


def _nothing_taken(texts: Sequence[EditedText]) -> NoAnswer:
    refusals = [refusal for each in texts for refusal in each.refusals()]
    reason = f"line {refusals[0].block.first_line}: {refusals[0].reason}"
    return NoAnswer(
        f"nothing of the answer could be taken over ({reason})",
        hint="run it again, or try another model with `-m`",
        code="nothing_taken",
    )
