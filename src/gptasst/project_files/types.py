"""Files on a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from gptasst.api.types import UploadRequest
from gptasst.inputs.reading import Refusal
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """Files that are to be on the server, and the ids of the contents (sha256) that are.

    `left_out` are those that a directory or pattern yielded and that count as secret.
    """

    requests: tuple[UploadRequest, ...]
    known: Mapping[str, str]
    left_out: tuple[Refusal, ...] = ()

    @property
    def missing(self) -> tuple[UploadRequest, ...]:
        """What has to be sent, each content once."""
        missing = {r.sha256: r for r in reversed(self.requests) if r.sha256 not in self.known}
        return tuple(reversed(missing.values()))


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A local file on the server. `new`: it was sent, or (without an id) would be sent, now."""

    path: str
    id: str | None
    filename: str
    size: int
    sha256: str
    purpose: str
    new: bool


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """What came of an upload: the files on the server, and those that could not be sent.

    `left_out` is as in `UploadPlan`.
    """

    files: tuple[UploadedFile, ...]
    failed: tuple[Refusal, ...] = ()
    left_out: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file on the server and what is known of it here.

    `sha256` is `None` where the content is not known. `paths` are the files on this disk that
    have it, `used_by` the assistants and other vector stores that hold it.
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
    """What can go: `files` on the server, and ids in the cache that the server no longer has."""

    files: tuple[Prunable, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prunable:
    """A file that gptasst uploaded and that can go: nothing uses it, or another has its content."""

    file: FileEntry
    reason: Literal["unused", "duplicate"]
