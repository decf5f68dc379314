"""One hash that changes whenever an assistant's knowledge does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from gptasst.knowledge.types import KnowledgeFile


def knowledge_sha256(files: Iterable[KnowledgeFile]) -> str:
    """The sha256 over paths and contents in hex, whatever their order; empty without files."""
    return sha256_of_knowledge((file.path, file.sha256) for file in files)


def sha256_of_knowledge(contents: Iterable[tuple[str, str]]) -> str:
    """The same over pairs of path and sha256."""
    lines = sorted(f"{sha256} {path}" for path, sha256 in contents)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""
