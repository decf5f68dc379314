"""What makes two runs the same: content, not names, places or times."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gptasst.definitions.types import Definition, SearchSettings

# Changed whenever the same definition and input are put to a model in other words.
_FORMAT = 1


def basis_digest(
    definition: Definition,
    *,
    model: str,
    task: str | None,
    schema: Mapping[str, Any] | None,
    knowledge_sha256: str,
) -> str:
    """The sha256, in hex, of everything that shapes an answer but the input.

    A definition's name and description don't reach the model and don't count; nor does the
    server, so that one model behind two addresses is one model.

    Args:
        definition: its instructions, tools and settings, and what is done to the answer.
        model: the model that is asked, wherever it was named.
        task: the task in words.
        schema: what the answer must fit.
        knowledge_sha256: of the knowledge; empty if there is none.
    """
    basis: dict[str, Any] = {
        "format": _FORMAT,
        "model": model,
        "instructions": definition.instructions,
        "task": task,
        "schema": schema,
        "unwrap_fence": definition.unwrap_fence,
        "tools": dataclasses.asdict(definition.tools),
        "settings": dataclasses.asdict(definition.settings),
        "knowledge": knowledge_sha256,
    }
    if definition.tools.search == SearchSettings():
        del basis["tools"]["search"]  # as it was before there were such settings
    if definition.edit is not None:
        basis["edit"] = dataclasses.asdict(definition.edit)
    return content_digest(json.dumps(basis, sort_keys=True, default=dict).encode())


def run_digest(basis: str, content_sha256: str, kind: str) -> str:
    """The sha256, in hex, of one run: a basis, and the bytes of its input read as `kind`."""
    return content_digest(f"{basis} {kind} {content_sha256}".encode())


def content_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
