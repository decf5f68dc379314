"""Assistants and their knowledge as rows of the local store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gptasst.assistants.store import (
    deleted_meanwhile,
    edit_conflict,
    name_taken,
    no_assistant,
    no_revision,
)
from gptasst.assistants.types import Assistant, AssistantSummary
from gptasst.definitions.toml import dump_definition, parse_definition
from gptasst.errors import NotFound
from gptasst.hints import cmd
from gptasst.storage.database import Schema

if TYPE_CHECKING:
    from gptasst.definitions.types import Definition
    from gptasst.knowledge.types import KnowledgePlan, Passage
    from gptasst.uploads.types import KnowledgeSource


SUMMARIES = (
    "SELECT a.id, a.name, a.updated_at, r.definition, a.source,"
    " (SELECT COUNT(*) FROM knowledge k WHERE k.assistant_id = a.id),"
    " (SELECT COALESCE(SUM(size), 0) FROM knowledge k WHERE k.assistant_id = a.id)"
    " FROM assistants a JOIN revisions r ON r.assistant_id = a.id AND r.number = a.revision"
)


def revise(
    connection: sqlite3.Connection, assistant: Assistant, definition: Definition, now: str
) -> None:
    """Save a definition, if it differs, as the next revision of an unchanged assistant."""
    refuse_taken(connection, definition.name, assistant.id)
    if definition == assistant.definition:
        if current_revision(connection, assistant) != assistant.revision:
            raise edit_conflict(assistant.name)
        return
    number = propose(connection, assistant, definition, now)
    connection.execute(
        "UPDATE assistants SET name = ?, revision = ?, updated_at = ? WHERE id = ?",
        (definition.name, number, now, assistant.id),
    )


def propose(
    connection: sqlite3.Connection, assistant: Assistant, definition: Definition, now: str
) -> int:
    """Keep a definition after an assistant's revisions; one that was proposed before is that."""
    refuse_taken(connection, definition.name, assistant.id)
    current = current_revision(connection, assistant)
    if current != assistant.revision:
        raise edit_conflict(assistant.name)
    later = connection.execute(
        "SELECT number, definition FROM revisions WHERE assistant_id = ? AND number > ?"
        " ORDER BY number DESC",
        (assistant.id, current),
    ).fetchall()
    text = dump_definition(definition)
    same = next((number for number, kept in later if kept == text), None)
    if same is not None:
        return int(same)
    number = int(later[0][0] if later else current) + 1
    insert_revision(connection, assistant.id, number, definition, now)
    return number


def set_source(connection: sqlite3.Connection, assistant_id: str, source: str | None) -> None:
    """Keep the file that an assistant comes from; `None`: that stays as it is."""
    if source is not None:
        connection.execute("UPDATE assistants SET source = ? WHERE id = ?", (source, assistant_id))


def insert_revision(
    connection: sqlite3.Connection,
    assistant_id: str,
    number: int,
    definition: Definition,
    now: str,
) -> None:
    connection.execute(
        "INSERT INTO revisions (assistant_id, number, definition, created_at) VALUES (?, ?, ?, ?)",
        (assistant_id, number, dump_definition(definition), now),
    )


def insert_files(
    connection: sqlite3.Connection,
    assistant_id: str,
    sources: Sequence[KnowledgeSource],
    passages_of: Callable[[KnowledgeSource], Sequence[Passage]],
    now: str,
) -> None:
    import secrets

    from gptasst.knowledge.index import insert_passages

    known = connection.execute(
        "SELECT path, id FROM knowledge WHERE assistant_id = ?", (assistant_id,)
    )
    replaced: dict[str, str] = dict(known.fetchall())
    old = (replaced.get(source.path) for source in sources)
    delete_files(connection, assistant_id, [file_id for file_id in old if file_id])
    ids = [f"file_{secrets.token_hex(12)}" for _ in sources]
    connection.executemany(
        "INSERT INTO knowledge (id, assistant_id, path, size, sha256, added_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (file_id, assistant_id, source.path, source.size, source.sha256, now)
            for file_id, source in zip(ids, sources, strict=True)
        ],
    )
    if sources:
        pairs = zip(ids, sources, strict=True)
        files = ((file_id, source.path, passages_of(source)) for file_id, source in pairs)
        insert_passages(connection, assistant_id, files)


