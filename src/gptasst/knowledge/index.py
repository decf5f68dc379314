"""The index of an assistant's passages in SQLite, searched by words.

Each assistant has its own FTS5 table. So searching one does not depend on others, and word
frequencies are those of its own knowledge. The tables are built from `passages`, and rebuilt when
`words.VERSION` changes.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gptasst.knowledge.indexer import indexed_columns
from gptasst.knowledge.languages import language_of
from gptasst.knowledge.question import Question, Term, Terms, terms_of
from gptasst.knowledge.resemblance import replacements
from gptasst.knowledge.types import Passage
from gptasst.knowledge.words import TOKENIZER, VERSION
from gptasst.values import dataclass

# A word in a heading or a path, and a name that code declares, counts more than one in the text.
_TITLE_WEIGHT = 2.5
_MOST_TERMS = 64
_MOST_REPLACED = 50  # words that are not in the index; more make a long question slow
# The number of passages that FTS5 ranks in one search, those with the rarest words first. For more
# frequent words, only their presence counts.
_MOST_WEIGHED = 4000
_LEAST_RARITY = 0.1
# The weight of repeated words (BM25's k1); FTS5's own is 1.2.
_FTS5_AGAIN, _AGAIN = 1.2, 2.5
# Several forms of a word in one passage: FTS5 adds up their scores. At most this, times its rarity.
_MOST_OF_FORMS = 1.2
# Passages with less than this share of the best score are irrelevant.
_LEAST_SHARE = 0.1
_FOREIGN = 0.8  # share of its score for a passage in another language than the question's

# The condition of a join for the passages `p` of files `k`, and the one for the file of a passage.
OF_FILE = "p.id BETWEEN k.first_passage AND k.last_passage"
OF_PASSAGE = (
    "k.first_passage = (SELECT MAX(first_passage) FROM knowledge WHERE first_passage <= p.id)"
)
# What is indexed of the passages of files, whose ids are a JSON array. FTS5 is fastest with all in
# one statement and with ascending numbers.
_INDEXED = (
    "p.id, COALESCE(NULLIF(p.words, ''), p.text) || ' ' || p.more,"
    " COALESCE(NULLIF(p.titles, ''), k.titles) FROM json_each(?) AS f"
    f" CROSS JOIN knowledge k ON k.id = f.value CROSS JOIN passages p ON {OF_FILE}"
)
# Bytes of new index entries that FTS5 collects before it writes them.
_COLLECTED = 4_000_000
# Rows in one statement, which takes half as long as a statement for each.
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class WordMatch:
    """A passage with words of a question. A higher `score` is better."""

    passage_id: int
    score: float
    words: tuple[str, ...]


def insert_passages(
    connection: sqlite3.Connection,
    assistant_id: str,
    files: Iterable[tuple[str, str, Sequence[Passage]]],
) -> None:
    """Store and index passages of files in `knowledge`: tuples of id, path, passages."""
    table = _current_table(connection, assistant_id)
    (last,) = connection.execute("SELECT COALESCE(MAX(id), 0) FROM passages").fetchone()
    described: list[tuple[str, str, int, int, str]] = []
    values = itertools.chain.from_iterable(_passage_rows(files, last, described))
    while some := list(itertools.islice(values, _AT_ONCE)):
        marks = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(some))
        connection.execute(
            f"INSERT INTO passages (text, place, heading, words, more, titles) VALUES {marks}",
            list(itertools.chain.from_iterable(some)),
        )
    connection.executemany(
        "UPDATE knowledge SET language = ?, titles = ?, first_passage = ?, last_passage = ?"
        " WHERE id = ?",
        described,
    )
    _index(connection, assistant_id, table, [file_id for *_, file_id in described])


def _passage_rows(
    files: Iterable[tuple[str, str, Sequence[Passage]]],
    last: int,
    described: list[tuple[str, str, int, int, str]],
) -> Iterator[Iterable[tuple[str, ...]]]:
    """Rows for the passages of each file; those about the files go to `described`."""
    for file_id, path, passages in files:
        if passages:
            texts = [passage.text for passage in passages]
            headings = [passage.heading for passage in passages]
            places = [passage.place for passage in passages]
            language, named, columns = indexed_columns(path, texts, headings)
            first, last = last + 1, last + len(texts)
            described.append((language, named, first, last, file_id))
            yield zip(texts, places, headings, *columns, strict=False)


def _index(
    connection: sqlite3.Connection, assistant_id: str, table: str, file_ids: Sequence[str]
) -> None:
    added = connection.execute(
        f"INSERT INTO {table} (rowid, words, titles) SELECT {_INDEXED}", (json.dumps(file_ids),)
    ).rowcount
    _count(connection, assistant_id, added)


def remove_passages(
    connection: sqlite3.Connection, assistant_id: str, file_ids: Sequence[str]
) -> None:
    """Remove the passages of files from the index, before the files are deleted with them."""
    table = _current_table(connection, assistant_id)
    removed = connection.execute(
        f"INSERT INTO {table} ({table}, rowid, words, titles) SELECT 'delete', {_INDEXED}",
        (
            json.dumps(
                _in_order(
                    connection, "id IN (SELECT value FROM json_each(?))", json.dumps(list(file_ids))
                )
            ),
        ),
    ).rowcount
    _count(connection, assistant_id, -removed)


def drop_index(connection: sqlite3.Connection, assistant_id: str) -> None:
    """Delete the index of an assistant, before the assistant is deleted."""
    row = connection.execute(
        "SELECT number FROM search_indexes WHERE assistant_id = ?", (assistant_id,)
    ).fetchone()
    if row is not None:
        connection.execute(f"DROP TABLE IF EXISTS {_table(row[0])}")
        connection.execute("DELETE FROM search_indexes WHERE number = ?", row)


def is_current(connection: sqlite3.Connection, assistant_id: str) -> bool:
    """Whether an assistant's index is current; else call `make_current` first."""
    row = connection.execute(
        "SELECT version FROM search_indexes WHERE assistant_id = ?", (assistant_id,)
    ).fetchone()
    if row is not None:
        return bool(row[0] == VERSION)
    knows = "SELECT EXISTS (SELECT 1 FROM knowledge WHERE assistant_id = ?)"
    return not connection.execute(knows, (assistant_id,)).fetchone()[0]


