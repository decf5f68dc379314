"""Assistants in an SQLite file of this machine, their knowledge searched by FTS5."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gptasst.assistants.local_database import ASSISTANTS
from gptasst.assistants.store import deleted_meanwhile, edit_conflict, name_taken, no_assistant
from gptasst.assistants.types import (
    Assistant,
    AssistantSummary,
    KnowledgeOutcome,
    Revision,
    RunTarget,
)
from gptasst.definitions.toml import dump_definition, parse_definition
from gptasst.errors import InvalidInput, NotFound
from gptasst.storage.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from gptasst.definitions.types import Definition
    from gptasst.knowledge.question import Question
    from gptasst.knowledge.search import Meant
    from gptasst.knowledge.types import FoundPassage, KnowledgeFile, KnowledgePlan, Passage
    from gptasst.knowledge.vectors import Embedder
    from gptasst.uploads.types import KnowledgeSource, OnTransfer

    Prepared = tuple[KnowledgeSource, Sequence[Passage]]

_EMBEDDED_INPUT = 1000  # characters of an input without a task
_SUMMARIES = (
    "SELECT a.id, a.name, a.updated_at, r.definition,"
    " (SELECT COUNT(*) FROM knowledge k WHERE k.assistant_id = a.id),"
    " (SELECT COALESCE(SUM(size), 0) FROM knowledge k WHERE k.assistant_id = a.id)"
    " FROM assistants a JOIN revisions r ON r.assistant_id = a.id AND r.number = a.revision"
)


class LocalStore:
    """The `AssistantStore` of this machine. The file is made by the first write.

    Args:
        path: the SQLite file. Any number of processes may use it at once.
        embedder: makes vectors of the knowledge; without it only words are searched.

    Raises (each method):
        StateError: the file is damaged, newer than this program, or can't be written.
    """

    def __init__(self, path: Path, embedder: Embedder | None = None) -> None:
        self._database = Database(path, ASSISTANTS)
        self._embedder = embedder
        self._passages: dict[tuple[str, str], Sequence[Passage]] = {}
        self._notes: dict[tuple[str, str], tuple[str, ...]] = {}

    def close(self) -> None:
        self._database.close()

    def create(
        self, definition: Definition, plan: KnowledgePlan, report: OnTransfer
    ) -> KnowledgeOutcome:
        import secrets

        prepared = self._prepare(plan, report)
        assistant_id = f"asst_{secrets.token_hex(12)}"
        now = _now()
        with self._database.writing() as connection:
            _refuse_taken(connection, definition.name, assistant_id)
            connection.execute(
                "INSERT INTO assistants (id, name, revision, created_at, updated_at)"
                " VALUES (?, ?, 1, ?, ?)",
                (assistant_id, definition.name, now, now),
            )
            _insert_revision(connection, assistant_id, 1, definition, now)
            _insert_files(connection, assistant_id, prepared, now)
            made = _read(connection, assistant_id)
        self._embed(assistant_id, report)
        return KnowledgeOutcome(made, plan, notes=self._told(plan))

    def list(self) -> Sequence[AssistantSummary]:
        with self._database.reading() as connection:
            rows = connection.execute(
                f"{_SUMMARIES} ORDER BY a.name COLLATE NOCASE, a.name"
            ).fetchall()
        return [_summary(row) for row in rows]

    def summary(self, name: str) -> AssistantSummary:
        with self._database.reading() as connection:
            assistant_id = _find(connection, name)
            return _summary(
                connection.execute(f"{_SUMMARIES} WHERE a.id = ?", (assistant_id,)).fetchone()
            )

    def get(self, name: str) -> Assistant:
        with self._database.reading() as connection:
            return _read(connection, _find(connection, name))

    def open(self, name: str) -> RunTarget:
        from gptasst.knowledge.types import knowledge_sha256

        with self._database.reading() as connection:
            found = _read(connection, _find(connection, name))
        return RunTarget(
            id=found.id,
            definition=found.definition,
            revision=found.revision,
            knowledge_sha256=knowledge_sha256(found.knowledge),
        )

    def update(self, assistant: Assistant, definition: Definition) -> Assistant:
        with self._database.writing() as connection:
            _revise(connection, assistant, definition, _now())
            return _read(connection, assistant.id)

    def delete(self, assistant: AssistantSummary, *, keep_files: bool) -> Sequence[str]:
        from gptasst.knowledge.index import drop_index
        from gptasst.knowledge.vectors import forget_vectors

        del keep_files  # only the text of files is kept here
        with self._database.writing() as connection:
            drop_index(connection, assistant.id)
            connection.execute("DELETE FROM assistants WHERE id = ?", (assistant.id,))
            forget_vectors(connection)
        return ()

    def content(self, file: KnowledgeFile) -> bytes:
        raise NotFound(
            f"the local store keeps the text of `{file.path}` only, and no file of this disk has"
            " the content that it was made from",
            code="gone",
        )

    def problem(self, source: KnowledgeSource) -> str | None:
        from gptasst.uploads.searchable import is_unicode, not_unicode

        if not is_unicode(source.path):
            return not_unicode(source.path)
        if source.size == 0:
            return f"`{source.path}` is empty"
        try:
            self._passages_of(source)
        except InvalidInput as error:
            return error.message
        return None

    def apply(
        self,
        assistant: Assistant,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
        *,
        keep_files: bool = False,
    ) -> KnowledgeOutcome:
        del keep_files  # only the text of files is kept here
        revised = definition != assistant.definition
        if plan.is_empty and not revised:
            self._embed(assistant.id, report)
            return KnowledgeOutcome(assistant, plan)
        prepared = self._prepare(plan, report)
        now = _now()
        with self._database.writing() as connection:
            _current_revision(connection, assistant)
            if revised:
                _revise(connection, assistant, definition, now)
            _insert_files(connection, assistant.id, prepared, now)
            _delete_files(connection, assistant.id, [file.id for file in plan.remove])
            if plan.whole:
                _leave_only(connection, assistant, plan)
            connection.execute(
                "UPDATE assistants SET updated_at = ? WHERE id = ?", (now, assistant.id)
            )
            changed = _read(connection, assistant.id)
        self._embed(assistant.id, report)
        return KnowledgeOutcome(changed, plan, notes=self._told(plan))

    def _embed(self, assistant_id: str, report: OnTransfer) -> None:
        if self._embedder is not None:
            from gptasst.knowledge.embedding import embed_missing

            embed_missing(self._database, self._embedder, assistant_id, report)

    def _prepare(self, plan: KnowledgePlan, report: OnTransfer) -> Sequence[Prepared]:
        from gptasst.uploads.types import TransferState

        prepared = []
        for number, source in enumerate(plan.wanted, start=1):
            prepared.append((source, self._passages_of(source)))
            report(TransferState("indexing", number, len(plan.wanted)))
        self._passages.clear()
        return prepared

    def _passages_of(self, source: KnowledgeSource) -> Sequence[Passage]:
        """A file's passages, kept from when it is checked until it is taken in."""
        from gptasst.knowledge.formats import read_document
        from gptasst.knowledge.passages import split

        key = (source.path, source.sha256)  # the ending tells how a content is read
        if key not in self._passages:
            try:
                content = source.file.read_bytes()
            except OSError as error:
                raise InvalidInput(f"`{source.path}` can't be read: {error.strerror}") from None
            document = read_document(content, source.path)
            self._passages[key] = split(document)
            self._notes[key] = document.notes
        return self._passages[key]

    def _told(self, plan: KnowledgePlan) -> tuple[str, ...]:
        """What of a plan's files could not be read."""
        found = (
            (source.path, self._notes.get((source.path, source.sha256), ()))
            for source in plan.wanted
        )
        return tuple(f"`{path}`: {note}" for path, notes in found for note in notes)

    def history(self, assistant: Assistant) -> Sequence[Revision]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT number, definition, created_at FROM revisions WHERE assistant_id = ?"
                " ORDER BY number",
                (assistant.id,),
            ).fetchall()
            current = _current_revision(connection, assistant)
        return [
            Revision(number, _parse(text), _moment(created_at), number == current)
            for number, text, created_at in rows
        ]

    def search(self, target: RunTarget, question: Question, limit: int) -> Sequence[FoundPassage]:
        from gptasst.knowledge.index import is_current, make_current
        from gptasst.knowledge.search import found_passages

        with self._database.reading() as connection:
            current = is_current(connection, target.id)
        if not current:
            with self._database.writing() as connection:
                make_current(connection, target.id)
        meant = self._meant(target.id, question)
        with self._database.reading() as connection:
            return found_passages(connection, target.id, question, limit, meant)

    def _meant(self, assistant_id: str, question: Question) -> Meant | None:
        """What a question means, where the knowledge has vectors to compare it with."""
        from gptasst.knowledge.search import Meant
        from gptasst.knowledge.vectors import has_vectors

        text = question.task or " ".join(question.inputs)[:_EMBEDDED_INPUT]
        if self._embedder is None or not text.strip():
            return None
        model = self._embedder.model
        with self._database.reading() as connection:
            if not has_vectors(connection, assistant_id, model):
                return None
        return Meant(model, self._embedder.embed([text])[0])


