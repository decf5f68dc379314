"""What is found in an assistant's knowledge, with its place and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gptasst.knowledge.index import matches
from gptasst.knowledge.question import Question
from gptasst.knowledge.types import FoundPassage


def found_passages(
    connection: sqlite3.Connection, assistant_id: str, question: Question, limit: int
) -> Sequence[FoundPassage]:
    """The passages of an assistant's knowledge that fit a question, best first."""
    by_words = matches(connection, assistant_id, question, limit)
    kept = {row[0]: row[1:] for row in _rows(connection, [match.passage_id for match in by_words])}
    found = []
    for match in by_words:
        path, place, heading, text = kept[match.passage_id]
        found.append(FoundPassage(path, place, text, match.score, heading, match.words))
    return found


def _rows(
    connection: sqlite3.Connection, passage_ids: Sequence[int]
) -> Sequence[tuple[int, str, str, str, str]]:
    marks = ", ".join("?" * len(passage_ids))
    return connection.execute(
        "SELECT p.id, k.path, p.place, p.heading, p.text FROM passages p"
        f" JOIN knowledge k ON k.id = p.file_id WHERE p.id IN ({marks})",
        passage_ids,
    ).fetchall()
