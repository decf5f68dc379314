"""The last step of a change of knowledge: what is new is in, so what is old is detached.

The API has no transaction, so others may change the same vector store meanwhile. Additions and
removals of different files don't disturb each other. Of two that replace the whole knowledge one
is taken back: the one whose files were attached first, or which finds that files are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from gptasst.api.types import Attachment, UploadRequest, VectorStoreFile
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_directory import file_attributes
from gptasst.errors import GptasstError
from gptasst.inputs.types import Refusal
from gptasst.knowledge.types import KnowledgePlan
from gptasst.uploads.types import KnowledgeSource

_There: TypeAlias = Mapping[str, VectorStoreFile]
# A list may be behind what was attached just now; seconds before it is read again.
_PAUSES = (0.25, 0.5)


class KnowledgeJob:
    """The files of one plan on their way into one vector store, by path.

    Args:
        store_id: the vector store.
        sources: what is to get there, and how each is uploaded.
        there: the ids of the files that were in it before.
    """

    def __init__(
        self,
        store_id: str,
        sources: Mapping[UploadRequest, KnowledgeSource],
        there: frozenset[str] | set[str],
    ) -> None:
        self.store_id = store_id
        self.there = frozenset(there)
        self.sources = sources
        self.ids: dict[str, str] = {}
        self.fresh: set[str] = set()  # uploaded just now, not known from before
        self.reasons: dict[str, str] = {}
        self.unsupported: set[str] = set()
        self.slow: set[str] = set()
        self.slow_before = 0  # of the files that were in it
        self._requests = {source.path: request for request, source in sources.items()}

    def request(self, path: str) -> UploadRequest:
        return self._requests[path]

    def source(self, path: str) -> KnowledgeSource:
        return self.sources[self._requests[path]]

    def attachments(self) -> dict[str, Attachment]:
        """What is to be attached: all that was uploaded and has not failed."""
        return {
            path: Attachment(file_id, file_attributes(self.source(path), self.request(path).sha256))
            for path, file_id in self.ids.items()
            if path not in self.reasons
        }

    def failures(self) -> list[Refusal]:
        return [Refusal(path, reason) for path, reason in sorted(self.reasons.items())]


class ChangedMeanwhile(GptasstError):
    """Somebody else changed the knowledge; what was attached for this change is detached again."""


class KnowledgeCommit:
    """Detaches what a plan leaves behind.

    Args:
        stores: the project.
        plan: what was wanted.
        job: what was attached for it.
        pause: waits so many seconds.
        may_go_on: whether the vector store is still to be changed; asked at the last moment.
    """

    def __init__(
        self,
        stores: VectorStoreGateway,
        plan: KnowledgePlan,
        job: KnowledgeJob,
        pause: Callable[[float], None],
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._stores = stores
        self._plan = plan
        self._job = job
        self._pause = pause
        self._may_go_on = may_go_on

    def run(self) -> tuple[Sequence[VectorStoreFile], frozenset[str]]:
        """What the vector store holds then, and the ids of what was detached.

        Raises:
            ChangedMeanwhile: see there.
        """
        if not self._may_go_on():
            self._undo(())
        before = self._there()
        leaving = self._leaving()
        if self._plan.whole:
            leaving |= self._of_others(before, leaving)
        else:
            leaving |= self._rivals(before, leaving)
        leaving &= before.keys()
        for file_id in leaving:
            self._stores.detach(self._job.store_id, file_id)
        after = self._there() if leaving else before
        if self._plan.whole and self._missing(after):
            self._undo([before[file_id] for file_id in leaving])
        # The server may list for a while what was detached.
        return [file for file in after.values() if file.id not in leaving], frozenset(leaving)

    def _there(self) -> _There:
        return {file.id: file for file in self._stores.files(self._job.store_id)}

    def _leaving(self) -> set[str]:
        job, plan = self._job, self._plan
        old = {r.old.id for r in plan.replace if r.source.path not in job.reasons}
        return (old | {file.id for file in plan.remove}) - set(job.ids.values())

    def _wanted(self) -> set[str]:
        """What must be there: what was attached, and what the plan leaves as it is."""
        job, plan = self._job, self._plan
        failed = {r.old.id for r in plan.replace if r.source.path in job.reasons}
        return self._attached() | failed | {file.id for file in plan.unchanged}

    def _attached(self) -> set[str]:
        job = self._job
        return {i for path, i in job.ids.items() if path not in job.reasons or path in job.slow}

    def _of_others(self, there: _There, leaving: set[str]) -> set[str]:
        """What others attached since the plan was made and has to go as well.

        Raises:
            ChangedMeanwhile: they did so later than this job, or something is missing.
        """
        wanted = self._wanted()
        for pause in _PAUSES:
            if not wanted - there.keys():
                break
            self._pause(pause)
            there = self._there()
        others = [
            file
            for file in there.values()
            if "sha256" in file.attributes and file.id not in wanted | leaving
        ]
        own = [there[i] for i in self._attached() - self._job.there if i in there]
        if wanted - there.keys() or (others and (not own or _latest(others) > _latest(own))):
            self._undo(())
        return {file.id for file in others}

    def _rivals(self, there: _There, leaving: set[str]) -> set[str]:
        """Of several files under a path that was written now, all but the newest."""
        gone = set()
        for path, file_id in self._job.ids.items():
            same = [
                file
                for file in there.values()
                if file.attributes.get("path") == path and file.id not in leaving
            ]
            if file_id not in there or path in self._job.reasons or len(same) < 2:
                continue
            newest = max(same, key=_age)
            if newest.id != file_id:
                self._job.reasons[path] = "somebody else replaced it at the same time"
            gone |= {file.id for file in same} - {newest.id}
        return gone

    def _missing(self, there: _There) -> set[str]:
        return self._wanted() - there.keys()

    def _undo(self, detached: Iterable[VectorStoreFile]) -> None:
        """Put back what was detached, and take away what was attached.

        Raises:
            ChangedMeanwhile: always.
        """
        store_id = self._job.store_id
        for file in detached:
            self._stores.attach(store_id, Attachment(file.id, file.attributes))
        for file_id in self._attached() - self._job.there:
            self._stores.detach(store_id, file_id)
        raise ChangedMeanwhile("the knowledge was changed by somebody else in between")


def _age(file: VectorStoreFile) -> tuple[object, str]:
    return file.created_at, file.id


def _latest(files: Iterable[VectorStoreFile]) -> tuple[object, str]:
    return max(map(_age, files))
