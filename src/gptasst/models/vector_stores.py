"""Vector stores on a server, as the API has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

IndexStatus = Literal["in_progress", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class VectorStore:
    """A vector store. `files` counts all, `in_progress` and `completed` where they have got to.

    `usage_bytes` is what its index takes.
    """

    id: str
    name: str
    metadata: Mapping[str, str]
    created_at: datetime
    files: int
    in_progress: int
    completed: int
    usage_bytes: int


@dataclass(frozen=True, slots=True)
class VectorStoreFile:
    """A file in a vector store. `error` says why it could not be indexed."""

    id: str
    status: IndexStatus
    attributes: Mapping[str, str | float | bool]
    created_at: datetime
    error: str | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A piece of a file that a search of a vector store found."""

    filename: str
    attributes: Mapping[str, str | float | bool]
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is to be put into a vector store, with its attributes."""

    file_id: str
    attributes: Mapping[str, str | float | bool]
