"""Knowledge that a server lists but can't search: the upload is deleted, or not indexed yet.

Files of a vector store are known to stay `in_progress` forever (openai-python 3097).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from gptasst.api.files import FileGateway
from gptasst.api.types import Attachment, VectorStoreFile
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_directory import now
from gptasst.assistants.types import Assistant
from gptasst.errors import NotFound, ServiceError
from gptasst.inputs.reading import Refusal
from gptasst.knowledge.types import KnowledgeFile
from gptasst.threads import mapped

_JOBS = 8
# Check up to this many files one by one; for more, read the list of files.
_FEW = 24
GONE = "gone"


def without_lost(files: FileGateway, assistants: Sequence[Assistant]) -> Sequence[Assistant]:
    """Assistants, with the status `gone` for each file that the server no longer has."""
    ids = {file.id for one in assistants for file in one.knowledge if file.sha256}
    lost = _lost(files, ids)
    return [_marked(one, lost) for one in assistants] if lost else assistants


def _lost(files: FileGateway, ids: Collection[str]) -> set[str]:
    try:
        if len(ids) > _FEW:  # a file may be missing in the list and still exist
            ids = set(ids).difference(file.id for file in files.list())
        ordered = sorted(ids)
        there = mapped(lambda file_id: _is_there(files, file_id), ordered, _JOBS)
    except ServiceError as error:
        if error.code == "no_endpoint":
            return set()
        raise
    return {file_id for file_id, found in zip(ordered, there, strict=True) if not found}


def _is_there(files: FileGateway, file_id: str) -> bool:
    try:
        files.get(file_id)
    except NotFound:
        return False
    return True


def _marked(assistant: Assistant, lost: set[str]) -> Assistant:
    problem = "its upload was deleted on the server"
    knowledge = tuple(
        replace(file, status=GONE, problem=problem) if file.id in lost else file
        for file in assistant.knowledge
    )
    paths = {file.path for file in knowledge if file.status == GONE}
    if not paths:
        return assistant
    gone = tuple(sorted({*assistant.gone, *paths}))
    return replace(assistant, knowledge=knowledge, complete=False, gone=gone)


INDEXING = "in_progress"


def settle(
    stores: VectorStoreGateway, store_id: str, files: Iterable[KnowledgeFile], old: timedelta
) -> list[Refusal]:
    """Check files that were being indexed, without waiting.

    Args:
        stores: the project's.
        store_id: their vector store.
        files: any of its files; indexed ones take no request.
        old: a file that was attached longer ago is attached again.

    Returns the files that can't be searched yet, each with the reason.
    """
    left = []
    for file in files:
        if file.status != INDEXING:
            continue
        try:
            found = stores.file(store_id, file.id)
            if found.status == INDEXING and file.sha256 and now() - file.added_at > old:
                found = _attach_anew(stores, store_id, file)
        except NotFound:
            continue
        if found.status == INDEXING:
            since = f"{file.added_at:%Y-%m-%d %H:%M} UTC"
            left.append(Refusal(file.path, f"not indexed by the server yet, since {since}"))
        elif found.status != "completed":
            left.append(Refusal(file.path, found.error or f"indexing was {found.status}"))
    return left


def _attach_anew(stores: VectorStoreGateway, store_id: str, file: KnowledgeFile) -> VectorStoreFile:
    attributes: dict[str, str | float | bool] = {
        "path": file.path,
        "sha256": file.sha256,
        "size": file.size,
    }
    stores.detach(store_id, file.id)
    stores.attach(store_id, Attachment(file.id, attributes))
    return stores.file(store_id, file.id)
