"""A text under edit: apply the safe parts of proposed answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from gptasst.edits.alignment import Among, Key, best_reading
from gptasst.edits.blocks import Sections
from gptasst.edits.checking import OTHER_KIND, Fields, check
from gptasst.edits.types import Block, Change, Format, Parsed, Refusal, Rules

NOT_ANSWERED = "it is missing in the answer"


class EditedText:
    """A text with its changed, refused and unanswered blocks.

    A block is identified by its section and its index there. Sections that an answer repeats
    unchanged are not parsed.

    Args:
        text: the input, including line ends and blanks.
        rules: the allowed changes.
        form: the format of the text.
    """

    def __init__(self, text: str, rules: Rules | None = None, form: Format = "markdown") -> None:
        self.text = text
        self.rules = rules or Rules()
        self.form = form
        self.sections = Sections(self.text, self.form)
        self._changes: dict[Key, Change] = {}
        self._refused: dict[Key, Refusal] = {}
        self._answered: set[Key] = set()
        self._same: set[int] = set()  # sections that an answer repeated unchanged

    @cached_property
    def parsed(self) -> Parsed:
        """The text, to read the contents of blocks, without a list of them."""
        return Parsed(self.text, (), self.sections.references)

    def block(self, key: Key) -> Block:
        """A block by its key."""
        return self.sections.blocks(key[0])[key[1]]

    def keys(self, sections: Iterable[int] | None = None) -> Iterator[Key]:
        """The blocks of some sections, else all, in order."""
        for number in range(len(self.sections)) if sections is None else sections:
            for at in range(len(self.sections.blocks(number))):
                yield number, at

    def editable(self, sections: Iterable[int] | None = None) -> Iterator[Key]:
        """The blocks that may change, in order."""
        return filter(self.is_open, self.keys(sections))

    def is_open(self, key: Key) -> bool:
        """Whether a block may change."""
        block = self.block(key)
        fixed = block.kind == "front_matter" and "front_matter" in self.rules.keep
        return bool(block.fields) and not fixed

    @property
    def is_editable(self) -> bool:
        """Whether any block may change."""
        return any(True for _ in self.editable())

    @property
    def is_touched(self) -> bool:
        """Whether any block has an acceptable answer, changed or not."""
        return bool(self._answered) or any(True for _ in self.editable(sorted(self._same)))

    def unsettled(self) -> list[Key]:
        """The blocks without an acceptable answer."""
        sections = (n for n in range(len(self.sections)) if n not in self._same)
        return [key for key in self.editable(sections) if key not in self._answered]

    def refusals(self) -> list[Refusal]:
        """The blocks that are kept against the answers, and why, in order."""
        return [
            self._refused.get(key) or Refusal(self.block(key), NOT_ANSWERED)
            for key in self.unsettled()
        ]

    def reason(self, key: Key) -> str | None:
        """Why the answer for a block was refused, or `None`."""
        refusal = self._refused.get(key)
        return refusal.reason if refusal else None

    def propose(self, answer: str, among: Among | None = None, *, cut: bool = False) -> None:
        """Apply the safe parts of an answer.

        Args:
            answer: the text from the model.
            among: the requested sections or blocks, in order; by default all.
            cut: whether it was cut off, so that its last block is incomplete.
        """
        asked = range(len(self.sections)) if among is None else among
        best = best_reading(answer, self.sections, asked, free=self.rules.free)
        self._same.update(number for number in best.same if not self._has_changes(number))
        cut = cut or best.ends_early(self.sections, asked)
        offered = []
        for key, other in best.pairs:
            if self.is_open(key) and key not in self._answered:
                lines = best.lines(other)
                if not (cut and best.is_last(other) and lines != self._lines(key)):
                    self._offer(key, lines)
                    offered.append(key)
        self._drop_unsafe(offered)

    def _has_changes(self, section: int) -> bool:
        return any(number == section for number, _ in self._changes)

    def offer(self, key: Key, proposed: Fields) -> None:
        """Apply new lines to the fields of a block, if they are safe."""
        self._offer(key, proposed)
        self._drop_unsafe([key])

    def _lines(self, key: Key) -> list[list[str]]:
        return [self.parsed.lines(spans) for spans in self.block(key).fields]

    def _offer(self, key: Key, proposed: Fields) -> None:
        outcome = check(self.parsed, self.block(key), proposed, self.rules, self.form)
        if isinstance(outcome, Refusal):
            self._refused[key] = outcome
            return
        self._answered.add(key)
        self._refused.pop(key, None)
        if outcome is not None:
            self._changes[key] = outcome

    def result(self) -> str:
        """The text with all applied changes."""
        return self._with(self._changes, 0, len(self.text))

    def _with(self, changes: dict[Key, Change], start: int, end: int) -> str:
        """A part of the text, with changes."""
        pieces: list[str] = []
        for _, change in sorted(changes.items()):
            pieces += [self.text[start : change.block.start], change.text]
            start = change.block.end
        return "".join([*pieces, self.text[start:end]])

    def _drop_unsafe(self, offered: Sequence[Key]) -> None:
        """Drop changes that alter the blocks of a section, which only parsing all of it shows."""
        changed: dict[int, dict[Key, Change]] = {}
        for section in {number for number, _ in offered}:
            changed[section] = {}
        for key, change in self._changes.items():
            if key[0] in changed:
                changed[key[0]][key] = change
        for section, changes in changed.items():
            if changes and not self._is_same(section, changes):
                for key in self._unsafe(section, sorted(changes), {}):
                    self._refused[key] = Refusal(self.block(key), OTHER_KIND)
                    self._answered.discard(key)
                    del self._changes[key]

    def _unsafe(self, section: int, keys: list[Key], safe: dict[Key, Change]) -> list[Key]:
        """The unsafe ones among changes; the others are added to `safe`."""
        chosen = {key: self._changes[key] for key in keys}
        if self._is_same(section, {**safe, **chosen}):
            safe.update(chosen)
            return []
        if len(keys) == 1:
            return keys
        half = len(keys) // 2
        first = self._unsafe(section, keys[:half], safe)
        return first + self._unsafe(section, keys[half:], safe)

    def _is_same(self, section: int, changes: dict[Key, Change]) -> bool:
        """Whether a section has the same blocks, and the same text between them, after changes."""
        if self.form == "text":
            return True
        span = self.sections.span(range(section, section + 1))
        text = self._with(changes, span.start, span.end)
        blocks, references = self.sections.parsed(section, text)
        ours = self.sections.blocks(section)
        if len(blocks) != len(ours):
            return False
        for at, (old, new) in enumerate(zip(ours, blocks, strict=True)):
            if (old.kind, old.path, len(old.fields)) != (new.kind, new.path, len(new.fields)):
                return False
            change = changes.get((section, at))
            wanted = change.text if change else self.text[old.start : old.end]
            if text[new.start : new.end] != wanted:
                return False
        _, before = self.sections.parsed(section, self.sections.content(section))
        return set(references) == set(before)
