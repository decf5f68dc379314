"""The index of an assistant's passages in SQLite, searched by words.

Each assistant has its own FTS5 table. So searching one does not depend on others, and word
frequencies are those of its own knowledge. The tables are built from `passages`, and rebuilt when
`words.VERSION` changes.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gptasst.knowledge.code_words import declared_names, is_code
from gptasst.knowledge.languages import language_of
from gptasst.knowledge.question import (
    Question,
    Term,
    Terms,
    parted,
    resembling_term,
    terms_of,
)
from gptasst.knowledge.types import Passage
from gptasst.knowledge.words import TOKENIZER, VERSION, Indexer, index_words
from gptasst.values import dataclass

# A word in a heading or a path, and a name that code declares, counts more than one in the text.
_TITLE_WEIGHT = 2.5
_MOST_TERMS = 64
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
_LANGUAGE_SAMPLE = 1500  # characters

_INDEXED = "id, COALESCE(words, text) || ' ' || more, titles"
_INDEX = f"INSERT INTO {{}} (rowid, words, titles) SELECT {_INDEXED} FROM passages"


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
    languages: list[tuple[str, str]] = []
    connection.executemany(
        "INSERT INTO passages (file_id, place, heading, text, words, more, titles)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        itertools.chain.from_iterable(_passage_rows(files, languages)),
    )
    connection.executemany("UPDATE knowledge SET language = ? WHERE id = ?", languages)
    # In one statement: FTS5 writes its data after each.
    added = connection.execute(f"{_INDEX.format(table)} WHERE id > ?", (last,)).rowcount
    _count(connection, assistant_id, added)


def _passage_rows(
    files: Iterable[tuple[str, str, Sequence[Passage]]], languages: list[tuple[str, str]]
) -> Iterator[Iterable[tuple[str | None, ...]]]:
    """Rows for the passages of each file; files in a clear language go to `languages`."""
    for file_id, path, passages in files:
        texts = [passage.text for passage in passages]
        headings = [passage.heading for passage in passages]
        language, columns = _written(path, texts, headings)
        if language:
            languages.append((language, file_id))
        places = [passage.place for passage in passages]
        yield zip(itertools.repeat(file_id), places, headings, texts, *columns, strict=False)


def remove_passages(
    connection: sqlite3.Connection, assistant_id: str, file_ids: Sequence[str]
) -> None:
    """Remove the passages of files, before the files are deleted."""
    table = _current_table(connection, assistant_id)
    which = "FROM passages WHERE file_id IN (SELECT value FROM json_each(?))"
    ids = (json.dumps(list(file_ids)),)
    connection.execute(
        f"INSERT INTO {table} ({table}, rowid, words, titles) SELECT 'delete', {_INDEXED} {which}",
        ids,
    )
    removed = connection.execute(f"DELETE {which}", ids).rowcount
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
    languages = connection.execute(
        "SELECT DISTINCT language FROM knowledge WHERE assistant_id = ? AND language <> ''",
        (assistant_id,),
    )
    known = [language for (language,) in languages]
    search = _Search(connection, _table(row[0]), row[1], known)
    terms = terms_of(question, known)
    spoken = language_of(question.task, known)
    foreign = [language for language in known if language != spoken]
    if not spoken or not foreign:
        return search.matches(terms, limit)
    found = search.matches(terms, limit * 2)
    return _native_first(connection, found, spoken)[:limit]


def _native_first(
    connection: sqlite3.Connection, found: Sequence[WordMatch], language: str
) -> list[WordMatch]:
    """Rank passages in the question's language before others with a similar score."""
    rows = connection.execute(
        "SELECT p.id FROM passages p JOIN knowledge k ON k.id = p.file_id"
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
        found = self._rarest(map(self._leading, terms.leading), _MOST_TERMS)
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
        if count or term.guessed:
            return term, count
        for other in (parted(term, self._languages), self._resembling(term)):
            found = self._count(other) if other else 0
            if other and found:
                return other, found
        return term, 0

    def _resembling(self, term: Term) -> Term | None:
        return resembling_term(term, self._languages, self._vocabulary)

    def _vocabulary(self, beginning: str) -> list[str]:
        table = f"{self._table}_vocabulary"
        self._connection.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{table}"
            f" USING fts5vocab(main, {self._table}, row)"
        )
        rows = self._connection.execute(
            f"SELECT term FROM temp.{table} WHERE term BETWEEN ? AND ?",
            (beginning, f"{beginning}\U0010ffff"),
        )
        return [word for (word,) in rows]

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


def _written(
    path: str, texts: Sequence[str], headings: Sequence[str]
) -> tuple[str, tuple[Iterable[str | None], Iterable[str], Iterable[str]]]:
    """The language of a file, and the indexed columns of its passages."""
    language = _language(texts)
    indexer = _indexer(language)
    named = index_words(path, language)
    if is_code(path):
        headings = [
            f"{heading} {declared_names(path, text)}"
            for heading, text in zip(headings, texts, strict=True)
        ]
    titles: Iterable[str] = itertools.repeat(named, len(texts))
    if any(headings):
        written = zip(headings, *indexer.write(headings), strict=True)
        titles = [f"{named} {words or heading} {more}" for heading, words, more in written]
    return language, (*indexer.write(texts), titles)


@functools.lru_cache(maxsize=32)
def _indexer(language: str) -> Indexer:
    return Indexer(language)


def _language(texts: Iterable[str]) -> str:
    sample: list[str] = []
    length = 0
    for text in texts:
        sample.append(text)
        length += len(text)
        if length >= _LANGUAGE_SAMPLE:
            break
    return language_of("\n".join(sample))


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
    connection.execute(
        f"INSERT INTO {table} ({table}, rank) VALUES ('rank', 'bm25(1.0, {_TITLE_WEIGHT})')"
    )
    _index_anew(connection, assistant_id, table)
    return table


def _index_anew(connection: sqlite3.Connection, assistant_id: str, table: str) -> None:
    files = connection.execute(
        "SELECT id, path FROM knowledge k WHERE assistant_id = ?"
        " AND EXISTS (SELECT 1 FROM passages p WHERE p.file_id = k.id)",
        (assistant_id,),
    ).fetchall()
    for file_id, path in files:
        rows = connection.execute(
            "SELECT id, heading, text FROM passages WHERE file_id = ?", (file_id,)
        ).fetchall()
        texts = [text for _, _, text in rows]
        language, columns = _written(path, texts, [heading for _, heading, _ in rows])
        connection.executemany(
            "UPDATE passages SET words = ?, more = ?, titles = ? WHERE id = ?",
            zip(*columns, [key for key, _, _ in rows], strict=True),
        )
        connection.execute("UPDATE knowledge SET language = ? WHERE id = ?", (language, file_id))
    which = "file_id IN (SELECT id FROM knowledge WHERE assistant_id = ?)"
    added = connection.execute(f"{_INDEX.format(table)} WHERE {which}", (assistant_id,)).rowcount
    _count(connection, assistant_id, added)
