"""What is found in an assistant's knowledge, with its place and why."""

from __future__ import annotations

import heapq
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from gptasst.knowledge.index import matches
from gptasst.knowledge.question import Question
from gptasst.knowledge.types import FoundPassage
from gptasst.knowledge.vectors import nearest

# Reciprocal rank fusion: tried on two collections, this was up to 8% better than the usual k = 60
# with equal weights.
_K = 10
_MEANING_WEIGHT = 1.5
_FUSED = 100  # passages of each kind


@dataclass(frozen=True, slots=True)
class Meant:
    """What a question means: its vector, and the model that made it."""

    model: str
    vector: Sequence[float]


def found_passages(
    connection: sqlite3.Connection,
    assistant_id: str,
    question: Question,
    limit: int,
    meant: Meant | None = None,
) -> Sequence[FoundPassage]:
    """The passages of an assistant's knowledge that fit a question, best first."""
    by_words = matches(connection, assistant_id, question, max(limit, _FUSED if meant else 0))
    words = {match.passage_id: match.words for match in by_words}
    scores = {match.passage_id: match.score for match in by_words}
    similar: dict[int, float] = {}
    if meant:
        similar = dict(nearest(connection, assistant_id, meant.model, meant.vector, _FUSED))
        scores = _fused([*words], [*similar])
    best = heapq.nlargest(limit, scores, key=lambda key: scores[key])
    kept = {row[0]: row[1:] for row in _rows(connection, best)}
    found = []
    for key in best:
        path, place, heading, text = kept[key]
        found.append(
            FoundPassage(
                path, place, text, scores[key], heading, words.get(key, ()), similar.get(key)
            )
        )
    return found


def _fused(by_words: Sequence[int], by_meaning: Sequence[int]) -> dict[int, float]:
    scores: defaultdict[int, float] = defaultdict(float)
    for ranked, weight in ((by_words, 1.0), (by_meaning, _MEANING_WEIGHT)):
        for rank, key in enumerate(ranked, start=1):
            scores[key] += weight / (_K + rank)
    return scores


def _rows(
    connection: sqlite3.Connection, passage_ids: Sequence[int]
) -> Sequence[tuple[int, str, str, str, str]]:
    marks = ", ".join("?" * len(passage_ids))
    return connection.execute(
        "SELECT p.id, k.path, p.place, p.heading, p.text FROM passages p"
        f" JOIN knowledge k ON k.id = p.file_id WHERE p.id IN ({marks})",
        passage_ids,
    ).fetchall()
