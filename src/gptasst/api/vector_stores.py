"""Vector stores and their files on the server."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gptasst.api.connection import Connection, Missing, api_path, missing, read_json
from gptasst.api.events import Event
from gptasst.api.failures import words_in
from gptasst.api.files import FileGateway, moment_or_start
from gptasst.api.requests import path_filter
from gptasst.api.response_items import objects, score_of, text_in, text_metadata
from gptasst.api.types import Attachment, SearchHit, VectorStore, VectorStoreFile
from gptasst.config.urls import is_openai_or_azure
from gptasst.errors import NotFound, ServiceError
from gptasst.threads import mapped

PAGE = 100  # objects per page, the API's limit
_BATCH = 2_000  # files per file batch
_MOST_FOUND = 50  # results per search, the API's limit
# The metadata key that finds a store again when the response to its create request was lost.
_REQUEST = "request"
# OGX 1.5 keeps the ids of a vector store's files apart from the files. While a file is detached,
# and for ever if two machines detach it, attach it or change the metadata at the same instant, an
# id is without its file: the list of files is refused (400), and so is everything about that one.
_LOST_ENTRY = re.compile(
    r"'vector_store_id'\], 'msg': 'Field required'|list\.remove\(x\): x not in list"
)
_PAUSES = (0.25, 0.5)  # seconds before the list is read again
_JOBS = 8


class VectorStoreGateway:
    """The vector stores of the project that the key belongs to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, name: str, metadata: Mapping[str, str], *, days: int | None = None
    ) -> VectorStore:
        """Create an empty vector store exactly once; after so many unused days it is gone."""
        import secrets

        expires: dict[str, Any] = {}
        if days is not None:
            expires = {"expires_after": {"anchor": "last_active_at", "days": days}}
        nonce = secrets.token_hex(16)
        marked = {**metadata, _REQUEST: nonce}

        def send() -> VectorStore:
            stores = self._connection.once.vector_stores.with_raw_response
            return _store(
                read_json(stores.create(name=name, metadata=marked, **expires).http_response)
            )

        def find() -> VectorStore | None:
            made = (store for store in self.list() if store.metadata.get(_REQUEST) == nonce)
            return next(made, None)

        return self._connection.create_once(send, find)

    @property
    def server(self) -> str:
        """The server's name, for messages."""
        return self._connection.endpoint.name

    @property
    def may_find_by_content(self) -> bool:
        """Whether files of equal content may share their passages, as on OGX."""
        return not is_openai_or_azure(self._connection.endpoint.base_url)

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
        """Change name and metadata. Pass all metadata: some servers merge it, others replace it."""
        with self._connection.errors(_named(store_id)):
            stores = self._connection.client.vector_stores.with_raw_response
            renamed: dict[str, Any] = {"name": name} if name else {}
            updated = stores.update(store_id, metadata=dict(metadata), **renamed)
            return _store(read_json(updated.http_response))

    def delete(self, store_id: str) -> None:
        """Delete a vector store, but not its files. One that is already gone is ignored."""
        try:
            with self._connection.errors(_named(store_id)):
                self._connection.client.vector_stores.delete(store_id)
        except NotFound:
            return

    def files(self, store_id: str) -> Iterator[VectorStoreFile]:
        """Every file of a vector store, newest first.

        If an entry is lost on OGX, the files are read one by one.
        """
        path = api_path("vector_stores", store_id, "files")
        seen: set[str] = set()
        for pause in (*_PAUSES, None):
            listed = self._connection.listed(path, self._file, {"limit": PAGE}, _named(store_id))
            try:
                for file in listed:
                    if file.id not in seen:
                        seen.add(file.id)
                        yield file
            except ServiceError as error:
                if not _has_lost_entry(error):
                    raise
            else:
                return
            if pause:
                self._connection.pause(pause)
        yield from (file for file in self._one_by_one(store_id) if file.id not in seen)

    def _one_by_one(self, store_id: str) -> Sequence[VectorStoreFile]:
        def look(file_id: str) -> VectorStoreFile | None:
            with contextlib.suppress(NotFound):
                return self.file(store_id, file_id)
            return None

        self.get(store_id)  # else each file would be missing because the vector store is
        uploads = [file.id for file in FileGateway(self._connection).list()]
        found = [file for file in mapped(look, uploads, _JOBS) if file is not None]
        return sorted(found, key=lambda file: file.created_at, reverse=True)

    def files_if_there(self, store_id: str) -> Sequence[VectorStoreFile]:
        """Every file of a listed vector store; none if it was deleted since then."""
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
        """The passages that match a question, best first; at most `limit`, up to 50.

        Args:
            store_id: the vector store.
            question: the search text.
            limit: the most results.
            score_threshold: the lowest score, 0 to 1.
            paths: search only the files at these paths.
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
            NotFound: the vector store does not contain it.
        """
        with self._errors(_named(store_id).within(f"file `{file_id}` in")):
            path = api_path("vector_stores", store_id, "files", file_id)
            return self._file(self._connection.get(path))

    def attach(self, store_id: str, attachment: Attachment) -> VectorStoreFile:
        """Attach one file to a vector store. Repeating it only updates the attributes.

        Raises:
            NotFound: the server does not know the file or the store (yet).
        """
        with self._errors(_named(store_id).within(f"file `{attachment.file_id}` or")):
            files = self._connection.client.vector_stores.files.with_raw_response
            attached = files.create(
                store_id, file_id=attachment.file_id, attributes=dict(attachment.attributes)
            )
            return self._file(read_json(attached.http_response))

    def attach_all(self, store_id: str, attachments: Sequence[Attachment]) -> None:
        """Attach many files to a vector store at once.

        A file that is already attached stays attached once, so a lost response is harmless. Servers
        may ignore the attributes, or the files: check `files` afterwards.

        Raises:
            NotFound: the server does not know one of the files (yet).
        """
        with self._connection.errors(_named(store_id).within("such files or")):
            for start in range(0, len(attachments), _BATCH):
                part = attachments[start : start + _BATCH]
                self._connection.client.vector_stores.file_batches.create(
                    store_id,
                    files=[{"file_id": a.file_id, "attributes": dict(a.attributes)} for a in part],
                )

    def detach(self, store_id: str, file_id: str) -> bool:
        """Detach a file from a vector store. The file itself stays.

        Returns whether it was attached, as far as the server reports.
        """
        try:
            with self._errors(missing("file", file_id)):
                files = self._connection.client.vector_stores.files
                files.delete(file_id, vector_store_id=store_id)
        except NotFound:
            return False
        return True

    @contextlib.contextmanager
    def _errors(self, named: Missing) -> Iterator[None]:
        """Translate errors; a file whose entry is lost counts as missing."""
        try:
            with self._connection.errors(named):
                yield
        except ServiceError as error:
            if not _has_lost_entry(error):
                raise
            raise NotFound(f"{self.server} has no {named.text}", code="gone") from error

    def _file(self, file: Any) -> VectorStoreFile:
        error = file.last_error if isinstance(file.last_error, Event) else None
        return VectorStoreFile(
            id=file["id"],
            status=file.status,
            attributes=dict(file.attributes) if isinstance(file.attributes, dict) else {},
            created_at=moment_or_start(file.created_at),
            error=self._connection.masked(words_in(error) or "no reason given") if error else None,
            error_code=text_in(error.code) if error else None,
        )


def _has_lost_entry(error: ServiceError) -> bool:
    return error.code == "bad_request" and bool(_LOST_ENTRY.search(error.message))


def _named(store_id: str) -> Missing:
    return missing("vector store", store_id)


def _hit(found: Any) -> SearchHit:
    parts = objects(found.content)
    return SearchHit(
        filename=text_in(found.filename),
        attributes=dict(found.attributes) if isinstance(found.attributes, dict) else {},
        score=score_of(found.score),
        text="\n".join(text_in(part.text) for part in parts),
    )


def _store(store: Any) -> VectorStore:
    counts = store.file_counts if isinstance(store.file_counts, Event) else Event()
    return VectorStore(
        id=store["id"],
        name=text_in(store.name),
        metadata=text_metadata(store.metadata),
        created_at=moment_or_start(store.created_at),
        files=counts.total or 0,
        in_progress=counts.in_progress or 0,
        completed=counts.completed or 0,
        usage_bytes=store.usage_bytes if isinstance(store.usage_bytes, int) else 0,
        active_at=moment_or_start(store.last_active_at).timestamp(),
    )
