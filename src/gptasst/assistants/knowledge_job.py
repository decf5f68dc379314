"""Where each file of a plan is on its way into a vector store."""

from __future__ import annotations

from collections.abc import Mapping

from gptasst.api.types import Attachment, UploadRequest
from gptasst.assistants.project_metadata import file_attributes, now
from gptasst.inputs.types import Refusal
from gptasst.knowledge.types import KnowledgeFile
from gptasst.uploads.types import KnowledgeSource


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
        self._requests = {source.path: request for request, source in sources.items()}

    def request(self, path: str) -> UploadRequest:
        return self._requests[path]

    def source(self, path: str) -> KnowledgeSource:
        return self.sources[self._requests[path]]

    def attachments(self) -> dict[str, Attachment]:
        """What is to be attached: all that was uploaded and has not failed."""
        return {
            path: Attachment(file_id, file_attributes(self.source(path)))
            for path, file_id in self.ids.items()
            if path not in self.reasons
        }

    def failures(self) -> list[Refusal]:
        return [Refusal(path, reason) for path, reason in sorted(self.reasons.items())]

    def knowledge(self) -> list[KnowledgeFile]:
        """What got in, as it is known without asking the server again."""
        moment = now()
        return [
            KnowledgeFile(file_id, path, self.source(path).size, self.source(path).sha256, moment)
            for path, file_id in self.ids.items()
        ]
