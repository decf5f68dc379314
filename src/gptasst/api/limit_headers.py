"""The headers in which servers say how much more they take, and when."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping

from gptasst.api.types import RateLimits

# As OpenAI writes durations: `1s`, `6m0s`, `120ms`, `1h2m3.5s`.
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def rate_limits(headers: Mapping[str, str]) -> RateLimits:
    """What the `x-ratelimit-*` headers of a response say; nonsense counts as silence."""
    return RateLimits(
        remaining_requests=_number(headers.get("x-ratelimit-remaining-requests")),
        reset_requests=_duration(headers.get("x-ratelimit-reset-requests")),
        remaining_tokens=_number(headers.get("x-ratelimit-remaining-tokens")),
        reset_tokens=_duration(headers.get("x-ratelimit-reset-tokens")),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """What `Retry-After` asks for, in seconds; it is a number or a date."""
    value: str | None = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        date = email.utils.parsedate_tz(value)
    return None if date is None else max(float(email.utils.mktime_tz(date)) - time.time(), 0.0)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _duration(text: str | None) -> float | None:
    if not text:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
