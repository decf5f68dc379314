"""Batches: many runs that a server works off within a day, at half price."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gptasst.models.each import FileResult
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

    @property
    def all_requests(self) -> int:
        """How many requests it has, also while the server has not read them."""
        return self.requests or self.told("requests")

    def told(self, key: str) -> int:
        """A number that the metadata tell; 0 if they don't."""
        number = self.metadata.get(key, "")
        return int(number) if number.isdecimal() else 0


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

    `basis` is the digest of all that shapes an answer but the input (see
    `services.run_fingerprints`), `unwrap_fence` and `schema` are what is done to one, `purpose`
    is where it goes and `command` what was typed to ask for it.
    """

    name: str
    model: str
    basis: str
    command: str
    purpose: Literal["write", "replace"] = "write"
    unwrap_fence: bool = False
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What came of submitting files.

    `submitted` files are in the new `batches`, `waiting` ones in `earlier` batches that are not
    done yet; `results` is what came of the others. `warnings` hold for all.
    """

    batches: tuple[Batch, ...]
    earlier: tuple[Batch, ...]
    submitted: int
    waiting: int
    results: tuple[FileResult, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought: a batch that is over, and what came of each of its files."""

    batch: Batch
    name: str
    command: str
    results: tuple[FileResult, ...]


# Told how batches stand while they are waited for.
OnBatches = Callable[[Sequence[Batch]], None]
