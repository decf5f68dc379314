"""Runs that edit their input: send pieces, and check the answers block by block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field, replace

from gptasst.api.types import ModelAnswer, ModelRequest, PastMessage, TextDelta, TextPart, Usage
from gptasst.definitions.types import EditSettings
from gptasst.edits import pieces
from gptasst.edits.alignment import readings
from gptasst.edits.blocks import forget_sections, format_of
from gptasst.edits.document import EditedText
from gptasst.edits.pieces import Piece
from gptasst.edits.types import Rules
from gptasst.errors import GptasstError, InvalidInput, NoAnswer
from gptasst.runs.answer_text import is_blank
from gptasst.runs.inputs import STDIN_NAME, estimated_tokens, tagged_file
from gptasst.runs.paid_answers import PaidAnswers
from gptasst.runs.types import Kept, RunRequest
from gptasst.threads import workers
from gptasst.values import dataclass

TASK_NAME = "the text"  # the name of a task that is itself the text to edit

# Up to this many characters go in one request to a model without a known output limit.
_WHOLE = 100_000

# The size limit of groups, so that several run concurrently and one failure loses little.
_GROUP = 24_000

_SHORTEST_GROUP = 500

# The least characters per token in most texts; some scripts have about one.
_SURE_CHARACTERS = 3

# No model's context is smaller, so a shorter text always fits.
_SMALLEST_CONTEXT = 1024

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class EditInput:
    """A text to edit, with its name."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a model: its context and its output in tokens, if known.

    `told` is the number of characters in each request besides the text.
    """

    context: int | None = None
    output: int | None = None
    told: int = 0

    def most(self, text: str) -> int | None:
        """The most characters of text that fit in one request and its answer."""
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
        """Whether the size of the model's context matters."""
        if self.by_sentence or self.settings.unit == "block" or self.limits.context is not None:
            return False
        fits = Limits(_SMALLEST_CONTEXT, None, self.limits.told)
        return any(len(each.text) > (fits.most(each.text) or 0) for each in self.inputs)

    def within(self, context: int | None) -> EditPlan:
        """A copy for a model with a context in tokens."""
        return replace(self, limits=replace(self.limits, context=context))

    def takes_whole(self, text: str) -> bool:
        """Whether a text fits in one request."""
        most = self.limits.most(text)
        if self.limits.output is None:
            most = min(most or _WHOLE, _WHOLE)
        return most is None or len(text) <= most

    def group(self, text: str) -> int:
        """The most characters per request, if a text is split."""
        return min(self.limits.most(text) or _GROUP, _GROUP)


def inputs_of(request: RunRequest, settings: EditSettings) -> tuple[EditInput, ...]:
    """The texts that a run edits; none if it is not an edit.

    A task without input is the text itself, unless the edit is free: then it is also the task.
    """
    if any(file.text is None for file in request.files):
        return ()
    found = [EditInput(file.path, file.text or "") for file in request.files]
    if request.stdin is not None:
        found.insert(0, EditInput(STDIN_NAME, request.stdin))
    if not found and request.text and settings.max_change < 1:
        found.append(EditInput(TASK_NAME, request.text))
    return tuple(found)


# How often to halve pieces whose answers are cut off.
_HALVINGS = 6
_CUT = ("incomplete", "broken_off")

Stream = Callable[[ModelRequest], Iterator[TextDelta | ModelAnswer]]
Asked = tuple[int, Piece]  # the index of its text
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Edited:
    """The result of an edit: the text, the kept blocks, and the tokens used."""

    text: str
    kept: tuple[Kept, ...]
    answers: tuple[ModelAnswer, ...]
    usage: Usage | None


@dataclass(slots=True)
class EditRun:
    """A running edit.

    Args:
        plan: the texts, and how to edit them.
        request: the parts that all requests share; `parts` go before the text.
        stream: sends a request.
        progress: called with the number of finished requests, and of all.
        deadline: the time limit for everything in seconds, if there is one.
        paid: saves the answers if some requests fail.
    """

    plan: EditPlan
    request: ModelRequest
    stream: Stream
    progress: Progress = lambda _done, _all: None
    deadline: float | None = None
    paid: PaidAnswers = field(default_factory=PaidAnswers)
    _answers: list[ModelAnswer] = field(default_factory=list)
    _failure: GptasstError | None = None
    _alone: set[tuple[int, object]] = field(default_factory=set)
    _done: int = 0
    _all: int = 0
    _end: float | None = None

    def run(self) -> Edited:
        """Edit all texts.

        Raises:
            NoAnswer: no part of any answer could be applied.
            GptasstError: a request was refused.
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
                with self.paid.kept_on_failure():
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
        """Whether a block was already sent by itself, so that it can't be shortened."""
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
        """Send pieces, several at once; return whether an answer was cut off.

        With `strict`, raise the errors of single answers.
        """
        self._all += len(asked)
        names = [given.path for given in self.plan.inputs]
        self._alone.update((i, p.among[0]) for i, p in asked if p.is_one_block)

        def ask(which: Asked) -> tuple[str, bool]:
            return self._ask(which[1], names[which[0]], strict=strict)

        if len(asked) == 1:  # in this thread, so that an interrupt ends it
            return self._take(texts, asked[0], ask(asked[0]))
        with workers(self.plan.at_once) as pool:
            coming = [pool.submit(ask, which) for which in asked]
            try:
                answers = zip(asked, coming, strict=True)
                cut = [self._take(texts, which, answer.result()) for which, answer in answers]
            except GptasstError:  # requests under way are billed as well
                for answer in coming:
                    answer.cancel() or answer.cancelled() or answer.exception()
                raise
        return any(cut)

    def _take(self, texts: Sequence[EditedText], which: Asked, answer: tuple[str, bool]) -> bool:
        index, piece = which
        text, cut = answer
        texts[index].propose(text, piece.among, cut=cut)
        self._done += 1
        self.progress(self._done, self._all)
        return cut

    def _ask(self, piece: Piece, name: str, *, strict: bool) -> tuple[str, bool]:
        """The answer for a piece, and whether it was cut off; empty without an answer."""
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
                "the model returned an empty answer", hint="run it again", code="empty"
            )
        return text, False

    def _receive(self, request: ModelRequest, received: list[str]) -> None:
        many = self._all > 1
        if many:  # one limit for all requests
            request = replace(request, timeout=self._seconds(), of_many=True)
        known = self.paid.find(request) if many and not self.plan.by_sentence else None
        if known is not None:
            received.append(known)
            return
        for event in self.stream(request):
            if isinstance(event, TextDelta):
                received.append(event.text)
            else:
                self._answers.append(event)
                if many:
                    self.paid.note(request, replace(event, text="".join(received)))

    def _by_sentences(self, texts: Sequence[EditedText]) -> None:
        from gptasst.edits.small_models import by_sentences, sentences_of

        asked = [sentence for edited in texts for sentence in sentences_of(edited)]
        self._all = len(asked)
        with workers(self.plan.at_once) as pool:
            # One of many runs shares the server with the others.
            ask = map if self.request.of_many or len(asked) == 1 else pool.map
            answers = iter(ask(self._sentence, asked))
            for edited in texts:
                for _ in by_sentences(edited, answers):
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
    """A text with the safe changes of an answer, and its kept blocks.

    With `cut`, the answer was cut off.

    Raises:
        NoAnswer: no part of it could be applied.
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
        f"no change in the answer was usable ({reason})",
        hint="run it again, or try another model with `-m`",
        code="nothing_taken",
    )
