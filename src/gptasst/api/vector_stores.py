"""Vector stores and their files on the server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gptasst.api.connection import Connection, Missing, api_path, missing, read_json
from gptasst.api.files import moment
from gptasst.api.requests import path_filter
from gptasst.api.types import Attachment, SearchHit, VectorStore, VectorStoreFile
from gptasst.errors import NotFound

PAGE = 100  # objects of a list at once, at most
_BATCH = 2_000  # files in one file batch
_MOST_FOUND = 50  # of a search, says the API
# The metadata key by which a store is found again whose create was answered to nobody.
_REQUEST = "request"


class VectorStoreGateway:
    """The vector stores of the project that the key belongs to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, name: str, metadata: Mapping[str, str]) -> VectorStore:
        """Make an empty vector store, once."""
        nonce = secrets.token_hex(16)
        marked = {**metadata, _REQUEST: nonce}

        def send() -> VectorStore:
            stores = self._connection.once.vector_stores.with_raw_response
            return _store(read_json(stores.create(name=name, metadata=marked).http_response))

        def find() -> VectorStore | None:
            made = (store for store in self.list() if store.metadata.get(_REQUEST) == nonce)
            return next(made, None)

        return self._connection.create_once(send, find)

    @property
    def server(self) -> str:
        """The server's name, for messages."""
        return self._connection.endpoint.name

    def list(self) -> Iterator[VectorStore]:
        """Every vector store, newest first."""
        return self._connection.listed("/vector_stores", _store, {"limit": PAGE})

    def get(self, store_id: str) -> VectorStore:
        """One vector store.

        Raises:
            NotFound: there is none of that id.
        """
        with self._connection.errors(_named(store_id)):
            return _store(self._connection.get(api_path("vector_stores", store_id)))

    def update(
        self, store_id: str, *, name: str | None = None, metadata: Mapping[str, str]
    ) -> VectorStore:
        """Change name and metadata. Send the metadata whole: servers merge it, or replace it."""
        with self._connection.errors(_named(store_id)):
            stores = self._connection.client.vector_stores.with_raw_response
            renamed: dict[str, Any] = {"name": name} if name else {}
            updated = stores.update(store_id, metadata=dict(metadata), **renamed)
            return _store(read_json(updated.http_response))

    def delete(self, store_id: str) -> None:
        """Delete a vector store, not its files; one that is gone already is fine."""
        try:
            with self._connection.errors(_named(store_id)):
                self._connection.client.vector_stores.delete(store_id)
        except NotFound:
            return

    def files(self, store_id: str) -> Iterator[VectorStoreFile]:
        """Every file of a vector store, newest first."""
        path = api_path("vector_stores", store_id, "files")
        return self._connection.listed(path, self._file, {"limit": PAGE}, _named(store_id))

    def files_if_there(self, store_id: str) -> Sequence[VectorStoreFile]:
        """Every file of a vector store of a list; none, if it was deleted since that was read."""
        try:
            return tuple(self.files(store_id))
        except NotFound:
            return ()

    def search(
        self,
        store_id: str,
        question: str,
        limit: int,
        *,
        score_threshold: float | None = None,
        paths: Sequence[str] | None = None,
    ) -> Sequence[SearchHit]:
        """The pieces of files that fit a question, best first; at most `limit`, 50 of them.

        Args:
            store_id: the vector store.
            question: in words.
            limit: of the answer.
            score_threshold: what a piece has to reach, 0 to 1.
            paths: only files of these are searched.
        """
        more: dict[str, Any] = {}
        if score_threshold is not None:
            more["ranking_options"] = {"score_threshold": score_threshold}
        if paths is not None:
            more["filters"] = path_filter(paths)
        with self._connection.errors(_named(store_id)):
            path = api_path("vector_stores", store_id, "search")
            asked = {"query": question, "max_num_results": min(limit, _MOST_FOUND), **more}
            return [_hit(found) for found in self._connection.post(path, asked)["data"]]

    def file(self, store_id: str, file_id: str) -> VectorStoreFile:
        """One file of a vector store.

        Raises:
            NotFound: it is not in there.
        """
        with self._connection.errors(_named(store_id).within(f"file `{file_id}` in")):
            path = api_path("vector_stores", store_id, "files", file_id)
            return self._file(self._connection.get(path))

    def attach(self, store_id: str, attachment: Attachment) -> VectorStoreFile:
        """Put one file into a vector store. Doing it again changes nothing but attributes.

        Raises:
            NotFound: the server knows the file or the store not, or not yet.
        """
        with self._connection.errors(_named(store_id).within(f"file `{attachment.file_id}` or")):
            files = self._connection.client.vector_stores.files.with_raw_response
            attached = files.create(
                store_id, file_id=attachment.file_id, attributes=dict(attachment.attributes)
            )
            return self._file(read_json(attached.http_response))

    def attach_all(self, store_id: str, attachments: Sequence[Attachment]) -> None:
        """Put many files into a vector store at once.

        A file that is in there already stays in once, so a lost answer does no harm. Servers
        may pass over the attributes, or the files: look at `files` afterwards.

        Raises:
            NotFound: the server knows one of the files not, or not yet.
        """
        with self._connection.errors(_named(store_id).within("such files or")):
            for start in range(0, len(attachments), _BATCH):
                part = attachments[start : start + _BATCH]
                self._connection.client.vector_stores.file_batches.create(
                    store_id,
                    files=[{"file_id": a.file_id, "attributes": dict(a.attributes)} for a in part],
                )

    def detach(self, store_id: str, file_id: str) -> bool:
        """Take a file out of a vector store; it stays a file.

        Returns whether it was in there, as far as the server tells.
        """
        try:
            with self._connection.errors(missing("file", file_id)):
                files = self._connection.client.vector_stores.files
                files.delete(file_id, vector_store_id=store_id)
        except NotFound:
            return False
        return True

    def _file(self, file: Any) -> VectorStoreFile:
        error = file.last_error
        return VectorStoreFile(
            id=file["id"],
            status=file.status,
            attributes=dict(file.attributes or {}),
            created_at=moment(file.created_at),
            error=self._connection.masked(error.message) if error else None,
            error_code=error.code if error else None,
        )


def _named(store_id: str) -> Missing:
    return missing("vector store", store_id)


def _hit(found: Any) -> SearchHit:
    return SearchHit(
        filename=found.filename,
        attributes=dict(found.attributes or {}),
        score=found.score,
        text="\n".join(content["text"] for content in found["content"]),
    )


def _store(store: Any) -> VectorStore:
    counts = store.file_counts  # servers leave it out
    return VectorStore(
        id=store["id"],
        name=store.name or "",
        metadata={key: str(value) for key, value in (store.metadata or {}).items()},
        created_at=moment(store.created_at),
        files=counts.total if counts else 0,
        in_progress=counts.in_progress if counts else 0,
        completed=counts.completed if counts else 0,
        usage_bytes=store.usage_bytes or 0,
        active_at=float(store.last_active_at or 0),
    )
