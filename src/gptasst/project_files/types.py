"""The values of files on a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from gptasst.api.types import UploadRequest
from gptasst.inputs.reading import Refusal
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """Files to upload, and the ids of contents (sha256) that are on the server.

    `left_out` are files from a directory or pattern that look secret.
    """

    requests: tuple[UploadRequest, ...]
    known: Mapping[str, str]
    left_out: tuple[Refusal, ...] = ()

    @property
    def missing(self) -> tuple[UploadRequest, ...]:
        """The files to send, each content once."""
        missing = {r.sha256: r for r in reversed(self.requests) if r.sha256 not in self.known}
        return tuple(reversed(missing.values()))


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A local file on the server. `new`: it was sent now or, without an id, would be."""

    path: str
    id: str | None
    filename: str
    size: int
    sha256: str
    purpose: str
    new: bool


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """The result of an upload: the files on the server, and those that failed.

    `left_out` is as in `UploadPlan`.
    """

    files: tuple[UploadedFile, ...]
    failed: tuple[Refusal, ...] = ()
    left_out: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file on the server, with local information.

    `sha256` is `None` if the content is unknown. `paths` are local files with the same content,
    `used_by` the assistants and other vector stores that use it.
    """

    id: str
    filename: str
    size: int
    purpose: str
    created_at: datetime
    expires_at: datetime | None
    sha256: str | None
    paths: tuple[str, ...]
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Deletable `files` on the server, and ids in the cache that the server no longer has."""

    files: tuple[Prunable, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prunable:
    """A deletable upload of gptasst: nothing uses it, or another has the same content."""

    file: FileEntry
    reason: Literal["unused", "duplicate"]
