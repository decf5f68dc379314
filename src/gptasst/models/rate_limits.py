"""What a server says it still takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The `x-ratelimit-*` headers of a response; `None` where the server does not say.

    `reset_requests` and `reset_tokens` are seconds until the limit is whole again.
    """

    remaining_requests: int | None = None
    reset_requests: float | None = None
    remaining_tokens: int | None = None
    reset_tokens: float | None = None


OnLimits = Callable[[RateLimits], None]
