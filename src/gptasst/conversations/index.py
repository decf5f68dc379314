"""The conversations that this machine knows of; the API has no list of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gptasst.conversations.types import Conversation
from gptasst.storage.database import Database
from gptasst.storage.sqlite import Schema

_COLUMNS = "id, assistant, title, kept, profile, scope, created_at, updated_at, messages"

CONVERSATIONS = Schema(
    title="the file of conversations",
    advice="if it is damaged, move it away; conversations on a server are found by their ids",
    migrations=(
        """
        CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            assistant TEXT NOT NULL,
            title TEXT NOT NULL,
            kept TEXT NOT NULL,
            profile TEXT NOT NULL,
            scope TEXT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            messages INTEGER NOT NULL
        );
        CREATE TABLE turns (
            id INTEGER PRIMARY KEY,
            conversation_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
            question TEXT,
            answer TEXT NOT NULL,
            model TEXT NOT NULL,
            asked_at TEXT NOT NULL,
            answered_at TEXT NOT NULL,
            broken_off TEXT
        );
        CREATE INDEX turns_by_conversation ON turns (conversation_id);
        CREATE TABLE turn_files (
            turn_id INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
            position INTEGER NOT NULL,
            path TEXT NOT NULL,
            kind TEXT NOT NULL,
            media_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            encoding TEXT,
            text TEXT,
            data BLOB,
            PRIMARY KEY (turn_id, position)
        );
        CREATE TABLE unsent (
            id INTEGER PRIMARY KEY,
            conversation_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
            question TEXT NOT NULL,
            answer TEXT NOT NULL,
            mark TEXT NOT NULL
        );
        """,
    ),
)


class ConversationIndex:
    """Knows conversations wherever they are kept.

    Raises (each method):
        StateError: the file is damaged, newer than this program, or can't be written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> Sequence[Conversation]:
        """Every conversation, the one that was last spoken in first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM conversations"  # noqa: S608  # our own words
                " ORDER BY updated_at DESC, rowid DESC"
            )
            return [_conversation(row) for row in rows]

    def add(self, conversation: Conversation) -> None:
        """Know a conversation in which nothing was said yet."""
        with self._database.writing() as connection:
            remember(connection, conversation, further=0)


def remember(
    connection: sqlite3.Connection, conversation: Conversation, *, further: int
) -> Conversation:
    """Note that `further` messages were added to a conversation just now."""
    changed = replace(
        conversation, updated_at=datetime.now(UTC), messages=conversation.messages + further
    )
    connection.execute(
        f"INSERT INTO conversations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (id) DO UPDATE SET assistant = excluded.assistant,"
        " title = CASE WHEN title = '' THEN excluded.title ELSE title END,"
        " updated_at = excluded.updated_at, messages = messages + ?",
        (
            changed.id,
            changed.assistant,
            changed.title,
            changed.kept,
            changed.profile,
            changed.scope,
            changed.created_at.isoformat(),
            changed.updated_at.isoformat(),
            changed.messages,
            further,
        ),
    )
    return changed


def _conversation(row: tuple[str, str, str, str, str, str, str, str, int]) -> Conversation:
    ident, assistant, title, kept, profile, scope, created_at, updated_at, messages = row
    return Conversation(
        id=ident,
        assistant=assistant,
        title=title,
        kept="openai" if kept == "openai" else "local",
        profile=profile,
        scope=scope,
        created_at=datetime.fromisoformat(created_at),
        updated_at=datetime.fromisoformat(updated_at),
        messages=messages,
    )
