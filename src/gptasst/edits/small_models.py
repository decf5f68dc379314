"""Blocks corrected sentence by sentence, by models too small for more."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gptasst.edits.document import EditedText
from gptasst.edits.sentences import sentences
from gptasst.edits.word_merge import applied, merged


def count_sentences(edited: EditedText) -> int:
    """How many sentences there are to ask for."""
    return sum(
        len(sentences("\n".join(edited.parsed.lines(spans))))
        for key in edited.editable()
        for spans in edited.block(key).fields
    )


def by_sentences(edited: EditedText, ask: Callable[[str], str]) -> Iterator[None]:
    """Ask for every sentence of a text and take over what is safe; yields after each.

    Args:
        edited: gets the corrected blocks.
        ask: gives a model's answer for a sentence.
    """
    for key in edited.editable():
        fields = []
        for spans in edited.block(key).fields:
            text = "\n".join(edited.parsed.lines(spans))
            replacements = []
            for sentence in sentences(text):
                replacements += merged(sentence, ask(sentence.text))
                yield
            fields.append(applied(text, replacements).split("\n"))
        edited.offer(key, fields)
