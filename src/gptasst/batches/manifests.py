"""The manifest of a batch: a file beside its requests, from which any machine can place answers.

Its first line tells what is the same for all inputs, every other line of one input. It is
uploaded with the purpose `batch`, as files of the other purposes can't be downloaded again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from gptasst.batches.types import BatchItem, BatchManifest
from gptasst.errors import ServiceError

_FORMAT = 1


def manifest_line(manifest: BatchManifest) -> bytes:
    """The first line."""
    return _line({"gptasst": _FORMAT, **dataclasses.asdict(manifest)})


def item_line(item: BatchItem) -> bytes:
    """The line of one input."""
    return _line(dataclasses.asdict(item))


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def read_manifest(lines: Iterator[bytes]) -> tuple[BatchManifest, Iterator[BatchItem]]:
    """A manifest from its lines; the inputs are read as they are asked for.

    Raises:
        ServiceError: it is damaged, or another version made it.
    """
    first = _object(next(lines, b""))
    if first.pop("gptasst", None) != _FORMAT:
        raise ServiceError(
            "the batch was submitted by another version of gptasst",
            hint="fetch it with that version",
            code="unknown_manifest",
        )
    return _made(BatchManifest, first), (_made(BatchItem, _object(line)) for line in lines)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _damaged()
    return value


def _made(kind: Any, fields: dict[str, Any]) -> Any:
    known = {field.name: field for field in dataclasses.fields(kind)}
    given = {name: value for name, value in fields.items() if name in known}
    if not all(isinstance(v, str) for name, v in given.items() if known[name].type == "str"):
        raise _damaged()
    try:
        return kind(**given)
    except TypeError:
        raise _damaged() from None


def _damaged() -> ServiceError:
    return ServiceError(
        "the manifest of the batch is damaged",
        hint="the command that submitted it submits it anew",
        code="unknown_manifest",
    )
