"""The last step of a change of knowledge: new files are attached, so old ones are detached.

The API has no transactions, so others may change the same vector store at the same time. Before
anything is detached, a change is announced in the store's metadata: the digest of the future
knowledge and, if it replaces the whole knowledge, a token. Of several replacements, the one
announced last succeeds; the others notice it and undo their steps. Additions and removals of
different files don't affect each other.
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
# A list may lag behind an attachment; seconds before it is read again.
_PAUSES = (0.25, 0.5)
_ROUNDS = 5  # readings of knowledge that others keep changing
_UNDOABLE = 1_000  # steps, each of which is compared with the metadata


class Announcements(Protocol):
    """Announces a change to other machines, and to this one after a kill."""

    def may_go_on(self) -> bool:
        """Whether the change may continue; called before anything is detached."""
        ...

    def announce(self, contents: _Contents, *, whole: bool) -> None:
        """Write the future knowledge, as pairs of path and sha256, to the store's metadata."""
        ...

    def leaving(self, file_ids: Iterable[str]) -> None:
        """Remember the ids of files about to be detached, whose uploads will be deleted."""
        ...

    def latest(self) -> tuple[bool, str]:
        """Whether nobody else has announced a replacement since, and the digest in the metadata."""
        ...


class KnowledgeJob:
    """The files of a plan that are being added to a vector store, by path.

    Args:
        store_id: the vector store.
        sources: the files to add, and how each is uploaded.
        there: the ids of the files that it contained before.
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
        self.fresh: set[str] = set()  # uploaded by this job, not found in the cache
        self.reasons: dict[str, str] = {}
        self.unsupported: set[str] = set()
        self.slow: set[str] = set()
        self.slow_before = 0  # files that it contained before
        self.whole = False  # the plan is the whole knowledge
        self._requests = {source.path: request for request, source in sources.items()}

    def request(self, path: str) -> UploadRequest:
        return self._requests[path]

    def source(self, path: str) -> KnowledgeSource:
        return self.sources[self._requests[path]]

    def attachments(self) -> dict[str, Attachment]:
        """The files to attach: all that were uploaded and did not fail."""
        return {path: self.attachment(path) for path in self.ids if path not in self.reasons}

    def attachment(self, path: str) -> Attachment:
        attributes = file_attributes(self.source(path), self.request(path).sha256)
        return Attachment(self.ids[path], attributes)

    def take_over(self, other: KnowledgeJob) -> None:
        """Continue with the results of another job, for files that failed in this one."""
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
    """Somebody else changed the knowledge, and this change was undone.

    `fresh` are the files that were uploaded for it, `unused` these and the detached ones, which
    may no longer be needed.
    """

    def __init__(self, fresh: Iterable[str], detached: Iterable[str] = ()) -> None:
        super().__init__("somebody else changed the knowledge in the meantime")
        self.fresh = frozenset(fresh)
        self.unused = self.fresh.union(detached)


@dataclass(frozen=True, slots=True)
class _Step:
    """A step that may have to be undone."""

    attached: bool  # else detached
    file: Attachment


class KnowledgeCommit:
    """Detaches the files that a plan removes.

    Args:
        stores: the project.
        plan: the plan.
        job: the files attached for it.
        pause: waits for a number of seconds.
        told: announces it to others.
        upload_again: uploads a path's content again and returns its id; `None` if the content
            is not available.
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
        self._gone: set[str] = set()  # files detached by this change or just before it
        self._steps: list[_Step] = []

    def run(self) -> tuple[Sequence[VectorStoreFile], frozenset[str]]:
        """Run it; return the files in the vector store, and the ids of the detached ones.

        Raises:
            ChangedMeanwhile: see there.
        """
        if not self._told.may_go_on():
            self._take_back()
        there = self._replace_all() if self._is_whole() else self._change()
        there = self._with_passages(there)
        # The server may list detached files for a while.
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
        """The required files: the attached ones, and those that the plan keeps."""
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
        """Attach files again that somebody else detached.

        The other command is about to delete the upload, so it is sent again if possible.
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
        """Give way to somebody who announced a replacement since.

        Raises:
            ChangedMeanwhile: somebody did.
        """
        is_mine, digest = self._told.latest()
        if not is_mine:
            self._undo_to(there, digest)

    def _undo_to(self, there: _There, digest: str) -> NoReturn:
        """Undo the last steps until the knowledge matches the metadata.

        A command that is still running checks again, and needs nothing undone.

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
        """Files that somebody added, since the plan was made, at paths to be removed."""
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
        """The files that existed when the plan was made."""
        plan = self._plan
        seen = (*plan.unchanged, *plan.remove, *(change.old for change in plan.replace))
        return {file.id for file in seen if file.sha256 and file.status != GONE}

    def _rivals(self, there: _There) -> set[str]:
        """All but the newest of several files at a path that was just written."""
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

    def _with_passages(self, there: _There) -> _There:
        """Attach files again whose content is that of a detached one.

        OGX identifies passages by their content, so that all files of that content lost theirs. It
        hides those of detached files rather than removing them. Each time that another is detached
        it removes one, which is why this is done several times.
        """
        if not self._stores.may_find_by_content:
            return there
        gone = [_sent(step.file) for step in self._steps if not step.attached]
        left = [file for file in there.values() if file.id not in self._gone and _sent(file)]
        lost = [(file, gone.count(_sent(file))) for file in left if _sent(file) in gone]
        for number in range(1 + max((hidden for _, hidden in lost), default=-1)):
            for file, hidden in lost:
                if number <= hidden:
                    self._stores.detach(self._job.store_id, file.id)
                    self._stores.attach(self._job.store_id, Attachment(file.id, file.attributes))
        return self._there() if lost else there

    def _take_back(self) -> NoReturn:
        """Detach what was attached, unless the metadata says that it belongs there.

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
    """The parts of a knowledge digest: path and sha256."""
    return str(file.attributes["path"]), str(file.attributes["sha256"])


def _sent(file: VectorStoreFile | Attachment) -> object:
    """The sha256 of what was uploaded; `None` where gptasst did not attach it."""
    return file.attributes.get("sent_sha256") or file.attributes.get("sha256")


def _age(file: VectorStoreFile) -> tuple[object, str]:
    return file.created_at, file.id