def make_current(connection: sqlite3.Connection, assistant_id: str) -> None:
    """Rebuild an assistant's index if it is missing or has another version."""
    _current_table(connection, assistant_id)


def matches(
    connection: sqlite3.Connection, assistant_id: str, question: Question, limit: int
) -> list[WordMatch]:
    """The passages that match a question's words, best first; at most `limit`."""
    row = connection.execute(
        "SELECT number, passages FROM search_indexes WHERE assistant_id = ?", (assistant_id,)
    ).fetchone()
    if row is None:
        return []
    known = languages_in(connection, assistant_id)
    search = _Search(connection, _table(row[0]), row[1], known)
    terms = terms_of(question, known)
    spoken = language_of(question.task, known)
    foreign = [language for language in known if language != spoken]
    if not spoken or not foreign:
        return search.matches(terms, limit)
    found = search.matches(terms, limit * 2)
    return _native_first(connection, found, spoken)[:limit]


def languages_in(connection: sqlite3.Connection, assistant_id: str) -> list[str]:
    """The languages of an assistant's knowledge."""
    rows = connection.execute(
        "SELECT DISTINCT language FROM knowledge WHERE assistant_id = ? AND language <> ''",
        (assistant_id,),
    )
    return [language for (language,) in rows]


def _native_first(
    connection: sqlite3.Connection, found: Sequence[WordMatch], language: str
) -> list[WordMatch]:
    """Rank passages in the question's language before others with a similar score."""
    rows = connection.execute(
        f"SELECT p.id FROM passages p JOIN knowledge k ON {OF_PASSAGE}"
        " WHERE p.id IN (SELECT value FROM json_each(?)) AND k.language NOT IN ('', ?)",
        (json.dumps([match.passage_id for match in found]), language),
    )
    foreign = {key for (key,) in rows}
    weighed = (
        replace(match, score=match.score * _FOREIGN) if match.passage_id in foreign else match
        for match in found
    )
    return sorted(weighed, key=lambda match: -match.score)