def delete_files(
    connection: sqlite3.Connection, assistant_id: str, file_ids: Sequence[str]
) -> None:
    from gptasst.knowledge.index import remove_passages

    if file_ids:
        remove_passages(connection, assistant_id, file_ids)
        connection.executemany(
            "DELETE FROM knowledge WHERE id = ?", [(file_id,) for file_id in file_ids]
        )


def leave_only(connection: sqlite3.Connection, assistant: Assistant, plan: KnowledgePlan) -> None:
    """Delete files that others added since the plan was made.

    Raises:
        UsageError: others removed files that should stay.
    """
    query = "SELECT id, path FROM knowledge WHERE assistant_id = ?"
    there = dict(connection.execute(query, (assistant.id,)).fetchall())
    kept = {file.id for file in plan.unchanged}
    if kept - there.keys():
        raise edit_conflict(assistant.name)
    wanted = {source.path for source in plan.wanted}
    others = [i for i, path in there.items() if i not in kept and path not in wanted]
    delete_files(connection, assistant.id, others)


def refuse_taken(connection: sqlite3.Connection, name: str, own_id: str) -> None:
    row = connection.execute("SELECT id FROM assistants WHERE name = ?", (name,)).fetchone()
    if row is not None and row[0] != own_id:
        raise name_taken(name)


def current_revision(
    connection: sqlite3.Connection, assistant: AssistantSummary | Assistant
) -> int:
    row = connection.execute(
        "SELECT revision FROM assistants WHERE id = ?", (assistant.id,)
    ).fetchone()
    if row is None:
        raise deleted_meanwhile(assistant.name)
    return int(row[0])


