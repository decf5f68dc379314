"""Uploads as the cache keeps them, and as rows of its tables."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gptasst.api.types import UploadRequest

# What is there for longer than any time that can be asked for (30 days) was to stay: OGX 1.5 gives
# every file a year.
LASTING = timedelta(days=31)


class Origin(enum.IntEnum):
    """Who sent an upload whose content is known: this machine, or another one of gptasst's."""

    HERE = 1
    ELSEWHERE = 2


@dataclass(frozen=True, slots=True)
class CachedUpload:
    """A file on the server whose content is known. `size` is in bytes.

    `sha256` may be no more than a mark, see `upload_marks`. `origin` is
    `ELSEWHERE` also where only the content is proven, and nothing that gptasst sent it.
    """

    file_id: str
    sha256: str
    purpose: str
    filename: str
    size: int
    uploaded_at: datetime
    expires_at: datetime | None = None
    origin: Origin = Origin.HERE


@dataclass(frozen=True, slots=True)
class BegunUpload:
    """An upload that was begun and never heard of again: its process was killed."""

    sha256: str
    purpose: str
    filename: str
    size: int
    begun_at: datetime


def begun_key(upload: UploadRequest | CachedUpload | BegunUpload) -> tuple[str, str, str]:
    """What tells uploads of one project apart that were begun."""
    return upload.sha256, upload.purpose, upload.filename


def upload_row(upload: CachedUpload) -> tuple[object, ...]:
    """The columns of an upload behind its scope."""
    expires = upload.expires_at
    return (
        upload.file_id,
        upload.sha256,
        upload.purpose,
        upload.filename,
        upload.size,
        upload.uploaded_at.timestamp(),
        None if expires is None else expires.timestamp(),
        int(upload.origin),
    )


def upload_of(row: Iterable[Any]) -> CachedUpload:
    """The upload that such columns hold."""
    file_id, sha256, purpose, filename, size, uploaded_at, expires_at, own = row
    return CachedUpload(
        file_id=file_id,
        sha256=sha256,
        purpose=purpose,
        filename=filename,
        size=size,
        uploaded_at=datetime.fromtimestamp(uploaded_at, UTC),
        expires_at=None if expires_at is None else datetime.fromtimestamp(expires_at, UTC),
        origin=Origin(own),
    )
