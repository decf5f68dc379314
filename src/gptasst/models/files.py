"""Files on a server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

# `assistants` is for knowledge, `user_data` for the inputs of runs, `batch` for batch requests.
Purpose = Literal["assistants", "user_data", "batch"]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the project on the server. `size` is in bytes, `expires_at=None`: never."""

    id: str
    filename: str
    size: int
    purpose: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A file on disk that is to be uploaded, as it was when it was hashed.

    `filename` is what the server calls it, `size` is in bytes, `sha256` of the content, and
    `expires_after` in seconds (3,600 to 2,592,000; `None`: the server's default).
    """

    file: Path
    filename: str
    size: int
    sha256: str
    purpose: Purpose
    media_type: str = "application/octet-stream"
    expires_after: int | None = None
