"""What of a small model's answer for a sentence is taken over."""

from __future__ import annotations

import pytest

from gptasst.edits.small_models import applied, merged, sentences


@pytest.mark.parametrize(
    ("sentence", "answer", "result"),
    [
        ("You will sees teh door.", "You will see the door.", "You will see the door."),
        ("It was writen by him.", "It was written by him.", "It was written by him."),
        ("They have taked it.", "They have taken it.", "They have taken it."),
        ("They haven't taked it.", "They haven't taken it.", "They haven't taken it."),
        ("She can stil cal.", "She can still call.", "She can still call."),
        # Forms that can't stand there, ends that no word has.
        ("We rewrited the text.", "We rewritten the text.", "We rewrited the text."),
        ("All who reportet a bug.", "All who reportt a bug.", "All who reportet a bug."),
        # Words of content, negations, numbers, names.
        ("You must not open it.", "You must open it.", "You must not open it."),
        ("It takes five minute.", "It takes six minutes.", "It takes five minute."),
        ("Use MacOS or Linux.", "Use macOS or Linux.", "Use MacOS or Linux."),
        ("It don't run.", "It runs.", "It don't run."),
    ],
)
def test_only_safe_words_are_taken_over(sentence: str, answer: str, result: str) -> None:
    (found,) = sentences(sentence)
    assert applied(sentence, merged(found, answer)) == result
