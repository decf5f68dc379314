"""Servers that speak the Responses API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server with `/v1/responses`, and what it takes.

    `context_window` is in tokens where it is known. `openai_environment` lets the SDK add what
    `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID` and `OPENAI_CUSTOM_HEADERS` hold. `key_hint` says where
    a key is expected.
    """

    base_url: str
    name: str
    api_key: str | None = field(default=None, repr=False)
    key_hint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    context_window: int | None = None
    openai_environment: bool = False
    in_process: bool = False
