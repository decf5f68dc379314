"""The index of the local store: what it finds after changes, and in stores of earlier versions."""

from __future__ import annotations

import itertools
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gptasst.assistants.local_rows import ASSISTANTS, delete_files
from gptasst.knowledge.index import insert_passages, matches
from gptasst.knowledge.indexer import Indexer
from gptasst.knowledge.question import Question
from gptasst.knowledge.search import found_passages
from gptasst.knowledge.stems import fold
from gptasst.knowledge.types import Passage
from gptasst.knowledge.vectors import _digest, _signs
from gptasst.knowledge.words import TOKENIZER, VERSION, found_words, tokens, tokens_of_all
from gptasst.storage.database import Database, Schema
from tests.conftest import Cli, Write

_TEXTS = {
    "a.md": "class RateLimiter: ...",
    "b.md": "Refunds take 12 days.",
    "c.md": "Die Rückgabefristen sind für alle Geräte in der Regel lang.",
}
_WITH_VECTORS = 3  # the version that brought them


def _old_store(path: Path, version: int, definition: str) -> None:
    """A store as an earlier version left it, with the passages of two files mixed."""
    schema = Schema("the local store", ASSISTANTS.migrations[:version])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        schema.bring_up(connection)
        connection.execute(
            "INSERT INTO assistants (id, name, revision, created_at, updated_at)"
            " VALUES ('asst_1', 'W', 1, '2025-01-01T00:00:00+00:00', '2025-01-01T00:00:00+00:00')"
        )
        connection.execute(
            "INSERT INTO revisions VALUES ('asst_1', 1, ?, '2025-01-01T00:00:00+00:00')",
            (definition,),
        )
        connection.executemany(
            "INSERT INTO knowledge (id, assistant_id, path, size, sha256, added_at)"
            " VALUES (?, 'asst_1', ?, 1, '', '2025-01-01T00:00:00+00:00')",
            [(f"file_{name}", name) for name in [*_TEXTS, "empty.md"]],
        )
        rows = [(f"file_{name}", "line 1", text) for name, text in _TEXTS.items()]
        rows += [(file_id, "line 2", f"Rest of {file_id}.") for file_id, _, _ in rows]
        connection.executemany("INSERT INTO passages (file_id, place, text) VALUES (?, ?, ?)", rows)
        if version > 1:
            connection.execute(
                "INSERT INTO search_indexes VALUES (7, 'asst_1', ?, ?)", (VERSION, len(rows))
            )
            connection.execute(
                "CREATE VIRTUAL TABLE search_index_7 USING fts5"
                f" (words, titles, content='', tokenize='{TOKENIZER}')"
            )
        if version >= _WITH_VECTORS:
            digests = [(_digest(text), number) for number, (*_, text) in enumerate(rows, 1)]
            connection.executemany("UPDATE passages SET content = ? WHERE id = ?", digests)
            vector = [1.0, 0.0]
            connection.executemany(
                "INSERT INTO vectors (content, model, vector) VALUES (?, 'mean-1', ?)",
                [(digest, array("f", vector).tobytes()) for digest, _ in digests],
            )
            if version > _WITH_VECTORS:
                connection.execute("UPDATE vectors SET signs = ?", (_signs(vector),))


