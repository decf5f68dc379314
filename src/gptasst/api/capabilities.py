"""The parts of the API that a server may or may not have, by their names in messages."""

from __future__ import annotations

from typing import Literal

# Parts of the API, by their names in messages.
Capability = Literal[
    "models",
    "responses",
    "input tokens",
    "vector stores",
    "files",
    "conversations",
    "batches",
    "previous response",
    "documents",
    "function tools",
    "file search",
    "web search",
    "code interpreter",
    "remote MCP",
    "verbosity",
    "reasoning summaries",
    "service tiers",
    "tool call limits",
    "tool choice",
    "compaction",
    "safety identifiers",
]
# Settings of a request, which a server may ignore.
PARAMETERS: tuple[Capability, ...] = (
    "verbosity",
    "reasoning summaries",
    "service tiers",
    "tool call limits",
    "tool choice",
    "compaction",
    "safety identifiers",
)
# Parts with a path of their own, so that a request can test for them.
PATHS: tuple[Capability, ...] = (
    "models",
    "responses",
    "input tokens",
    "vector stores",
    "files",
    "conversations",
    "batches",
    "previous response",
)
CAPABILITIES: tuple[Capability, ...] = tuple(
    name
    for name in Capability.__args__  # type: ignore[attr-defined]
    if name not in PARAMETERS
)
