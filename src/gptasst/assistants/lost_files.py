"""Knowledge whose upload was deleted: some servers list it in the vector store for ever."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from gptasst.api.files import FileGateway
from gptasst.assistants.types import Assistant
from gptasst.errors import NotFound, ServiceError
from gptasst.threads import workers

_JOBS = 8
# Up to so many files are asked for one by one; for more, the list of files is read once.
_FEW = 24
GONE = "gone"


def without_lost(files: FileGateway, assistants: Sequence[Assistant]) -> Sequence[Assistant]:
    """Assistants with the status `gone` for each file that the server has no longer."""
    ids = {file.id for one in assistants for file in one.knowledge if file.sha256}
    lost = _lost(files, ids)
    return [_marked(one, lost) for one in assistants] if lost else assistants


def _lost(files: FileGateway, ids: Collection[str]) -> set[str]:
    try:
        if len(ids) > _FEW:  # what is not in the list yet may be there
            ids = set(ids).difference(file.id for file in files.list())
        if not ids:
            return set()
        with workers(min(_JOBS, len(ids))) as pool:
            ordered = sorted(ids)
            there = list(pool.map(lambda file_id: _is_there(files, file_id), ordered))
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
