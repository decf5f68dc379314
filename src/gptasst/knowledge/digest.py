"""One hash that changes whenever an assistant's knowledge does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from gptasst.knowledge.types import KnowledgeFile


def knowledge_sha256(files: Iterable[KnowledgeFile]) -> str:
    """The sha256 over paths and contents in hex, whatever their order; empty without files."""
    lines = sorted(f"{file.sha256} {file.path}" for file in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""
