"""Batches: many runs within 24 hours at half price."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from gptasst.api.types import Batch
from gptasst.each.types import FileResult
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class BatchItem:
    """An input of a batch and where its answer goes.

    `run` is the digest of the run, which identifies its request in the batch; inputs with the same
    content share it. `content` is the sha256 of the input. Paths are relative to the directory in
    which the batch was submitted, or absolute.
    """

    run: str
    content: str
    input: str
    output: str


@dataclass(frozen=True, slots=True)
class BatchManifest:
    """Everything needed to write the answers of a batch, on any machine.

    `basis` is the digest of everything that shapes an answer, except the input. `unwrap_fence`,
    `schema` and `edit` (the keys `keep` and `max_change` of an edit) are applied to an answer,
    `purpose` is where it goes, `encoding` that of the inputs, if given, and `command` the typed
    command.
    """

    name: str
    model: str
    basis: str
    command: str
    purpose: Literal["write", "replace"] = "write"
    unwrap_fence: bool = False
    schema: Mapping[str, Any] | None = None
    encoding: str | None = None
    edit: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """The result of submitting files.

    `submitted` files are in the new `batches`, `waiting` ones in `earlier` batches that are still
    running; `results` are those of the others. `warnings` apply to all.
    """

    batches: tuple[Batch, ...]
    earlier: tuple[Batch, ...]
    submitted: int
    waiting: int
    results: tuple[FileResult, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of a fetch: an ended batch, and the result of each of its files."""

    batch: Batch
    name: str
    command: str
    results: tuple[FileResult, ...]


# Called with the state of batches while waiting for them.
OnBatches = Callable[[Sequence[Batch]], None]
