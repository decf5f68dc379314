"""The tables of the local store."""

from __future__ import annotations

from gptasst.hints import cmd
from gptasst.storage.sqlite import Schema

_MIGRATIONS = (
    """
    CREATE TABLE assistants (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        revision INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    );
    CREATE TABLE revisions (
        assistant_id TEXT NOT NULL REFERENCES assistants ON DELETE CASCADE,
        number INTEGER NOT NULL,
        definition TEXT NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (assistant_id, number)
    );
    CREATE TABLE knowledge (
        id TEXT PRIMARY KEY,
        assistant_id TEXT NOT NULL REFERENCES assistants ON DELETE CASCADE,
        path TEXT NOT NULL,
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        added_at TEXT NOT NULL,
        UNIQUE (assistant_id, path)
    );
    CREATE TABLE passages (
        id INTEGER PRIMARY KEY,
        file_id TEXT NOT NULL REFERENCES knowledge ON DELETE CASCADE,
        place TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX passages_by_file ON passages (file_id);
    CREATE VIRTUAL TABLE passage_index USING fts5 (
        text, content='passages', content_rowid='id',
        tokenize='porter unicode61 remove_diacritics 2'
    );
    CREATE TRIGGER passage_added AFTER INSERT ON passages BEGIN
        INSERT INTO passage_index (rowid, text) VALUES (new.id, new.text);
    END;
    CREATE TRIGGER passage_removed AFTER DELETE ON passages BEGIN
        INSERT INTO passage_index (passage_index, rowid, text)
        VALUES ('delete', old.id, old.text);
    END;
    """,
    # `knowledge.index` makes an FTS5 table for each of `search_indexes`.
    """
    DROP TRIGGER passage_added;
    DROP TRIGGER passage_removed;
    DROP TABLE passage_index;
    ALTER TABLE knowledge ADD COLUMN language TEXT NOT NULL DEFAULT '';
    ALTER TABLE passages ADD COLUMN heading TEXT NOT NULL DEFAULT '';
    ALTER TABLE passages ADD COLUMN words TEXT;
    ALTER TABLE passages ADD COLUMN more TEXT NOT NULL DEFAULT '';
    ALTER TABLE passages ADD COLUMN titles TEXT NOT NULL DEFAULT '';
    CREATE TABLE search_indexes (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        assistant_id TEXT NOT NULL UNIQUE REFERENCES assistants ON DELETE CASCADE,
        version INTEGER NOT NULL,
        passages INTEGER NOT NULL
    );
    """,
    # What passages mean, by the sha256 of what was given to the model.
    """
    ALTER TABLE passages ADD COLUMN content BLOB;
    CREATE INDEX passages_by_content ON passages (content) WHERE content IS NOT NULL;
    CREATE TABLE vectors (
        content BLOB NOT NULL,
        model TEXT NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (content, model)
    ) WITHOUT ROWID;
    """,
    # The signs of a vector's numbers, and both ways to them without what is large.
    """
    ALTER TABLE vectors ADD COLUMN signs BLOB;
    CREATE INDEX vectors_by_model ON vectors (model, content, signs);
    DROP INDEX passages_by_file;
    CREATE INDEX passages_by_file ON passages (file_id, content);
    """,
)

ASSISTANTS = Schema(
    title="the local store",
    advice=f"if it is damaged, move it away: {cmd('assistant import')} reads exports",
    migrations=_MIGRATIONS,
)
