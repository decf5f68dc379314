"""A run whose answer is its input, changed: asked for in pieces, checked block by block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from gptasst.api.types import ModelAnswer, ModelRequest, PastMessage, TextDelta, TextPart, Usage
from gptasst.edits import pieces
from gptasst.edits.blocks import forget_sections, format_of
from gptasst.edits.document import EditedText
from gptasst.edits.pieces import Piece
from gptasst.edits.small_models import by_sentences, count_sentences
from gptasst.edits.types import Rules
from gptasst.edits.wrapping import readings
from gptasst.errors import GptasstError, InvalidInput, NoAnswer
from gptasst.runs.answer_text import is_blank
from gptasst.runs.edit_plans import TASK_NAME, EditPlan
from gptasst.runs.inputs import estimated_tokens, tagged_file
from gptasst.runs.types import Kept
from gptasst.threads import workers

# Pieces whose answers are cut off are halved so many times at most.
_HALVINGS = 6
_CUT = ("incomplete", "broken_off")

Stream = Callable[[ModelRequest], Iterator[TextDelta | ModelAnswer]]
Asked = tuple[int, Piece]  # the text that it is of, by number
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Edited:
    """What came of an edit: the text, what was kept against the answers, and what it took."""

    text: str
    kept: tuple[Kept, ...]
    answers: tuple[ModelAnswer, ...]
    usage: Usage | None


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
    _failure: GptasstError | None = None
    _alone: set[tuple[int, object]] = field(default_factory=set)
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
                each.text, self.plan.rules, format_of(each.path if each.path != TASK_NAME else "")
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
            raise self._failure or _nothing_taken(texts)
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
        whole = len(first) == 1
        cut = self._ask_all(texts, first, strict=whole)
        sizes = [self.plan.group(each.text) for each in texts]
        if whole and cut:
            sizes = [
                min(size, len(each.text) // 2) for size, each in zip(sizes, texts, strict=True)
            ]
        asked = [
            (index, piece)
            for index, each in enumerate(texts)
            for piece in (*pieces.missing(each, sizes[index]), *pieces.refused(each))
        ]
        for halved in range(1, _HALVINGS + 1):
            if not self._ask_all(texts, asked, strict=False):
                return
            asked = [
                (index, piece)
                for index, each in enumerate(texts)
                for piece in pieces.missing(each, sizes[index] >> halved)
                if not self._was_alone(index, piece)
            ]

    def _was_alone(self, index: int, piece: Piece) -> bool:
        """Whether a block was asked for alone before, so that nothing shorter can be asked for."""
        return piece.is_one_block and (index, piece.among[0]) in self._alone

    def _first(self, edited: EditedText) -> list[Piece]:
        if not edited.is_editable:
            return []
        if self.plan.settings.unit == "block":
            return list(pieces.blocks(edited))
        if self.plan.takes_whole(edited.text):
            return [pieces.whole(edited)]
        return list(pieces.groups(edited, self.plan.group(edited.text)))

    def _ask_all(
        self, texts: Sequence[EditedText], asked: Sequence[Asked], *, strict: bool
    ) -> bool:
        """Ask for pieces, several at once; returns whether an answer was cut off.

        With `strict`, raise what a single answer raises.
        """
        self._all += len(asked)
        names = [given.path for given in self.plan.inputs]
        self._alone.update((i, p.among[0]) for i, p in asked if p.is_one_block)

        def ask(which: Asked) -> tuple[str, bool]:
            return self._ask(which[1], names[which[0]], strict=strict)

        if len(asked) == 1:  # in this thread, which an interrupt ends
            return self._take(texts, asked[0], ask(asked[0]))
        with workers(self.plan.at_once) as pool:
            answers = zip(asked, pool.map(ask, asked), strict=True)
            cut = [self._take(texts, which, answer) for which, answer in answers]
        return any(cut)

    def _take(self, texts: Sequence[EditedText], which: Asked, answer: tuple[str, bool]) -> bool:
        index, piece = which
        text, cut = answer
        texts[index].propose(text, piece.among, cut=cut)
        self._done += 1
        self.progress(self._done, self._all)
        return cut

    def _ask(self, piece: Piece, name: str, *, strict: bool) -> tuple[str, bool]:
        """The answer for a piece, and whether it was cut off; empty where there is none."""
        parts = list(self.request.parts)
        if piece.problem:
            parts.append(TextPart(f"An earlier answer could not be used: {piece.problem}."))
        parts.append(TextPart(piece.text if name == TASK_NAME else tagged_file(name, piece.text)))
        received: list[str] = []
        try:
            self._receive(replace(self.request, parts=tuple(parts)), received)
        except NoAnswer as error:
            if strict and error.code not in _CUT:
                raise
            self._failure = self._failure or error
            return "".join(received), bool(received) or error.code in _CUT
        except InvalidInput as error:
            if error.code != "too_long":
                raise
            self._failure = self._failure or error
            return "", True
        text = "".join(received)
        if all(map(is_blank, readings(text, ""))):
            self._failure = self._failure or NoAnswer(
                "the model gave an empty answer", hint="run it again", code="empty"
            )
        return text, False

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
                self._done += 1
                self.progress(self._done, self._all)

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

    def _seconds(self) -> float:
        if self._end is None:
            return self.request.timeout
        return max(min(self._end - time.monotonic(), self.request.timeout), 0.001)


def edited_text(
    path: str, text: str, answer: str, rules: Rules, *, cut: bool = False
) -> tuple[str, tuple[Kept, ...]]:
    """A text with what is safe of one answer, and what stayed as it was against that.

    With `cut`, the answer is known to have been cut off.

    Raises:
        NoAnswer: nothing of it could be taken over.
    """
    edited = EditedText(text, rules, format_of(path))
    edited.propose(answer, cut=cut)
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
