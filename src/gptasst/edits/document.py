"""A text under edit: answers are proposed for it, and what is safe of them is taken over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gptasst.edits.alignment import align
from gptasst.edits.blocks import parse
from gptasst.edits.checking import OTHER_KIND, Fields, check
from gptasst.edits.types import Block, Change, Format, Parsed, Refusal, Rules
from gptasst.edits.wrapping import readings

# What an answer has beyond this, against the text that it is of, is no edit of it.
_LONGEST = 4
_SLACK = 10_000
NOT_ANSWERED = "it is missing in the answer"


@dataclass
class EditedText:
    """A text and what of it was changed, refused and left unanswered so far.

    Args:
        text: the input; line ends, blanks and all.
        rules: what may change.
        form: how the text is read.
    """

    text: str
    rules: Rules = field(default_factory=Rules)
    form: Format = "markdown"

    def __post_init__(self) -> None:
        self.parsed = parse(self.text, self.form)
        self._changes: dict[int, Change] = {}
        self._refused: dict[int, Refusal] = {}
        kept = self.rules.keep
        self._open = {
            index
            for index, block in enumerate(self.parsed.blocks)
            if block.fields and not (block.kind == "front_matter" and "front_matter" in kept)
        }
        self._answered: set[int] = set()

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self.parsed.blocks

    @property
    def editable(self) -> list[int]:
        """The blocks that may change, by index."""
        return sorted(self._open)

    @property
    def is_touched(self) -> bool:
        """Whether any block was answered acceptably, changed or not."""
        return bool(self._answered)

    def unsettled(self) -> list[int]:
        """The blocks without an acceptable answer, by index."""
        return sorted(self._open - self._answered)

    def refusals(self) -> list[Refusal]:
        """The blocks that stay as they are against the answers, and why, in order."""
        return [
            self._refused.get(index) or Refusal(self.blocks[index], NOT_ANSWERED)
            for index in self.unsettled()
        ]

    def reason(self, index: int) -> str | None:
        """Why the answer for a block was refused, if there was one."""
        refusal = self._refused.get(index)
        return refusal.reason if refusal else None

    def propose(
        self, answer: str, among: Sequence[int] | None = None, *, cut: bool = False
    ) -> None:
        """Take over what is safe of an answer.

        Args:
            answer: the text as a model gave it back.
            among: the blocks that were asked for, in order; without it, all of them.
            cut: it is known to have been cut off: its last block is not whole.
        """
        indices = list(range(len(self.blocks)) if among is None else among)
        asked = Parsed(self.text, tuple(self.blocks[i] for i in indices), self.parsed.references)
        length = sum(block.end - block.start for block in asked.blocks)
        best: tuple[int, Parsed, dict[int, int]] | None = None
        for reading in readings(answer[: _LONGEST * length + _SLACK], self.text):
            proposal = parse(reading, self.form)
            pairs = align(asked, proposal, free=self.rules.free)
            if best is None or len(pairs) > best[0]:
                best = (len(pairs), proposal, pairs)
        assert best is not None
        _, proposal, pairs = best
        last = len(proposal.blocks) - 1
        for position, other in pairs.items():
            index = indices[position]
            if index in self._open and index not in self._answered:
                lines = [proposal.lines(spans) for spans in proposal.blocks[other].fields]
                if cut and other == last and lines != self._lines(index):
                    continue
                self._offer(index, lines)
        self._drop_unsafe()

    def offer(self, index: int, proposed: Fields) -> None:
        """Take over new lines for the fields of one block, if they are safe."""
        self._offer(index, proposed)
        self._drop_unsafe()

    def _lines(self, index: int) -> list[list[str]]:
        return [self.parsed.lines(spans) for spans in self.blocks[index].fields]

    def _offer(self, index: int, proposed: Fields) -> None:
        outcome = check(self.parsed, self.blocks[index], proposed, self.rules, self.form)
        if isinstance(outcome, Refusal):
            self._refused[index] = outcome
            return
        self._answered.add(index)
        self._refused.pop(index, None)
        if outcome is not None:
            self._changes[index] = outcome

    def result(self) -> str:
        """The text with all changes that were taken over."""
        return self._with(self._changes.values())

    def _with(self, changes: Iterable[Change]) -> str:
        pieces: list[str] = []
        place = 0
        for change in sorted(changes, key=lambda each: each.block.start):
            pieces += [self.text[place : change.block.start], change.text]
            place = change.block.end
        return "".join([*pieces, self.text[place:]])

    def _drop_unsafe(self) -> None:
        """Drop changes that make other blocks of the text, which only the whole text shows."""
        if self._changes and not self._is_same(self._changes):
            for index in self._unsafe(sorted(self._changes), {}):
                self._refused[index] = Refusal(self.blocks[index], OTHER_KIND)
                self._answered.discard(index)
                del self._changes[index]

    def _unsafe(self, indices: list[int], safe: dict[int, Change]) -> list[int]:
        """Those changes among some that can't be made; the others are added to `safe`."""
        chosen = {index: self._changes[index] for index in indices}
        if self._is_same({**safe, **chosen}):
            safe.update(chosen)
            return []
        if len(indices) == 1:
            return indices
        half = len(indices) // 2
        return self._unsafe(indices[:half], safe) + self._unsafe(indices[half:], safe)

    def _is_same(self, changes: dict[int, Change]) -> bool:
        """Whether the text has the same blocks with some changes, and what is in no block."""
        if self.form == "text":
            return True
        changed = parse(self._with(changes.values()), self.form)
        if len(changed.blocks) != len(self.blocks):
            return False
        for index, (old, new) in enumerate(zip(self.blocks, changed.blocks, strict=True)):
            if (old.kind, old.path, len(old.fields)) != (new.kind, new.path, len(new.fields)):
                return False
            change = changes.get(index)
            wanted = change.text if change else self.text[old.start : old.end]
            if changed.text[new.start : new.end] != wanted:
                return False
        return set(changed.references) == set(self.parsed.references)
