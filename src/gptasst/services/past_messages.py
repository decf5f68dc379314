"""Turns of a conversation as the messages that a model is given."""

from __future__ import annotations

from gptasst.models.conversations import BROKEN_OFF_MARK, Turn
from gptasst.models.runs import PastMessage, RunRequest, TextPart
from gptasst.services.run_inputs import message_parts, text_characters

# Characters that a token has at least, in most texts.
_SURE_CHARACTERS = 3


def as_messages(turn: Turn) -> tuple[PastMessage, PastMessage]:
    """A turn's question with its files, and its answer; one that broke off says so.

    Excerpts from knowledge are not part of it: they are looked up for each question anew.
    """
    question = message_parts(turn.question, RunRequest("", files=turn.files), ())
    answer = turn.answer + (BROKEN_OFF_MARK if turn.broken_off else "")
    return PastMessage("user", question), PastMessage("assistant", (TextPart(answer),))


def newest_that_fit(
    past: tuple[PastMessage, ...], context: int, taken: int
) -> tuple[PastMessage, ...]:
    """The newest turns that a context has room for.

    Args:
        past: all messages, oldest first; a question and its answer go together.
        context: in tokens.
        taken: characters of what has to be in it besides.
    """
    left = context * _SURE_CHARACTERS - taken
    start = len(past)
    while start >= 2:
        left -= sum(text_characters(message.parts) for message in past[start - 2 : start])
        if left < 0:
            break
        start -= 2
    return past[start:]