def _revise(
    connection: sqlite3.Connection, assistant: Assistant, definition: Definition, now: str
) -> None:
    """Make a definition the next revision of an assistant as it was read."""
    _refuse_taken(connection, definition.name, assistant.id)
    revision = _current_revision(connection, assistant)
    if revision != assistant.revision:
        raise edit_conflict(assistant.name)
    _insert_revision(connection, assistant.id, revision + 1, definition, now)
    connection.execute(
        "UPDATE assistants SET name = ?, revision = ?, updated_at = ? WHERE id = ?",
        (definition.name, revision + 1, now, assistant.id),
    )


def _insert_revision(
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


def _insert_files(
    connection: sqlite3.Connection,
    assistant_id: str,
    prepared: Sequence[Prepared],
    now: str,
) -> None:
    import secrets

    from gptasst.knowledge.index import insert_passages

    known = connection.execute(
        "SELECT path, id FROM knowledge WHERE assistant_id = ?", (assistant_id,)
    )
    replaced: dict[str, str] = dict(known.fetchall())
    old = (replaced.get(file.path) for file, _ in prepared)
    _delete_files(connection, assistant_id, [file_id for file_id in old if file_id])
    ids = [f"file_{secrets.token_hex(12)}" for _ in prepared]
    connection.executemany(
        "INSERT INTO knowledge (id, assistant_id, path, size, sha256, added_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (file_id, assistant_id, file.path, file.size, file.sha256, now)
            for file_id, (file, _) in zip(ids, prepared, strict=True)
        ],
    )
    if prepared:
        passages = ((file.path, passages) for file, passages in prepared)
        insert_passages(
            connection,
            assistant_id,
            ((file_id, *each) for file_id, each in zip(ids, passages, strict=True)),
        )


