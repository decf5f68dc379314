"""Assistants in a local SQLite file, with FTS5 search over their knowledge."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.assistants.local_rows import (
    ASSISTANTS,
    SUMMARIES,
    current_revision,
    delete_files,
    find_id,
    insert_files,
    insert_revision,
    leave_only,
    moment,
    now_text,
    parse_stored,
    propose,
    read_assistant,
    refuse_taken,
    revise,
    set_source,
    summary_of_row,
)
from gptasst.assistants.store import Trial
from gptasst.assistants.types import (
    Assistant,
    AssistantSummary,
    KnowledgeOutcome,
    Resolved,
    Revision,
    RunTarget,
)
from gptasst.errors import GptasstError, InvalidInput, NotFound, StateError
from gptasst.storage.database import Database

if TYPE_CHECKING:
    from gptasst.definitions.types import Definition
    from gptasst.knowledge.passages import PassageSpool
    from gptasst.knowledge.question import Question
    from gptasst.knowledge.search import Meant
    from gptasst.knowledge.types import FoundPassage, KnowledgeFile, KnowledgePlan, Passage
    from gptasst.knowledge.vectors import Embedder
    from gptasst.uploads.types import KnowledgeSource, OnTransfer

    _Key = tuple[str, str, str | None]

_BEFORE_FILTERS = 5000  # passages that are searched for ones from matching files
_EMBEDDED_INPUT = 1000  # characters used of an input without a task
_EMBEDDED_TASK = 4000  # of a task


class LocalStore:
    """The local `AssistantStore`. The first write creates its file.

    Args:
        path: the SQLite file. Any number of processes may use it at once.
        embedder: embeds the knowledge; without it, search uses words only.
        note: called once for knowledge that the embedder has not embedded yet, when it is searched,
            and if it can't embed a question.

    Raises (each method):
        StateError: the file is damaged, newer than this program, or can't be written.
    """

    _trial = False  # whether it is a copy that is thrown away

    def __init__(
        self,
        path: Path,
        embedder: Embedder | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = Database(path, ASSISTANTS)
        self._directory = path.parent
        self._embedder = embedder
        self._note = functools.cache(note)
        self._notes: dict[_Key, tuple[str, ...]] = {}

    def close(self) -> None:
        if "_passages" in vars(self):
            self._passages.clear()
        self._database.close()

    def create(
        self, definition: Definition, plan: KnowledgePlan, report: OnTransfer, *, source: str = ""
    ) -> KnowledgeOutcome:
        import secrets

        self._prepare(plan, report)
        assistant_id = f"asst_{secrets.token_hex(12)}"
        now = now_text()
        with self._database.writing() as connection:
            refuse_taken(connection, definition.name, assistant_id)
            connection.execute(
                "INSERT INTO assistants (id, name, revision, created_at, updated_at, source)"
                " VALUES (?, ?, 1, ?, ?, ?)",
                (assistant_id, definition.name, now, now, source),
            )
            insert_revision(connection, assistant_id, 1, definition, now)
            insert_files(connection, assistant_id, plan.wanted, self._passages_of, now)
            made = read_assistant(connection, assistant_id)
        self._passages.clear()
        self._embed(assistant_id, report)
        return KnowledgeOutcome(made, plan, plan.unread, notes=self._told(plan))

    def list(self, *, whole_list: bool = False) -> Sequence[AssistantSummary]:  # noqa: ARG002
        with self._database.reading() as connection:
            rows = connection.execute(
                f"{SUMMARIES} ORDER BY a.name COLLATE NOCASE, a.name"
            ).fetchall()
        return [summary_of_row(row) for row in rows]

    def summary(self, name: str) -> AssistantSummary:
        with self._database.reading() as connection:
            assistant_id = find_id(connection, name)
            return summary_of_row(
                connection.execute(f"{SUMMARIES} WHERE a.id = ?", (assistant_id,)).fetchone()
            )

    def get(self, name: str, *, revision: int | None = None) -> Assistant:
        with self._database.reading() as connection:
            return read_assistant(connection, find_id(connection, name), revision)

    def open(
        self,
        name: str,
        *,
        briefly: bool = False,  # noqa: ARG002
        revision: int | None = None,
    ) -> Resolved:
        from gptasst.knowledge.types import knowledge_sha256

        with self._database.reading() as connection:
            found = read_assistant(connection, find_id(connection, name), revision)
        search = found.definition.tools.search
        target = RunTarget(found.id, knowledge_sha256(found.knowledge), search=search)
        return Resolved(found.definition, target)

    def update(
        self, assistant: Assistant, definition: Definition, *, source: str | None = None
    ) -> Assistant:
        with self._database.writing() as connection:
            revise(connection, assistant, definition, now_text())
            set_source(connection, assistant.id, source)
            return read_assistant(connection, assistant.id)

    def propose(self, assistant: Assistant, definition: Definition) -> int:
        with self._database.writing() as connection:
            return propose(connection, assistant, definition, now_text())

    @contextlib.contextmanager
    def trial(
        self,
        assistant: Assistant | None,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
    ) -> Iterator[Trial]:
        from gptasst.knowledge.types import knowledge_sha256

        search = definition.tools.search
        if plan.is_empty:
            known = (assistant.id, assistant.knowledge) if assistant else ("", ())
            target = RunTarget(known[0], knowledge_sha256(known[1]), search=search)
            yield Trial(Resolved(definition, target), self)
            return
        from gptasst.storage.scratch import scratch_directory

        # The change is made in a copy of the file, and the copy is searched.
        with scratch_directory(self._directory, "trial-") as directory:
            path = directory / "assistants.sqlite3"
            with (
                self._database.reading() as connection,
                contextlib.closing(sqlite3.connect(path)) as file,
            ):
                connection.backup(file)
            with contextlib.closing(LocalStore(path, self._embedder, self._note)) as copy:
                copy._trial = True  # noqa: SLF001  # of the same class
                if assistant is None:
                    changed = copy.create(definition, plan, report).assistant
                else:
                    changed = copy.apply(assistant, definition, plan, report).assistant
                digest = knowledge_sha256(changed.knowledge)
                target = RunTarget(changed.id, digest, search=search)
                yield Trial(Resolved(definition, target), copy)

    def finish_rename(self, name: str | None, new: str) -> Assistant | None:
        del name, new
        return None  # creating is a single step here

    def delete(self, assistant: AssistantSummary, *, keep_files: bool) -> Sequence[str]:
        from gptasst.knowledge.index import drop_index
        from gptasst.knowledge.vectors import forget_vectors

        del keep_files  # only the text of files is stored
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
        from gptasst.knowledge.formats import reason_of
        from gptasst.uploads.types import is_unicode, not_unicode

        if not is_unicode(source.path):
            return not_unicode(source.path)
        if source.size == 0:
            return f"`{source.path}` is empty"
        try:
            self._read(source)
        except InvalidInput as error:
            return reason_of(error)
        return None

    def apply(
        self,
        assistant: Assistant,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
        *,
        keep_files: bool = False,
        source: str | None = None,
    ) -> KnowledgeOutcome:
        del keep_files  # only the text of files is stored
        revised = definition != assistant.definition or source not in (None, assistant.source)
        if plan.is_empty and not revised:
            self._embed(assistant.id, report)
            return KnowledgeOutcome(assistant, plan, plan.unread)
        self._prepare(plan, report)
        now = now_text()
        with self._database.writing() as connection:
            current_revision(connection, assistant)
            if revised:
                revise(connection, assistant, definition, now)
                set_source(connection, assistant.id, source)
            insert_files(connection, assistant.id, plan.wanted, self._passages_of, now)
            delete_files(connection, assistant.id, [file.id for file in plan.remove])
            if plan.whole:
                leave_only(connection, assistant, plan)
            connection.execute(
                "UPDATE assistants SET updated_at = ? WHERE id = ?", (now, assistant.id)
            )
            changed = read_assistant(connection, assistant.id)
        self._passages.clear()
        self._embed(assistant.id, report)
        return KnowledgeOutcome(changed, plan, plan.unread, notes=self._told(plan))

    def _embed(self, assistant_id: str, report: OnTransfer) -> None:
        """Embed new passages.

        Raises:
            GptasstError: the model can't be used; everything else is done.
        """
        if self._embedder is None:
            return
        from gptasst.knowledge.vectors import embed_missing, tries_again

        try:
            embed_missing(self._database, self._embedder, assistant_id, report)
        except GptasstError as error:
            if not self._trial:
                with self._database.reading() as connection:
                    name = read_assistant(connection, assistant_id).name
                error.advice = tries_again(name, error)
            raise

    @functools.cached_property
    def _passages(self) -> PassageSpool:
        from gptasst.knowledge.passages import PassageSpool

        return PassageSpool(self._directory)

    def _prepare(self, plan: KnowledgePlan, report: OnTransfer) -> None:
        """Read the files to add, before the store is locked for writing."""
        from gptasst.uploads.types import TransferState

        for number, source in enumerate(plan.wanted, start=1):
            self._read(source)
            report(TransferState("indexing", number, len(plan.wanted)))

    def _passages_of(self, source: KnowledgeSource) -> Sequence[Passage]:
        self._read(source)
        return self._passages.get(_key(source))

    def _read(self, source: KnowledgeSource) -> None:
        """Read a file's passages; they are kept from its check until it is added."""
        from gptasst.knowledge.formats import read_document_file
        from gptasst.knowledge.passages import split

        key = _key(source)
        if key in self._passages:
            return
        document = read_document_file(source.file, source.path, source.encoding)
        self._notes[key] = document.notes
        try:
            self._passages.put(key, split(document))
        except OSError as error:
            raise StateError(
                f"nothing can be written in `{self._directory}`: {error.strerror}"
            ) from None

    def _told(self, plan: KnowledgePlan) -> tuple[str, ...]:
        """Notes on what could not be read in a plan's files."""
        found = ((source.path, self._notes.get(_key(source), ())) for source in plan.wanted)
        return tuple(f"`{path}`: {note}" for path, notes in found for note in notes)

    def checked(self, assistants: Sequence[Assistant]) -> Sequence[Assistant]:
        return assistants  # the text is nowhere else

    def finish_removal(self, assistant: Assistant) -> None:
        del assistant  # knowledge changes in a single step here

    def history(self, assistant: AssistantSummary | Assistant) -> Iterator[Revision]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT number, definition, created_at FROM revisions WHERE assistant_id = ?"
                " ORDER BY number",
                (assistant.id,),
            ).fetchall()
            current = current_revision(connection, assistant)
        return (
            Revision(number, parse_stored(text), moment(created_at), number == current)
            for number, text, created_at in rows
        )

    def search(self, target: RunTarget, question: Question, limit: int) -> Sequence[FoundPassage]:
        from gptasst.inputs.ignore import fits_patterns
        from gptasst.knowledge.index import is_current, make_current
        from gptasst.knowledge.search import found_passages

        with self._database.reading() as connection:
            current = is_current(connection, target.id)
        if not current:
            with self._database.writing() as connection:
                make_current(connection, target.id)
        meant = self._meant(target.id, question)
        limit = min(limit, target.search.max_results or limit)
        filters = target.search.filters
        with self._database.reading() as connection:
            if not filters:
                return found_passages(connection, target.id, question, limit, meant)
            found = found_passages(connection, target.id, question, _BEFORE_FILTERS, meant)
        fitting = (passage for passage in found if fits_patterns(filters, passage.path))
        return tuple(itertools.islice(fitting, limit))

    def without_vectors(self) -> Sequence[tuple[str, int]]:
        """Assistants with incomplete embeddings: names, and the number of passages without one.

        None where search uses words only. Changes nothing.
        """
        if self._embedder is None:
            return ()
        from gptasst.knowledge.vectors import count_new

        model, assistants = self._embedder.model, self.list()
        with self._database.reading() as connection:
            counts = [(one.name, count_new(connection, one.id, model)) for one in assistants]
        return [(name, count) for name, count in counts if count]

    def _meant(self, assistant_id: str, question: Question) -> Meant | None:
        """The embedding of a question, if the knowledge has embeddings."""
        from gptasst.knowledge.search import Meant
        from gptasst.knowledge.vectors import count_new, has_vectors, only_words

        text = question.task[:_EMBEDDED_TASK] or " ".join(question.inputs)[:_EMBEDDED_INPUT]
        if self._embedder is None or not text.strip():
            return None
        model = self._embedder.model
        with self._database.reading() as connection:
            if not has_vectors(connection, assistant_id, model):
                if count_new(connection, assistant_id, model):
                    self._note(only_words(read_assistant(connection, assistant_id).name, model))
                return None
        try:
            return Meant(model, self._embedder.embed([text])[0], self._embedder.only_english)
        except GptasstError as error:
            self._note(f"searched by words only, as `{model}` can't embed: {error.message}")
            return None


def _key(source: KnowledgeSource) -> _Key:
    """How a content is read: the suffix of its name, and the encoding."""
    return source.path, source.sha256, source.encoding