class TestOlderStores:
    @pytest.mark.parametrize("version", range(1, ASSISTANTS.version))
    def test_a_store_of_an_earlier_version_is_searched_and_changed(
        self, cli: Cli, write: Write, home: Path, version: int
    ) -> None:
        assert cli("assistant", "create", "W", "-i", "DocWriter").code == 0
        (path,) = home.rglob("assistants.sqlite3")
        with closing(sqlite3.connect(path)) as connection:
            (definition,) = connection.execute("SELECT definition FROM revisions").fetchone()
        for file in path.parent.glob("assistants.sqlite3*"):
            file.unlink()
        _old_store(path, version, definition)
        assert cli("assistant", "search", "W", "rate limiter", "-q").stdout == b"a.md\n"
        assert cli("assistant", "search", "W", "Frist", "-q").stdout == b"c.md\n"
        found = cli("assistant", "search", "W", "rest file", "--json").json["passages"]
        assert sorted((each["path"], each["place"], each["text"]) for each in found) == [
            (name, "line 2", f"Rest of file_{name}.") for name in _TEXTS
        ]
        write("d.md", "another rate limiter\n")
        assert cli("assistant", "files", "add", "W", "d.md").code == 0
        assert cli("assistant", "files", "remove", "W", "a.md").code == 0
        assert cli("assistant", "search", "W", "rate limiter", "-q").stdout == b"d.md\n"
        with closing(sqlite3.connect(path)) as connection:
            texts = connection.execute("SELECT COUNT(*) FROM passages").fetchone()
            digests = connection.execute("SELECT COUNT(*) FROM contents").fetchone()
            assert (texts, digests) == ((5,), (4 if version >= _WITH_VECTORS else 0,))
        assert cli("assistant", "delete", "W", "-y").code == 0
        with closing(sqlite3.connect(path)) as connection:
            assert _left(connection) == []

    def test_vectors_of_an_earlier_version_are_used(
        self, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, server: object
    ) -> None:
        assert cli("assistant", "create", "W", "-i", "DocWriter").code == 0
        (path,) = home.rglob("assistants.sqlite3")
        with closing(sqlite3.connect(path)) as connection:
            (definition,) = connection.execute("SELECT definition FROM revisions").fetchone()
        for file in path.parent.glob("assistants.sqlite3*"):
            file.unlink()
        _old_store(path, ASSISTANTS.version - 1, definition)
        with closing(Database(path, ASSISTANTS)) as database, database.reading() as connection:
            rows = connection.execute(
                "SELECT p.text, v.content FROM passages p JOIN contents c ON c.passage = p.id"
                " JOIN vectors v ON v.content = c.content"
            ).fetchall()
        assert len(rows) == 2 * len(_TEXTS)
        assert all(_digest(text) == content for text, content in rows)


def _left(connection: sqlite3.Connection) -> list[str]:
    """The tables with content of assistants, and tables of indexes."""
    names = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    filled = [
        name
        for name in ("knowledge", "passages", "contents", "vectors", "search_indexes")
        if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {name})").fetchone()[0]
    ]
    return filled + [name for name in names if name.startswith("search_index_")]


_numbers = itertools.count()


@contextmanager
def _assistant(database: Database) -> Iterator[tuple[sqlite3.Connection, str]]:
    """A new assistant without knowledge, in a transaction."""
    name = f"a{next(_numbers)}"
    with database.writing() as connection:
        connection.execute(
            "INSERT INTO assistants (id, name, revision, created_at, updated_at)"
            " VALUES (?, ?, 1, '', '')",
            (name, name),
        )
        yield connection, name


def _add(
    connection: sqlite3.Connection, assistant: str, files: Mapping[str, Sequence[Passage]]
) -> None:
    rows = [(f"file_{next(_numbers)}", path, passages) for path, passages in files.items()]
    connection.executemany(
        "INSERT INTO knowledge (id, assistant_id, path, size, sha256, added_at)"
        " VALUES (?, ?, ?, 1, '', '')",
        [(file_id, assistant, path) for file_id, path, _ in rows],
    )
    insert_passages(connection, assistant, rows)


def _remove(connection: sqlite3.Connection, assistant: str, paths: Sequence[str]) -> None:
    ids = [
        file_id
        for file_id, path in connection.execute(
            "SELECT id, path FROM knowledge WHERE assistant_id = ?", (assistant,)
        ).fetchall()
        if path in paths
    ]
    delete_files(connection, assistant, ids)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("store") / "store.sqlite3", ASSISTANTS)
    with closing(database):
        yield database


_VOCABULARY = (
    "refund",
    "RateLimiter",
    "C++",
    "Größe",
    "3.9.1",
    "退货",
    "days",
    "café",
    "–",
    "sha256",
)
_texts = st.lists(st.sampled_from(_VOCABULARY), min_size=1, max_size=6).map(" ".join)
_passages = st.lists(
    st.builds(
        Passage, _texts, st.just("line 1"), st.sampled_from(["", "Setup", "Größe > getName"])
    ),
    max_size=4,
)
_files = st.dictionaries(st.sampled_from([f"{n}/fileName{n}.md" for n in range(4)]), _passages)
_Steps = list[tuple[dict[str, list[Passage]], list[str]]]


