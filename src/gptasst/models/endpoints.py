"""Servers that speak the Responses API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_LONGEST_SILENCE = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server with `/v1/responses`, and what it takes.

    `timeout` is how many seconds one thing that is asked of it may take, and `silence` how long it
    may say nothing. `context_window` is in tokens where it is known. `openai_environment` lets the
    SDK add what `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID` and `OPENAI_CUSTOM_HEADERS` hold. `key_hint`
    says where a key is expected.
    """

    base_url: str = field(repr=False)
    name: str
    api_key: str | None = field(default=None, repr=False)
    key_hint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 600.0
    context_window: int | None = None
    openai_environment: bool = False
    embedded: bool = False

    @property
    def silence(self) -> float:
        """Seconds after which a server that says nothing is given up, where it only looks up."""
        return min(self.timeout, _LONGEST_SILENCE)
