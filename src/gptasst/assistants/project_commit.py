"""The last step of a change of knowledge: what is new is in, so what is old is detached.

The API has no transaction, so others may change the same vector store meanwhile. A change is
announced in the store's metadata before anything is detached: what the knowledge will be, and, of
one that replaces the whole knowledge, a token. Of several that replace it the one that was
announced last goes through; another sees that and puts back what it took from that one.
Additions and removals of different files don't disturb each other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn, Protocol, TypeAlias

from gptasst.api.types import Attachment, UploadRequest, VectorStoreFile
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_directory import file_attributes
from gptasst.assistants.unready_files import GONE
from gptasst.errors import GptasstError, NotFound
from gptasst.inputs.reading import Refusal
from gptasst.knowledge.types import KnowledgePlan, sha256_of_knowledge
from gptasst.uploads.types import KnowledgeSource
from gptasst.values import dataclass

_There: TypeAlias = dict[str, VectorStoreFile]
_Contents: TypeAlias = Iterable[tuple[str, str]]
# A list may be behind what was attached just now; seconds before it is read again.
_PAUSES = (0.25, 0.5)
_ROUNDS = 5  # of a knowledge that others keep changing
_UNDOABLE = 1_000  # steps, each of which is compared with what the metadata says


class Announcements(Protocol):
    """Records a change for other machines, and for this one after a kill."""

    def may_go_on(self) -> bool:
        """Whether the vector store is still to be changed; asked before anything is detached."""
        ...

    def announce(self, contents: _Contents, *, whole: bool) -> None:
        """Write into the store's metadata what the knowledge will be: pairs of path and sha256."""
        ...

    def leaving(self, file_ids: Iterable[str]) -> None:
        """Keep the ids of what is about to be detached, whose uploads are to be deleted then."""
        ...

    def latest(self) -> tuple[bool, str]:
        """Whether nobody else has announced a whole knowledge since, and the digest there."""
        ...


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
        self.sources = dict(sources)
        self.ids: dict[str, str] = {}
        self.fresh: set[str] = set()  # uploaded just now, not known from before
        self.reasons: dict[str, str] = {}
        self.unsupported: set[str] = set()
        self.slow: set[str] = set()
        self.slow_before = 0  # of the files that were in it
        self.whole = False  # nothing else is to be there
        self._requests = {source.path: request for request, source in sources.items()}

    def request(self, path: str) -> UploadRequest:
        return self._requests[path]

    def source(self, path: str) -> KnowledgeSource:
        return self.sources[self._requests[path]]

    def attachments(self) -> dict[str, Attachment]:
        """What is to be attached: all that was uploaded and has not failed."""
        return {path: self.attachment(path) for path in self.ids if path not in self.reasons}

    def attachment(self, path: str) -> Attachment:
        attributes = file_attributes(self.source(path), self.request(path).sha256)
        return Attachment(self.ids[path], attributes)

    def take_over(self, other: KnowledgeJob) -> None:
        """Continue with what another job put there in place of files that failed in this one."""
        for path, request in other._requests.items():
            self.sources[request] = self.sources.pop(self._requests[path])
            self._requests[path] = request
            del self.reasons[path]
        self.ids |= other.ids
        self.fresh |= other.fresh
        self.slow |= other.slow
        self.reasons |= other.reasons

    def failures(self) -> list[Refusal]:
        return [Refusal(path, reason) for path, reason in sorted(self.reasons.items())]


class ChangedMeanwhile(GptasstError):
    """Somebody else changed the knowledge, and this change was taken back.

    `fresh` are files that were uploaded for it, `unused` these and what it detached: nothing may
    need them any more.
    """

    def __init__(self, fresh: Iterable[str], detached: Iterable[str] = ()) -> None:
        super().__init__("somebody else changed the knowledge in the meantime")
        self.fresh = frozenset(fresh)
        self.unused = self.fresh.union(detached)


@dataclass(frozen=True, slots=True)
class _Step:
    """What was done to the vector store and may have to be taken back."""

    attached: bool  # else detached
    file: Attachment


