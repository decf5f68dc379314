"""Turns of a conversation as the messages that a model is given."""

from __future__ import annotations

from gptasst.api.types import BROKEN_OFF_MARK, PastMessage, TextPart
from gptasst.conversations.types import Turn
from gptasst.runs.inputs import message_parts
from gptasst.runs.types import RunRequest


def as_messages(turn: Turn) -> tuple[PastMessage, PastMessage]:
    """A turn's question with its files, and its answer; one that broke off says so.

    Excerpts from knowledge are not part of it: they are looked up for each question anew.
    """
    question = message_parts(turn.question, RunRequest("", files=turn.files), ())
    answer = turn.answer + (BROKEN_OFF_MARK if turn.broken_off else "")
    return PastMessage("user", question), PastMessage("assistant", (TextPart(answer),))
