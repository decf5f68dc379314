"""What `gptasst doctor` finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gptasst.api.types import Capability

Severity = Literal["ok", "note", "warning", "problem"]
SEVERITIES: tuple[Severity, ...] = ("ok", "note", "warning", "problem")

# What a finding is about, in the order in which findings are shown.
Topic = Literal[
    "program",
    "config",
    "key",
    "server",
    "assistants",
    "cache",
    "files",
    "models",
    "embedded",
    "completion",
]
TOPICS: tuple[Topic, ...] = Topic.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class CapabilityState:
    """Whether a server has a part of the API.

    `denied`: the key has no permission for it, `failed`: it could not be told, for `reason`.
    """

    name: Capability
    state: Literal["available", "missing", "denied", "failed"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `fix` is the command that mends it, where one can. `count` and `bytes` are of what the
    finding is about, where that can be counted.
    """

    topic: Topic
    severity: Severity
    message: str
    fix: str | None = None
    count: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """What the program is made of, and where it runs."""

    gptasst: str
    python: str
    openai: str
    typer: str
    rich: str
    sqlite: str
    platform: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was found. `profile` is `None` where the configuration has none to use."""

    severity: Severity
    profile: str | None
    endpoint: str | None
    versions: Versions
    capabilities: tuple[CapabilityState, ...]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """That of the worst kind of problem: the key's (4), the server's (1), another (6)."""
        topics = {finding.topic for finding in self.findings if finding.severity == "problem"}
        if "key" in topics:
            return 4
        if "server" in topics:
            return 1
        return 6 if topics else 0


def worst(findings: Sequence[Finding]) -> Severity:
    return max((f.severity for f in findings), key=SEVERITIES.index, default="ok")