class KnowledgeCommit:
    """Detaches what a plan leaves behind.

    Args:
        stores: the project.
        plan: what was wanted.
        job: what was attached for it.
        pause: waits so many seconds.
        told: where it is recorded for others.
        upload_again: gets a path's content to the server once more and gives its id; `None`
            where the content is not at hand.
    """

    def __init__(
        self,
        stores: VectorStoreGateway,
        plan: KnowledgePlan,
        job: KnowledgeJob,
        pause: Callable[[float], None],
        told: Announcements,
        upload_again: Callable[[Attachment], str | None],
    ) -> None:
        self._stores = stores
        self._plan = plan
        self._job = job
        self._pause = pause
        self._told = told
        self._upload_again = upload_again
        self._gone: set[str] = set()  # what was detached, by this change or just before it
        self._steps: list[_Step] = []

    def run(self) -> tuple[Sequence[VectorStoreFile], frozenset[str]]:
        """What the vector store holds then, and the ids of what was detached.

        Raises:
            ChangedMeanwhile: see there.
        """
        if not self._told.may_go_on():
            self._take_back()
        there = self._replace_all() if self._is_whole() else self._change()
        # The server may list for a while what was detached.
        return [file for file in there.values() if file.id not in self._gone], frozenset(self._gone)

    def _is_whole(self) -> bool:
        return self._plan.whole and not self._plan.follows

    def _there(self) -> _There:
        return {file.id: file for file in self._stores.files(self._job.store_id)}

    # The whole knowledge

    def _replace_all(self) -> _There:
        wanted = self._wanted()
        self._told.announce(map(_content, wanted.values()), whole=True)
        there = self._there()
        for pause in _PAUSES:
            if wanted.keys() <= there.keys():
                break
            self._pause(pause)
            there = self._there()
        for number in range(_ROUNDS):
            missing = [wanted[file_id] for file_id in wanted.keys() - there.keys()]
            own = (file for file in there.values() if "sha256" in file.attributes)
            others = [file for file in own if file.id not in wanted.keys() | self._gone]
            if not missing and not others:
                return there
            if missing or number:
                self._yield_to_later(there)
            self._detach(others)
            for attachment in missing:
                self._attach_again(wanted, attachment, there)
            there = self._there()
        raise ChangedMeanwhile(self._job.fresh, self._gone)

    def _wanted(self) -> dict[str, Attachment]:
        """What must be there: what was attached, and what the plan leaves as it is."""
        job, plan = self._job, self._plan
        failed = [r.old for r in plan.replace if r.source.path in job.reasons]
        kept = [file for file in (*plan.unchanged, *failed) if file.sha256]
        wanted = {
            file.id: Attachment(file.id, file_attributes(file, file.sent_sha256 or file.sha256))
            for file in kept
        }
        for path, file_id in job.ids.items():
            if path not in job.reasons or path in job.slow:
                wanted[file_id] = job.attachment(path)
        return wanted

    def _attach_again(
        self, wanted: dict[str, Attachment], attachment: Attachment, there: _There
    ) -> None:
        """Bring back what somebody detached.

        Whoever did so is about to delete the upload, so it is sent again where it is at hand.
        """
        file_id = self._upload_again(attachment)
        if file_id is not None:
            del wanted[attachment.file_id]
            attachment = replace(attachment, file_id=file_id)
            wanted[file_id] = attachment
        try:
            self._stores.attach(self._job.store_id, attachment)
        except NotFound:
            self._undo_to(there, self._told.latest()[1])
        self._gone.discard(attachment.file_id)
        self._steps.append(_Step(attached=True, file=attachment))

    def _yield_to_later(self, there: _There) -> None:
        """Leave the knowledge to somebody who announced another whole one since.

        Raises:
            ChangedMeanwhile: somebody did.
        """
        is_mine, digest = self._told.latest()
        if not is_mine:
            self._undo_to(there, digest)

    def _undo_to(self, there: _There, digest: str) -> NoReturn:
        """Take back so many of the last steps that the knowledge is what the metadata says.

        Somebody who is still at work looks again, and needs nothing taken back.

        Raises:
            ChangedMeanwhile: always.
        """
        state = {file.id: _content(file) for file in there.values() if "sha256" in file.attributes}
        undone: list[_Step] = []
        steps = self._steps[-_UNDOABLE:]
        while sha256_of_knowledge(state.values()) != digest and steps:
            step = steps.pop()
            undone.append(step)
            if step.attached:
                state.pop(step.file.file_id, None)
            else:
                state[step.file.file_id] = _content(step.file)
        if sha256_of_knowledge(state.values()) == digest:
            self._undo(undone)
        raise ChangedMeanwhile(self._job.fresh, self._gone)

    def _undo(self, steps: Iterable[_Step]) -> None:
        for step in steps:
            if step.attached:
                self._stores.detach(self._job.store_id, step.file.file_id)
                continue
            with contextlib.suppress(NotFound):
                self._stores.attach(self._job.store_id, step.file)

    # Some files of it

    def _change(self) -> _There:
        before = self._there()
        if self._plan.follows and self._seen() - before.keys():
            self._take_back()
        leaving = self._leaving() | self._rivals(before) | self._again_under_removed_paths(before)
        gone = [before[file_id] for file_id in leaving if file_id in before]
        if not gone:
            return before
        left = (file for file in before.values() if file.id not in leaving)
        own = (file for file in left if "sha256" in file.attributes)
        self._told.announce(map(_content, own), whole=False)
        self._detach(gone)
        there = self._there()
        for _ in range(_ROUNDS):
            again = self._again_under_removed_paths(there) - self._gone
            if not again:
                break
            self._detach([there[file_id] for file_id in again])
            there = self._there()
        return there

    def _again_under_removed_paths(self, there: _There) -> set[str]:
        """What somebody put in place of a file that was to be removed, since the plan was made."""
        plan = self._plan
        if plan.follows:
            return set()
        stay = {file.path for file in plan.unchanged} | self._job.ids.keys()
        removed = {file.path for file in plan.remove if file.sha256} - stay
        return {file.id for file in there.values() if file.attributes.get("path") in removed}

    def _leaving(self) -> set[str]:
        job, plan = self._job, self._plan
        old = {r.old.id for r in plan.replace if r.source.path not in job.reasons}
        return (old | {file.id for file in plan.remove}) - set(job.ids.values())

    def _seen(self) -> set[str]:
        """What was there when the plan was made."""
        plan = self._plan
        seen = (*plan.unchanged, *plan.remove, *(change.old for change in plan.replace))
        return {file.id for file in seen if file.sha256 and file.status != GONE}

    def _rivals(self, there: _There) -> set[str]:
        """Of several files under a path that was written now, all but the newest."""
        gone, leaving = set(), self._leaving()
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

    # Both

    def _detach(self, files: Iterable[VectorStoreFile]) -> None:
        leaving = list(files)
        self._told.leaving([file.id for file in leaving])
        for file in leaving:
            if self._stores.detach(self._job.store_id, file.id):
                taken = Attachment(file.id, file.attributes)
                self._steps.append(_Step(attached=False, file=taken))
            self._gone.add(file.id)

    def _take_back(self) -> NoReturn:
        """Take away what was attached, unless the metadata says that it is to be there.

        Raises:
            ChangedMeanwhile: always.
        """
        job, there = self._job, self._there()
        _, digest = self._told.latest()
        own = [file for file in there.values() if "sha256" in file.attributes]
        if sha256_of_knowledge(map(_content, own)) != digest:
            attached = set(job.ids.values()) - job.there
            for file_id in attached & there.keys():
                self._stores.detach(job.store_id, file_id)
        raise ChangedMeanwhile(job.fresh)


def _content(file: VectorStoreFile | Attachment) -> tuple[str, str]:
    """What a digest of knowledge is made of: path and sha256."""
    return str(file.attributes["path"]), str(file.attributes["sha256"])


def _age(file: VectorStoreFile) -> tuple[object, str]:
    return file.created_at, file.id
