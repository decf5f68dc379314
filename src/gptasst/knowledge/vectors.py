"""Embeddings of passages: stored by content and model, and compared with a question's.

Vectors have length 1, so that their dot product is their similarity. Each content is embedded
once, for all assistants that contain it.

Of many vectors, only those are compared exactly that share the most signs with the question's.
Measured over 100,000 vectors, in ms: all of them in Python 1,040, with numpy 370, with sqlite-vec
100 (few Pythons can load it), by signs 60. By signs, none of the best 10 is missed.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import math
import operator
import shlex
import sqlite3
import statistics
from array import array
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from gptasst.errors import GptasstError
from gptasst.hints import cmd
from gptasst.knowledge.index import OF_FILE
from gptasst.storage.database import Database
from gptasst.uploads.types import OnTransfer, TransferState
from gptasst.values import dataclass

# A passage below this similarity is unrelated to the question, with any model.
_LEAST_SIMILARITY = 0.25
# In a larger collection, matching passages exceed the mean by this many standard deviations.
_SOME = 20
_STANDS_OUT = 1.5
_LEAST_LEAD = 0.05  # of the best over what is usual
_COMPARED = 1000  # of the nearest vectors, exactly
_SAMPLE = 300  # vectors that tell what is usual
_UNKNOWN = -1
_IN_REQUEST = 32  # texts
_MARKED = 2000  # passages at a time
_CONTENTS = (
    "FROM knowledge k CROSS JOIN contents c ON c.passage BETWEEN k.first_passage AND k.last_passage"
)
_VECTOR = "SELECT 1 FROM vectors v WHERE v.content = c.content AND v.model = ?"


class Embedder(Protocol):
    """A model that embeds texts."""

    @property
    def model(self) -> str: ...
    @property
    def only_english(self) -> bool:
        """Whether it knows little of other languages."""
        ...

    def prepare(self, report: Callable[[int, int | None], None]) -> None:
        """Download what is missing; the callback gets the bytes so far and in total."""
        ...

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]: ...


def mark_contents(connection: sqlite3.Connection, assistant_id: str) -> int:
    """Set the content digest of new passages; return the number of all passages."""
    rows = connection.execute(
        f"SELECT p.id FROM knowledge k CROSS JOIN passages p ON {OF_FILE} WHERE k.assistant_id = ?"
        " AND NOT EXISTS (SELECT 1 FROM contents c WHERE c.passage = p.id)",
        (assistant_id,),
    )
    new = [key for (key,) in rows]
    for start in range(0, len(new), _MARKED):
        texts = connection.execute(
            "SELECT id, heading, text FROM passages WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(new[start : start + _MARKED]),),
        ).fetchall()
        connection.executemany(
            "INSERT INTO contents (passage, content) VALUES (?, ?)",
            [(key, _digest(_embedded_text(heading, text))) for key, heading, text in texts],
        )
    return _count(connection, assistant_id)


def _count(connection: sqlite3.Connection, assistant_id: str) -> int:
    (count,) = connection.execute(
        "SELECT COALESCE(SUM(last_passage - first_passage + 1), 0) FROM knowledge"
        " WHERE assistant_id = ?",
        (assistant_id,),
    ).fetchone()
    return int(count)


def count_new(connection: sqlite3.Connection, assistant_id: str, model: str) -> int:
    """The number of passages without an embedding by a model."""
    (embedded,) = connection.execute(
        f"SELECT COUNT(*) {_CONTENTS} WHERE k.assistant_id = ? AND EXISTS ({_VECTOR})",
        (assistant_id, model),
    ).fetchone()
    return _count(connection, assistant_id) - int(embedded)


def next_texts(
    connection: sqlite3.Connection, assistant_id: str, model: str
) -> list[tuple[bytes, str]]:
    """Some contents without an embedding by a model: digests and texts."""
    rows = connection.execute(
        "SELECT n.content, p.heading, p.text FROM"
        f" (SELECT c.content, MIN(c.passage) AS passage {_CONTENTS}"
        f" WHERE k.assistant_id = ? AND NOT EXISTS ({_VECTOR})"
        f" GROUP BY c.content LIMIT {_IN_REQUEST}) AS n JOIN passages p ON p.id = n.passage",
        (assistant_id, model),
    )
    return [(content, _embedded_text(heading, text)) for content, heading, text in rows]


def keep_vectors(
    connection: sqlite3.Connection,
    model: str,
    contents: Sequence[bytes],
    vectors: Sequence[Sequence[float]],
) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO vectors (content, model, vector, signs) VALUES (?, ?, ?, ?)",
        [
            (content, model, _unit(vector).tobytes(), _signs(vector))
            for content, vector in zip(contents, vectors, strict=True)
        ],
    )


def forget_vectors(connection: sqlite3.Connection) -> None:
    """Delete the embeddings of contents that no assistant has any more."""
    connection.execute("DELETE FROM vectors WHERE content NOT IN (SELECT content FROM contents)")


def has_vectors(connection: sqlite3.Connection, assistant_id: str, model: str) -> bool:
    row = connection.execute(
        f"SELECT 1 {_CONTENTS} WHERE k.assistant_id = ? AND EXISTS ({_VECTOR}) LIMIT 1",
        (assistant_id, model),
    ).fetchone()
    return row is not None


@dataclass(frozen=True, slots=True)
class Meanings:
    """The similarity of passages to a question, from -1 to 1.

    `standing_out` are the matching ones, best first; `usual` is the mean over all passages, and
    `others` has the similarity of further requested ones.
    """

    standing_out: Mapping[int, float]
    usual: float
    others: Mapping[int, float]

    def of(self, passage_ids: Container[int]) -> Meanings:
        """The same of fewer passages."""
        kept = {key: each for key, each in self.standing_out.items() if key in passage_ids}
        return replace(self, standing_out=kept)

    def fit(self, passage_id: int) -> float:
        """The score of a passage: 1 for the best, 0 for the mean or less."""
        best = max(self.standing_out.values(), default=1.0)
        similarity = self.standing_out.get(passage_id, self.others.get(passage_id, self.usual))
        usual = min(self.usual, best - _LEAST_LEAD)
        return max(0.0, (similarity - usual) / (best - usual))


def meanings(
    connection: sqlite3.Connection,
    assistant_id: str,
    model: str,
    question: Sequence[float],
    limit: int,
    others: Collection[int],
) -> Meanings:
    """The passages closest in meaning to a question, at most `limit`; and `others` besides."""
    apart = _signs_apart(connection, assistant_id, model, question)
    compared = set(heapq.nsmallest(_COMPARED, apart, key=apart.__getitem__))
    compared.update(key for key, signs in apart.items() if signs == _UNKNOWN)
    sample = list(apart)[:: max(1, len(apart) // _SAMPLE)]
    compared.update(sample, apart.keys() & others)
    found = _similarities(connection, model, question, compared)
    values = [found[key] for key in sample]
    usual = statistics.fmean(values) if values else 0.0
    least = _LEAST_SIMILARITY
    if len(found) >= _SOME:
        least = max(least, usual + _STANDS_OUT * statistics.pstdev(values))
    best = heapq.nlargest(limit, found.items(), key=operator.itemgetter(1))
    standing_out = {key: similarity for key, similarity in best if similarity >= least}
    if len(found) < _SOME:
        usual = 0.0  # with so few, all may be relevant
    asked = {key: found[key] for key in others if key in found}
    return Meanings(standing_out, usual, asked)


def _signs_apart(
    connection: sqlite3.Connection, assistant_id: str, model: str, question: Sequence[float]
) -> dict[int, int]:
    """The number of signs in which each passage's vector differs from a question's.

    It is `_UNKNOWN` for vectors stored without signs by an earlier version.
    """
    rows = connection.execute(
        f"SELECT c.passage, v.signs {_CONTENTS}"
        " JOIN vectors v INDEXED BY vectors_by_model ON v.content = c.content AND v.model = ?"
        " WHERE k.assistant_id = ?",
        (model, assistant_id),
    )
    asked = int.from_bytes(_signs(question), "big")
    number = int.from_bytes
    return {
        key: (asked ^ number(signs, "big")).bit_count() if signs else _UNKNOWN
        for key, signs in rows
    }


def _similarities(
    connection: sqlite3.Connection,
    model: str,
    question: Sequence[float],
    passage_ids: Collection[int],
) -> dict[int, float]:
    similar = _similarity_to(_unit(question))
    rows = connection.execute(
        # Force this join order: SQLite can't know how few they are.
        "SELECT c.passage, v.vector FROM json_each(?) j CROSS JOIN contents c"
        " ON c.passage = j.value CROSS JOIN vectors v ON v.content = c.content AND v.model = ?",
        (json.dumps(sorted(passage_ids)), model),
    )
    return {key: similar(vector) for key, vector in rows}


def _similarity_to(question: array[float]) -> Callable[[bytes], float]:
    def similar(vector: bytes) -> float:
        other = array("f")
        other.frombytes(vector)
        return float(sum(map(operator.mul, question, other)))

    return similar


def _unit(vector: Sequence[float]) -> array[float]:
    length = math.hypot(*vector) or 1.0
    return array("f", [value / length for value in vector])


def _signs(vector: Sequence[float]) -> bytes:
    """One bit per number: whether it is above zero."""
    bits = "".join("1" if value > 0 else "0" for value in vector)
    return int(bits or "0", 2).to_bytes(len(bits) // 8 + 1, "big")


def _embedded_text(heading: str, text: str) -> str:
    return f"{heading}\n{text}" if heading else text


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def embed_missing(
    database: Database, embedder: Embedder, assistant_id: str, report: OnTransfer
) -> None:
    """Embed a few passages at a time. Finished ones are stored, so that a later call continues.

    Raises:
        GptasstError: the server failed; see `errors`.
    """
    model = embedder.model

    def fetched(done: int, size: int | None) -> None:
        report(TransferState("fetching", int(done == size), 1, done, size or 0))

    with database.writing() as connection:
        every = mark_contents(connection, assistant_id)
        forget_vectors(connection)
    while True:
        with database.reading() as connection:
            texts = next_texts(connection, assistant_id, model)
            left = count_new(connection, assistant_id, model)
        report(TransferState("embedding", every - left, every))
        if not texts:
            return
        embedder.prepare(fetched)
        made = embedder.embed([text for _, text in texts])
        with database.writing() as connection:
            keep_vectors(connection, model, [content for content, _ in texts], made)


def only_words(assistant: str, model: str) -> str:
    """The note for knowledge that has no embeddings yet."""
    return (
        f"the knowledge of `{assistant}` has no vectors of `{model}` yet, so only its words"
        f" are searched; {_sync(assistant)} makes them"
    )


def tries_again(assistant: str, error: GptasstError) -> str:
    """The hint of an error that kept stored knowledge from being embedded.

    Args:
        assistant: its name.
        error: the error. Its own hint comes first, except after a failed download.
    """
    own = None if error.code in ("download_failed", "bad_download") else error.advice
    stored = f"`{assistant}` is stored, and its knowledge is searched by words"
    own = f"{own}{' ' if own.endswith('?') else '; '}" if own else ""
    return f"{own}{stored}; {_sync(assistant)} tries again"


def _sync(assistant: str) -> str:
    return cmd(f"assistant files sync {shlex.quote(assistant)}")