def find_id(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute(
        "SELECT id FROM assistants WHERE name = :name OR id = :name ORDER BY name = :name DESC",
        {"name": name},
    ).fetchone()
    if row is None:
        raise no_such_assistant(connection, name)
    return str(row[0])


def no_such_assistant(connection: sqlite3.Connection, name: str) -> NotFound:
    rows = connection.execute("SELECT name FROM assistants").fetchall()
    return no_assistant(name, [known for (known,) in rows])


def read_assistant(
    connection: sqlite3.Connection, assistant_id: str, number: int | None = None
) -> Assistant:
    from gptasst.knowledge.types import KnowledgeFile

    revision, created_at, updated_at, definition, source = connection.execute(
        "SELECT a.revision, a.created_at, a.updated_at, r.definition, a.source FROM assistants a"
        " JOIN revisions r ON r.assistant_id = a.id AND r.number = a.revision WHERE a.id = ?",
        (assistant_id,),
    ).fetchone()
    files = connection.execute(
        "SELECT id, path, size, sha256, added_at FROM knowledge WHERE assistant_id = ?"
        " ORDER BY path",
        (assistant_id,),
    )
    read = parse_stored(definition)
    if number is not None:
        row = connection.execute(
            "SELECT definition FROM revisions WHERE assistant_id = ? AND number = ?",
            (assistant_id, number),
        ).fetchone()
        if row is None:
            raise no_revision(read.name, number)
        read, revision = parse_stored(row[0]), number
    return Assistant(
        id=assistant_id,
        definition=read,
        revision=revision,
        created_at=moment(created_at),
        updated_at=moment(updated_at),
        knowledge=tuple(
            KnowledgeFile(file_id, path, size, sha256, moment(added_at))
            for file_id, path, size, sha256, added_at in files
        ),
        source=source,
    )


def summary_of_row(row: tuple[str, str, str, str, str, int, int]) -> AssistantSummary:
    assistant_id, name, updated_at, text, source, files, size = row
    definition = parse_stored(text)
    return AssistantSummary(
        id=assistant_id,
        name=name,
        model=definition.model,
        instruction=definition.instruction,
        files=files,
        size=size,
        updated_at=moment(updated_at),
        source=source,
    )


def parse_stored(text: str) -> Definition:
    return parse_definition(text, source="assistant", schema_checked=True)  # when it was saved


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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
    # `knowledge.index` creates an FTS5 table for each row of `search_indexes`.
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
    # Embeddings of passages, by the sha256 of the embedded text.
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
    # The signs of a vector's numbers, and indexes to find them without reading the vectors.
    """
    ALTER TABLE vectors ADD COLUMN signs BLOB;
    CREATE INDEX vectors_by_model ON vectors (model, content, signs);
    DROP INDEX passages_by_file;
    CREATE INDEX passages_by_file ON passages (file_id, content);
    """,
    # The file that `apply` made an assistant from.
    "ALTER TABLE assistants ADD COLUMN source TEXT NOT NULL DEFAULT '';",
    # A file's passages have consecutive numbers, so that they need no index and no id of the file.
    # Their digests, which few stores have, are apart, to be read without the text.
    """
    ALTER TABLE passages RENAME TO old_passages;
    CREATE TABLE numbered (
        number INTEGER PRIMARY KEY,
        passage INTEGER NOT NULL,
        file_id TEXT NOT NULL
    );
    INSERT INTO numbered (passage, file_id)
        SELECT p.id, k.id FROM old_passages p JOIN knowledge k ON k.id = p.file_id
        ORDER BY k.rowid, p.id;
    CREATE INDEX numbered_by_file ON numbered (file_id, number);
    ALTER TABLE knowledge ADD COLUMN titles TEXT NOT NULL DEFAULT '';
    ALTER TABLE knowledge ADD COLUMN first_passage INTEGER;
    ALTER TABLE knowledge ADD COLUMN last_passage INTEGER;
    UPDATE knowledge SET
        first_passage = (SELECT MIN(number) FROM numbered WHERE file_id = knowledge.id),
        last_passage = (SELECT MAX(number) FROM numbered WHERE file_id = knowledge.id);
    CREATE UNIQUE INDEX knowledge_by_passage ON knowledge (first_passage);
    CREATE TABLE passages (
        id INTEGER PRIMARY KEY,
        text TEXT NOT NULL,
        place TEXT NOT NULL,
        heading TEXT NOT NULL,
        words TEXT NOT NULL DEFAULT '',
        more TEXT NOT NULL DEFAULT '',
        titles TEXT NOT NULL DEFAULT ''
    );
    INSERT INTO passages (id, text, place, heading)
        SELECT n.number, o.text, o.place, o.heading
        FROM numbered n JOIN old_passages o ON o.id = n.passage ORDER BY n.number;
    CREATE TABLE contents (
        passage INTEGER PRIMARY KEY,
        content BLOB NOT NULL
    );
    INSERT INTO contents (passage, content)
        SELECT n.number, o.content FROM numbered n JOIN old_passages o ON o.id = n.passage
        WHERE o.content IS NOT NULL ORDER BY n.number;
    CREATE INDEX contents_by_digest ON contents (content);
    DROP TABLE numbered;
    DROP TABLE old_passages;
    CREATE TRIGGER knowledge_removed AFTER DELETE ON knowledge BEGIN
        DELETE FROM passages WHERE id BETWEEN old.first_passage AND old.last_passage;
        DELETE FROM contents WHERE passage BETWEEN old.first_passage AND old.last_passage;
    END;
    UPDATE search_indexes SET version = 0;
    """,
)

ASSISTANTS = Schema(
    title="the local store",
    advice=f"if it is damaged, move it away: {cmd('assistant import FILE')} reads exports",
    migrations=_MIGRATIONS,
    page_size=8192,  # writing large tables takes less time than with SQLite's 4096
)
