"""Uploads as the cache keeps them, and as rows of its tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gptasst.api.types import UploadRequest


HERE = "here"  # stands for this machine


@dataclass(frozen=True, slots=True)
class CachedUpload:
    """A file on the server whose content is known. `size` is in bytes.

    `sha256` may be no more than a mark, see `upload_marks`. `made_by` is `HERE`, the mark of the
    machine that uploaded it, or empty: nothing proves then that gptasst did.
    """

    file_id: str
    sha256: str
    purpose: str
    filename: str
    size: int
    uploaded_at: datetime
    expires_at: datetime | None = None
    made_by: str = HERE


@dataclass(frozen=True, slots=True)
class BegunUpload:
    """An upload that was begun and never heard of again: its process was killed."""

    sha256: str
    purpose: str
    filename: str
    size: int
    begun_at: datetime


def begun_key(
    scope: str, upload: UploadRequest | CachedUpload | BegunUpload
) -> tuple[str, str, str, str]:
    """What tells uploads apart that were begun, in a scope."""
    return scope, upload.sha256, upload.purpose, upload.filename


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
        upload.made_by,
    )


def upload_of(row: Iterable[Any]) -> CachedUpload:
    """The upload that such columns hold."""
    file_id, sha256, purpose, filename, size, uploaded_at, expires_at, made_by = row
    return CachedUpload(
        file_id=file_id,
        sha256=sha256,
        purpose=purpose,
        filename=filename,
        size=size,
        uploaded_at=datetime.fromtimestamp(uploaded_at, UTC),
        expires_at=None if expires_at is None else datetime.fromtimestamp(expires_at, UTC),
        made_by=made_by,
    )
