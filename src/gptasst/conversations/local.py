"""Conversations in a local SQLite file, complete with their files."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gptasst.api.types import PastMessage
from gptasst.conversations.types import Conversation, Message, Turn
from gptasst.errors import NotFound
from gptasst.inputs.reading import InputFile
from gptasst.storage.database import Database, Schema


class LocalConversations:
    """The `ConversationKeeper` of this machine.

    Args:
        database: the file of conversations.
        profile: the name of the profile.
    """

    def __init__(self, database: Database, profile: str) -> None:
        self._database = database
        self._profile = profile

    def start(self, assistant: str, title: str) -> Conversation:
        now = datetime.now(UTC)
        ident = f"conv_{secrets.token_hex(12)}"
        return Conversation(ident, assistant, title, "local", self._profile, "", now, now)

    def branch(self, conversation: Conversation) -> Conversation:
        return conversation

    def past(self, conversation: Conversation, *, again: bool) -> Sequence[Turn]:
        turns = self._turns(conversation)
        return turns[:-1] if again else turns

    def _turns(self, conversation: Conversation) -> Sequence[Turn]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, question, answer, model, asked_at, answered_at, broken_off"
                " FROM turns WHERE conversation_id = ? ORDER BY id",
                (conversation.id,),
            ).fetchall()
            if not rows and not _is_known(connection, conversation.id):
                raise NotFound(
                    f"conversation `{conversation.id}` was deleted by somebody else in the meantime"
                )
            return [_read(connection, row) for row in rows]

    def record(
        self,
        conversation: Conversation,
        turn: Turn,
        sent: Sequence[PastMessage],  # noqa: ARG002  # rebuilt from the turn each time
        *,
        again: bool,
    ) -> Conversation:
        with self._database.writing() as connection:
            if again:
                connection.execute(
                    "DELETE FROM turns WHERE id ="
                    " (SELECT MAX(id) FROM turns WHERE conversation_id = ?)",
                    (conversation.id,),
                )
            changed = remember(connection, conversation, further=0 if again else 2)
            _insert(connection, conversation.id, turn)
        return changed

    def restore(self, conversation: Conversation) -> None:
        """Do nothing: nothing was removed yet."""

    def last_question(self, conversation: Conversation) -> Turn | None:
        turns = self._turns(conversation)
        return turns[-1] if turns else None

    def messages(self, conversation: Conversation) -> Iterator[Message]:
        for turn in self._turns(conversation):
            files = tuple(file.path for file in turn.files)
            yield Message("user", turn.question or "", files, at=turn.asked_at)
            yield Message(
                "assistant",
                turn.answer,
                model=turn.model,
                at=turn.answered_at,
                broken_off=turn.broken_off,
            )

    def delete(self, conversation: Conversation) -> bool:
        with self._database.writing() as connection:
            connection.execute("DELETE FROM conversations WHERE id = ?", (conversation.id,))
        return True


def _is_known(connection: sqlite3.Connection, ident: str) -> bool:
    rows = connection.execute("SELECT 1 FROM conversations WHERE id = ?", (ident,))
    return rows.fetchone() is not None


def _insert(connection: sqlite3.Connection, conversation_id: str, turn: Turn) -> None:
    turn_id = connection.execute(
        "INSERT INTO turns (conversation_id, question, answer, model, asked_at, answered_at,"
        " broken_off) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            conversation_id,
            turn.question,
            turn.answer,
            turn.model,
            turn.asked_at.isoformat(),
            turn.answered_at.isoformat(),
            turn.broken_off,
        ),
    ).lastrowid
    connection.executemany(
        "INSERT INTO turn_files (turn_id, position, path, kind, media_type, size, encoding, text,"
        " data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (turn_id, position, f.path, f.kind, f.media_type, f.size, f.encoding, f.text, f.data)
            for position, f in enumerate(turn.files)
        ],
    )


def _read(
    connection: sqlite3.Connection, row: tuple[int, str | None, str, str, str, str, str | None]
) -> Turn:
    turn_id, question, answer, model, asked_at, answered_at, broken_off = row
    files = connection.execute(
        "SELECT path, kind, media_type, size, text, encoding, data FROM turn_files"
        " WHERE turn_id = ? ORDER BY position",
        (turn_id,),
    )
    return Turn(
        question=question,
        files=tuple(InputFile(*file) for file in files),
        answer=answer,
        model=model,
        asked_at=datetime.fromisoformat(asked_at),
        answered_at=datetime.fromisoformat(answered_at),
        broken_off=broken_off,
    )


_COLUMNS = "id, assistant, title, kept, profile, scope, created_at, updated_at, messages"

CONVERSATIONS = Schema(
    title="the file of conversations",
    advice="if it is damaged, move it away: conversations on a server are found by their ids",
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
    """The index of conversations, wherever they are stored.

    Raises (each method):
        StateError: the file is damaged, newer than this program, or can't be written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> Sequence[Conversation]:
        """Every conversation, the most recently used first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM conversations"  # noqa: S608  # our own words
                " ORDER BY updated_at DESC, rowid DESC"
            )
            return [_conversation(row) for row in rows]

    def add(self, conversation: Conversation) -> None:
        """Add an empty conversation."""
        with self._database.writing() as connection:
            remember(connection, conversation, further=0)


def remember(
    connection: sqlite3.Connection, conversation: Conversation, *, further: int
) -> Conversation:
    """Record that `further` messages were just added to a conversation."""
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
