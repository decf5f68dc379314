"""Files that a server has not indexed yet: reported, and attached again once they are old.

A file of a vector store is known to stay `in_progress` for ever (openai-python 3097).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from gptasst.api.types import Attachment, VectorStoreFile
from gptasst.api.vector_stores import VectorStoreGateway
from gptasst.assistants.project_directory import now
from gptasst.errors import NotFound
from gptasst.inputs.types import Refusal
from gptasst.knowledge.types import KnowledgeFile

INDEXING = "in_progress"


def settle(
    stores: VectorStoreGateway, store_id: str, files: Iterable[KnowledgeFile], old: timedelta
) -> list[Refusal]:
    """Look again at files that were being indexed. None of them is waited for.

    Args:
        stores: the project's.
        store_id: the vector store that they are in.
        files: any of its files; those that are indexed cost no request.
        old: a file that was attached longer ago is attached again.

    Returns those that can't be searched yet, each with the reason.
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