class _Search:
    def __init__(
        self, connection: sqlite3.Connection, table: str, passages: int, languages: Sequence[str]
    ) -> None:
        self._connection = connection
        self._table = table
        self._passages = passages
        self._languages = languages
        self._vocabularies: dict[str, list[str]] = {}
        self._replaced = 0

    def matches(self, terms: Terms, limit: int) -> list[WordMatch]:
        chosen = self._chosen(terms)
        if terms.together and len(chosen) < len(terms.leading):
            return []
        scores: defaultdict[int, float] = defaultdict(float)
        words: defaultdict[int, list[str]] = defaultdict(list)
        guessed: defaultdict[int, list[str]] = defaultdict(list)
        left = _MOST_WEIGHED
        for term, count in chosen:
            weighed = count <= left or not scores
            for passage_id, score in self._rows(term, count, weighed=weighed):
                if weighed or passage_id in scores:
                    scores[passage_id] += term.weight * score
                    (guessed if term.guessed else words)[passage_id].append(term.word)
            left -= count if weighed else 0
        for term in terms.near:
            near = [key for key in self._ids(term) if key in scores]
            for key in near:
                scores[key] += term.weight * self._rarity(len(near))
        whole = len(chosen) if terms.together else 0
        fit = (item for item in scores.items() if len(words[item[0]]) >= whole)
        best = heapq.nlargest(limit, fit, key=lambda item: (item[1], -item[0]))
        least = best[0][1] * _LEAST_SHARE if best else 0
        return [
            WordMatch(key, score, tuple(dict.fromkeys(words[key] or guessed[key])))
            for key, score in best
            if score >= least
        ]

    def _chosen(self, terms: Terms) -> list[tuple[Term, int]]:
        """The terms to search, with the number of passages for each, rarest first."""
        leading = list(map(self._leading, terms.leading))
        missing = sum(1 for term, count in leading if not count and not term.guessed)
        known = sum(1 for term, count in leading if count and not term.guessed)
        if missing > known:  # a similar word is likely to be another one
            leading = [(term, count) for term, count in leading if not term.similar]
        found = self._rarest(leading, _MOST_TERMS)
        filling = self._rarest(
            ((term, self._count(term)) for term in terms.filling), _MOST_TERMS - len(found)
        )
        # The input may be long: all its words together weigh half of the question.
        most = sum(term.weight for term, _ in found) / 2
        share = min(1.0, most / len(filling)) if found and filling else 1.0
        found += [(replace(term, weight=term.weight * share), count) for term, count in filling]
        return sorted(found, key=lambda item: item[1])

    def _leading(self, term: Term) -> tuple[Term, int]:
        count = self._count(term)
        if count or term.guessed or self._replaced >= _MOST_REPLACED:
            return term, count
        self._replaced += 1
        for other in replacements(term, self._languages, self._vocabulary):
            found = self._count(other)
            if found:
                return other, found
        return term, 0

    def _vocabulary(self, beginning: str) -> list[str]:
        if beginning in self._vocabularies:
            return self._vocabularies[beginning]
        table = f"{self._table}_vocabulary"
        self._connection.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{table}"
            f" USING fts5vocab(main, {self._table}, row)"
        )
        rows = self._connection.execute(
            f"SELECT term FROM temp.{table} WHERE term BETWEEN ? AND ?",
            (beginning, f"{beginning}\U0010ffff"),
        )
        self._vocabularies[beginning] = [word for (word,) in rows]
        return self._vocabularies[beginning]

    def _rarest(self, found: Iterable[tuple[Term, int]], most: int) -> list[tuple[Term, int]]:
        if most <= 0:
            return []
        return sorted((item for item in found if item[1]), key=lambda item: item[1])[:most]

    def _count(self, term: Term) -> int:
        (count,) = self._connection.execute(
            f"SELECT COUNT(*) FROM {self._table} WHERE {self._table} MATCH ?", (term.expression,)
        ).fetchone()
        return int(count)

    def _rows(self, term: Term, count: int, *, weighed: bool) -> Iterable[tuple[int, float]]:
        rarity = self._rarity(count)
        if weighed:
            rows = self._connection.execute(
                f"SELECT rowid, -rank FROM {self._table} WHERE {self._table} MATCH ?",
                (term.expression,),
            )
            # FTS5 gives no weight to words that are in half of the passages.
            if rarity == _LEAST_RARITY:
                return ((key, max(score, _LEAST_RARITY)) for key, score in rows)
            most = rarity * _MOST_OF_FORMS if len(term.forms) > 1 else math.inf
            return ((key, _weighed_again(min(score, most), rarity)) for key, score in rows)
        return ((key, rarity) for key in self._ids(term))

    def _ids(self, term: Term) -> Iterator[int]:
        rows = self._connection.execute(
            f"SELECT rowid FROM {self._table} WHERE {self._table} MATCH ?", (term.expression,)
        )
        return (key for (key,) in rows)

    def _rarity(self, count: int) -> float:
        return max(_LEAST_RARITY, math.log((self._passages - count + 0.5) / (count + 0.5)))


