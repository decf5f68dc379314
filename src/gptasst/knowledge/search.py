"""Search an assistant's knowledge: passages with place, score and reason."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Mapping, Sequence

from gptasst.knowledge.index import OF_PASSAGE, languages_in, matches
from gptasst.knowledge.languages import is_english
from gptasst.knowledge.question import Question
from gptasst.knowledge.types import FoundPassage, shown_score
from gptasst.knowledge.vectors import Meanings, meanings
from gptasst.values import dataclass

# Scores by words and by meaning are combined, each as a share of the best one.
# Reciprocal rank fusion (k = 10, weight 1.5) was worse: nDCG@10 0.435 instead of 0.438 of
# Cranfield, and MRR 0.75 instead of 0.78 of questions about the code of Python's library.
_MEANING_SHARE = 0.5
_FUSED = 100  # passages from each method


@dataclass(frozen=True, slots=True)
class Meant:
    """The embedding of a question, and its model.

    In a language that the model knows little of, unrelated passages are about as similar as related
    ones. A model for English only ranks them, then; they must be found by words.
    """

    model: str
    vector: Sequence[float]
    only_english: bool = False


def found_passages(
    connection: sqlite3.Connection,
    assistant_id: str,
    question: Question,
    limit: int,
    meant: Meant | None = None,
) -> Sequence[FoundPassage]:
    """The passages of an assistant's knowledge that match a question, best first."""
    by_words = matches(connection, assistant_id, question, max(limit, _FUSED if meant else 0))
    words = {match.passage_id: match.words for match in by_words}
    scores = {match.passage_id: match.score for match in by_words}
    similar: Mapping[int, float] = {}
    if meant:
        meant_alike = meanings(
            connection, assistant_id, meant.model, meant.vector, _FUSED, scores.keys()
        )
        if meant.only_english and not _in_english(connection, assistant_id, question):
            meant_alike = meant_alike.of(scores)
        similar = meant_alike.standing_out
        scores = _fused(scores, meant_alike)
    best = heapq.nlargest(limit, scores, key=lambda key: scores[key])
    kept = {row[0]: row[1:] for row in _rows(connection, best)}
    found = []
    for key in best:
        path, place, heading, text = kept[key]
        score = shown_score(scores[key])
        alike = shown_score(similar[key]) if key in similar else None
        found.append(FoundPassage(path, place, text, score, heading, words.get(key, ()), alike))
    return found


def _in_english(connection: sqlite3.Connection, assistant_id: str, question: Question) -> bool:
    text = question.task or " ".join(question.inputs)
    return is_english(text, languages_in(connection, assistant_id))


def _fused(by_words: Mapping[int, float], by_meaning: Meanings) -> dict[int, float]:
    """The combined scores of passages, up to 1."""
    best = max(by_words.values(), default=1.0)
    return {
        key: (1 - _MEANING_SHARE) * by_words.get(key, 0.0) / best
        + _MEANING_SHARE * by_meaning.fit(key)
        for key in {**by_words, **by_meaning.standing_out}
    }


def _rows(
    connection: sqlite3.Connection, passage_ids: Sequence[int]
) -> Sequence[tuple[int, str, str, str, str]]:
    marks = ", ".join("?" * len(passage_ids))
    return connection.execute(
        "SELECT p.id, k.path, p.place, p.heading, p.text FROM passages p"
        f" JOIN knowledge k ON {OF_PASSAGE} WHERE p.id IN ({marks})",
        passage_ids,
    ).fetchall()