def _delete_files(
    connection: sqlite3.Connection, assistant_id: str, file_ids: Sequence[str]
) -> None:
    from gptasst.knowledge.index import remove_passages

    if file_ids:
        remove_passages(connection, assistant_id, file_ids)
        connection.executemany(
            "DELETE FROM knowledge WHERE id = ?", [(file_id,) for file_id in file_ids]
        )


def _leave_only(connection: sqlite3.Connection, assistant: Assistant, plan: KnowledgePlan) -> None:
    """Delete what others added since the plan was made.

    Raises:
        UsageError: they took something away that is to stay.
    """
    query = "SELECT id, path FROM knowledge WHERE assistant_id = ?"
    there = dict(connection.execute(query, (assistant.id,)).fetchall())
    kept = {file.id for file in plan.unchanged}
    if kept - there.keys():
        raise edit_conflict(assistant.name)
    wanted = {source.path for source in plan.wanted}
    others = [i for i, path in there.items() if i not in kept and path not in wanted]
    _delete_files(connection, assistant.id, others)


def _refuse_taken(connection: sqlite3.Connection, name: str, own_id: str) -> None:
    row = connection.execute("SELECT id FROM assistants WHERE name = ?", (name,)).fetchone()
    if row is not None and row[0] != own_id:
        raise name_taken(name)


def _current_revision(connection: sqlite3.Connection, assistant: Assistant) -> int:
    row = connection.execute(
        "SELECT revision FROM assistants WHERE id = ?", (assistant.id,)
    ).fetchone()
    if row is None:
        raise deleted_meanwhile(assistant.name)
    return int(row[0])


def _find(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute(
        "SELECT id FROM assistants WHERE name = :name OR id = :name ORDER BY name = :name DESC",
        {"name": name},
    ).fetchone()
    if row is None:
        raise _not_found(connection, name)
    return str(row[0])


def _not_found(connection: sqlite3.Connection, name: str) -> NotFound:
    rows = connection.execute("SELECT name FROM assistants").fetchall()
    return no_assistant(name, [known for (known,) in rows])


def _read(connection: sqlite3.Connection, assistant_id: str) -> Assistant:
    from gptasst.knowledge.types import KnowledgeFile

    revision, created_at, updated_at, definition = connection.execute(
        "SELECT a.revision, a.created_at, a.updated_at, r.definition FROM assistants a"
        " JOIN revisions r ON r.assistant_id = a.id AND r.number = a.revision WHERE a.id = ?",
        (assistant_id,),
    ).fetchone()
    files = connection.execute(
        "SELECT id, path, size, sha256, added_at FROM knowledge WHERE assistant_id = ?"
        " ORDER BY path",
        (assistant_id,),
    )
    return Assistant(
        id=assistant_id,
        definition=_parse(definition),
        revision=revision,
        created_at=_moment(created_at),
        updated_at=_moment(updated_at),
        knowledge=tuple(
            KnowledgeFile(file_id, path, size, sha256, _moment(added_at))
            for file_id, path, size, sha256, added_at in files
        ),
    )


def _summary(row: tuple[str, str, str, str, int, int]) -> AssistantSummary:
    assistant_id, name, updated_at, text, files, size = row
    definition = _parse(text)
    return AssistantSummary(
        id=assistant_id,
        name=name,
        model=definition.model,
        instruction=definition.instruction,
        files=files,
        size=size,
        updated_at=_moment(updated_at),
    )


def _parse(text: str) -> Definition:
    return parse_definition(text, source="assistant", schema_checked=True)  # when it was kept


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