def _weighed_again(score: float, rarity: float) -> float:
    """Convert a score of FTS5's `bm25` for one word to the weight `_AGAIN`."""
    share = min(score / rarity / (_FTS5_AGAIN + 1), 0.999)
    often = share / (1 - share) * _FTS5_AGAIN / _AGAIN
    return rarity * (_AGAIN + 1) * often / (1 + often)


def _table(number: int) -> str:
    return f"search_index_{int(number)}"


def _count(connection: sqlite3.Connection, assistant_id: str, more: int) -> None:
    connection.execute(
        "UPDATE search_indexes SET passages = passages + ? WHERE assistant_id = ?",
        (more, assistant_id),
    )


def _current_table(connection: sqlite3.Connection, assistant_id: str) -> str:
    row = connection.execute(
        "SELECT number, version FROM search_indexes WHERE assistant_id = ?", (assistant_id,)
    ).fetchone()
    if row is not None and row[1] == VERSION:
        return _table(row[0])
    drop_index(connection, assistant_id)
    number = connection.execute(
        "INSERT INTO search_indexes (assistant_id, version, passages) VALUES (?, ?, 0)",
        (assistant_id, VERSION),
    ).lastrowid
    assert number is not None
    table = _table(number)
    connection.execute(
        f"CREATE VIRTUAL TABLE {table} USING fts5 (words, titles, content='',"
        f" tokenize='{TOKENIZER}')"
    )
    connection.executemany(
        f"INSERT INTO {table} ({table}, rank) VALUES (?, ?)",
        [("rank", f"bm25(1.0, {_TITLE_WEIGHT})"), ("hashsize", _COLLECTED)],
    )
    _index_anew(connection, assistant_id, table)
    return table


def _index_anew(connection: sqlite3.Connection, assistant_id: str, table: str) -> None:
    file_ids = _in_order(connection, "assistant_id = ?", assistant_id)
    for file_id in file_ids:
        (path, *ends) = connection.execute(
            "SELECT path, first_passage, last_passage FROM knowledge WHERE id = ?", (file_id,)
        ).fetchone()
        rows = connection.execute(
            "SELECT id, heading, text FROM passages WHERE id BETWEEN ? AND ?", ends
        ).fetchall()
        language, named, columns = indexed_columns(
            path, [text for _, _, text in rows], [heading for _, heading, _ in rows]
        )
        connection.executemany(
            "UPDATE passages SET words = ?, more = ?, titles = ? WHERE id = ?",
            zip(*columns, [key for key, _, _ in rows], strict=False),
        )
        connection.execute(
            "UPDATE knowledge SET language = ?, titles = ? WHERE id = ?", (language, named, file_id)
        )
    _index(connection, assistant_id, table, file_ids)


def _in_order(connection: sqlite3.Connection, which: str, value: str) -> list[str]:
    """The ids of files with passages, in the order of these."""
    rows = connection.execute(
        f"SELECT id FROM knowledge WHERE {which} AND first_passage IS NOT NULL"
        " ORDER BY first_passage",
        (value,),
    )
    return [file_id for (file_id,) in rows]
