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
    `runs.fingerprints`), `unwrap_fence`, `schema` and `edit` (the keys `keep` and `max_change` of
    an edit) are what is done to one, `purpose` is where it goes, `encoding` that of the inputs
    where it was named, and `command` what was typed to ask for it.
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
