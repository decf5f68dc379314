"""Knowledge on trial: a vector store of its own, which is gone when the trial is over.

Nothing of the assistant changes meanwhile. Its files are attached to the other store as well, and
new ones are uploaded once: if the change is made, they are attached to the assistant by the ids
that they have then. Should this process be killed, the server deletes the store within a day.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from gptasst.api.types import Attachment
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_directory import file_attributes
from gptasst.assistants.project_knowledge import KnowledgeWriter
from gptasst.assistants.project_notes import digest_of
from gptasst.assistants.project_search import fitting
from gptasst.assistants.types import Assistant, Resolved, RunTarget
from gptasst.assistants.upload_removal import UploadRemover
from gptasst.definitions.types import Definition
from gptasst.errors import GptasstError
from gptasst.knowledge.types import KnowledgeFile, KnowledgePlan
from gptasst.threads import more_time
from gptasst.uploads.types import OnTransfer

_DAYS = 1
_LAST_SECONDS = 10.0


class Unannounced:
    """Announces nothing: nobody else knows of the vector store. See `Announcements`."""

    def may_go_on(self) -> bool:
        return True

    def announce(self, contents: Iterable[tuple[str, str]], *, whole: bool) -> None:
        """Do nothing: a trial is not announced."""

    def leaving(self, file_ids: Iterable[str]) -> None:
        """Do nothing: no upload is deleted."""

    def latest(self) -> tuple[bool, str]:
        return True, ""


def _staying(assistant: Assistant | None, plan: KnowledgePlan) -> tuple[KnowledgeFile, ...]:
    """The files that stay if a plan is carried out."""
    if assistant is None:
        return ()
    gone = {file.id for file in plan.remove} | {change.old.id for change in plan.replace}
    return tuple(file for file in assistant.knowledge if file.id not in gone)


class Trials:
    """Tries changes of the assistants of one project.

    Args:
        stores: the project.
        writer: uploads and attaches.
        remover: deletes what was uploaded for a change that is not made.
    """

    def __init__(
        self, stores: VectorStoreGateway, writer: KnowledgeWriter, remover: UploadRemover
    ) -> None:
        self._stores = stores
        self._writer = writer
        self._remover = remover

    @contextlib.contextmanager
    def resolved(
        self,
        assistant: Assistant | None,
        definition: Definition,
        plan: KnowledgePlan,
        report: OnTransfer,
    ) -> Iterator[Resolved]:
        """An assistant as it would be after a change, until the context ends.

        Args:
            assistant: as it was read; `None`: a new one.
            definition: what it would be.
            plan: what would become of its knowledge.
            report: called with the progress.
        """
        if plan.is_empty:
            known = (assistant.id, assistant.knowledge) if assistant else ("", ())
            yield _resolved(known[0], definition, known[1])
            return
        name = f"{definition.name} (test)"
        store = self._stores.create(name, {"gptasst_test": definition.name}, days=_DAYS)
        fresh: list[str] = []
        try:
            knowledge = self._fill(store.id, assistant, plan, report, fresh)
            yield _resolved(store.id, definition, knowledge)
        except BaseException:  # what was uploaded for it is of no use any more
            self._delete(store.id)
            with more_time(_LAST_SECONDS):
                self._remover.remove(fresh)
            raise
        self._delete(store.id)

    def _fill(
        self,
        store_id: str,
        assistant: Assistant | None,
        plan: KnowledgePlan,
        report: OnTransfer,
        fresh: list[str],
    ) -> Sequence[KnowledgeFile]:
        """Attach what the knowledge would be; `fresh` gets the ids of what was uploaded for it."""
        stay = [file for file in _staying(assistant, plan) if file.status == "completed"]
        for file in stay:
            attributes = file_attributes(file, file.sent_sha256 or file.sha256)
            self._stores.attach(store_id, Attachment(file.id, attributes))
        added = KnowledgePlan(add=plan.wanted, unchanged=tuple(stay))
        applied = self._writer.apply(store_id, added, report, Unannounced())
        fresh += applied.fresh
        return applied.knowledge

    def _delete(self, store_id: str) -> None:
        with more_time(_LAST_SECONDS), contextlib.suppress(GptasstError):
            self._stores.delete(store_id)


def _resolved(store_id: str, definition: Definition, files: Sequence[KnowledgeFile]) -> Resolved:
    """A definition on the files of a vector store."""
    search, digest, paths = definition.tools.search, digest_of(files), None
    if search.filters and digest:
        paths = fitting(search.filters, (file.path for file in files))
    return Resolved(definition, RunTarget(store_id, digest, store_id, search, paths))