class TestChanges:
    @given(
        st.lists(
            st.tuples(_files, st.lists(st.sampled_from([f"{n}/fileName{n}.md" for n in range(4)])))
        ),
        _files,
    )
    @settings(max_examples=40, deadline=None)
    def test_after_any_changes_it_is_searched_like_a_new_one(
        self, database: Database, steps: _Steps, others: dict[str, list[Passage]]
    ) -> None:
        with _assistant(database) as (connection, foreign):
            _add(connection, foreign, others)
        current: dict[str, list[Passage]] = {}
        with _assistant(database) as (connection, changed):
            pass
        for added, removed in steps:
            with database.writing() as connection:
                _remove(connection, changed, list(added))
                _add(connection, changed, added)
                _remove(connection, changed, removed)
            for path in added:
                current.pop(path, None)
            current.update(added)
            for path in removed:
                current.pop(path, None)
        with _assistant(database) as (connection, fresh):
            _add(connection, fresh, current)
        with database.reading() as connection:
            for word in (*_VOCABULARY, "name", "setup", "refund days", "rate limiter"):
                asked = Question(word)
                found = found_passages(connection, changed, asked, 50)
                assert found == found_passages(connection, fresh, asked, 50)
            kept = connection.execute(
                "SELECT COALESCE(SUM(last_passage - first_passage + 1), 0) FROM knowledge"
            ).fetchone()
            assert kept == connection.execute("SELECT COUNT(*) FROM passages").fetchone()

    @given(st.lists(st.text(), min_size=1, max_size=5))
    @settings(max_examples=60, deadline=None)
    def test_every_word_of_every_passage_finds_it(
        self, database: Database, texts: list[str]
    ) -> None:
        with _assistant(database) as (connection, name):
            _add(
                connection,
                name,
                {"f": [Passage(text, f"line {n}") for n, text in enumerate(texts)]},
            )
            for text in texts:
                for word in found_words(text):
                    found = matches(connection, name, Question(word), 50)
                    ids = [match.passage_id for match in found]
                    kept = dict(connection.execute("SELECT id, text FROM passages").fetchall())
                    assert text in [kept[key] for key in ids]


_some_text = st.text(
    st.one_of(
        st.sampled_from("aAbB09 _.-,+#\n\t/'’“—…→✓€\u00a0©"),
        st.characters(min_codepoint=32, max_codepoint=126),
    ),
    max_size=60,
)


# Letters that are folded, marks, letters that join with a neighbour, and scripts without spaces.
_any_text = st.text(
    st.one_of(
        st.sampled_from("aAbBßÄéıİŉǅ09_-.,+# \u0301\u0308\u00ad\u200bйЙіεΣςשׁעلةﷺकािখ"
                        "退貨リンﾌﾟか\u3099한글\u1112\u1161\u11abสวัดี"),
        st.characters(),
    ),
    max_size=12,
)  # fmt: skip
_LANGUAGES = ["", "arabic", "french", "german", "greek", "hebrew", "hindi", "polish", "russian",
              "turkish", "ukrainian"]  # fmt: skip


class TestNames:
    @given(st.lists(_some_text, min_size=1, max_size=4))
    @settings(max_examples=300, deadline=None)
    def test_text_that_is_indexed_as_it_is_has_the_words_that_are_searched(
        self, texts: list[str]
    ) -> None:
        words, more = Indexer("english").write(texts)
        for text, written, further in zip(texts, words, more, strict=True):
            indexed = f"{written or text} {further}"
            assert indexed.isascii() or "·" in indexed
            for word in found_words(text):
                wanted = set(tokens(word, "english"))
                assert wanted <= _ascii_tokens(indexed)

    @given(st.lists(_any_text, min_size=1, max_size=6), st.sampled_from(_LANGUAGES))
    @settings(max_examples=300, deadline=None)
    def test_many_words_at_once_are_indexed_like_each_alone(
        self, texts: list[str], language: str
    ) -> None:
        words = set(itertools.chain.from_iterable(map(found_words, texts)))
        together = {word: list(written) for word, written in tokens_of_all(words, language)}
        assert together == {word: list(tokens(word, language)) for word in words}

    @given(_any_text, _any_text)
    @settings(max_examples=300, deadline=None)
    def test_a_text_is_folded_like_its_lines(self, first: str, second: str) -> None:
        assert fold(f"{first}\n{second}") == f"{fold(first)}\n{fold(second)}"

    @pytest.mark.parametrize("language", ["english", "german"])
    @pytest.mark.parametrize("part", ["A", "aA", "a1", "a++", "b#a++", "abc"])
    def test_a_word_of_any_length_is_indexed_in_a_bounded_space(
        self, part: str, language: str
    ) -> None:
        """Such as the letters of a genome; with the square of its length it would take hours."""
        text = part * 50_000
        (words,), (more,) = Indexer(language).write([text])
        assert len(words) + len(more) < 10 * len(text)


def _ascii_tokens(text: str) -> set[str]:
    """The tokens of FTS5's tokenizer `ascii`."""
    letters = (char.lower() if char.isalnum() or ord(char) > 127 else " " for char in text)
    return set("".join(letters).split())
