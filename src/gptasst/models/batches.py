"""Batches: many runs that a server works off within a day, at half price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gptasst.models.runs import ModelAnswer

# One batch takes so many requests, in a file of so many bytes.
MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch on the server.

    `status` is the API's: validating, in_progress, finalizing, completed, failed, expired,
    cancelling or cancelled. `requests`, `completed` and `failed` count requests, as far as the
    server has read them. `errors` is why a batch failed as a whole.
    """

    id: str
    status: str
    created_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    input_file_id: str = ""
    output_file_id: str | None = None
    error_file_id: str | None = None
    requests: int = 0
    completed: int = 0
    failed: int = 0
    errors: tuple[str, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What came of one request of a batch: an answer, or the reason why there is none."""

    custom_id: str
    answer: ModelAnswer | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class BatchItem:
    """An input of a batch and where its answer goes.

    `run` is the digest of the run, which names its request in the batch; inputs of one content
    share it. `content` is the sha256 of the input, paths are relative to the working directory
    in which the batch was submitted, or absolute.
    """

    run: str
    content: str
    input: str
    output: str


@dataclass(frozen=True, slots=True)
class BatchManifest:
    """What must be known to put the answers of a batch in place, on any machine.

    `unwrap_fence` and `schema` are what is done to an answer, `basis` the digest of all that
    shapes one, see `services.run_fingerprints`. `command` is what was typed.
    """

    name: str
    model: str
    basis: str
    command: str
    unwrap_fence: bool = False
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What was submitted: the batches, and how many inputs went in them."""

    batches: tuple[Batch, ...]
    inputs: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An input of a batch that got no answer, or whose answer could not be put in its place."""

    path: str
    reason: str
    kind: Literal["failed", "expired", "cancelled", "not_written"] = "failed"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought: paths written, paths that were right already, and failures."""

    batch: Batch
    written: tuple[str, ...] = ()
    unchanged: int = 0
    failures: tuple[Unanswered, ...] = ()
    command: str = ""
