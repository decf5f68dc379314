"""When to retry a request, and how long to wait before."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from gptasst.api.failures import code_of, is_used_up, message_of
from gptasst.api.http import ConnectionFailure, StatusFailure
from gptasst.api.limits import Deadline, OverLimit

_Made = TypeVar("_Made")

ATTEMPTS = 3
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 20.0
# Longer waits are not honoured; the request fails.
_LONGEST_RETRY_AFTER = 120.0
# 425: a server refuses a possible replay before the TLS handshake is complete.
_PASSING = (408, 409, 425, 429)
_LOCKED = "conversation_locked"
_NOT_CARRIED_OUT = (425, 429)


def retrying(
    send: Callable[[], _Made],
    deadline: Deadline,
    attempts: int,
    before_again: Callable[[], None],
    pause: Callable[[float], None],
) -> _Made:
    """The result of `send`, called up to `attempts` times within the deadline.

    Args:
        send: sends the request.
        deadline: the time for all attempts.
        attempts: how often to send at most.
        before_again: called when the request may have been carried out, to look for its result.
        pause: waits for so many seconds.

    Raises:
        RequestFailure: the last failure, or one that a retry can't fix.
    """
    for attempt in range(attempts - 1):
        try:
            return send()
        except (ConnectionFailure, StatusFailure) as error:
            wait = wait_before_retry(error, attempt)
            if wait is None or wait >= deadline.left():
                raise
            refused = was_not_carried_out(error)
        pause(wait)
        if not refused:
            before_again()
    return send()


def wait_before_retry(error: BaseException | None, attempt: int) -> float | None:
    """Seconds to wait before a retry; `None` if the failure is final."""
    import random

    backoff: float = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) * random.uniform(0.75, 1.0)  # noqa: S311
    timed_out = isinstance(error, OverLimit) and error.code == "timeout"
    if timed_out or isinstance(error, ConnectionFailure):
        return backoff
    if not isinstance(error, StatusFailure) or not _may_pass(error):
        return None
    if code_of(error) == _LOCKED:  # OpenAI: "retry in a few seconds"
        backoff *= 4
    asked = retry_after(error.response.headers)
    if asked is None:
        return backoff
    return asked if asked <= _LONGEST_RETRY_AFTER else None


def _may_pass(error: StatusFailure) -> bool:
    """Whether a refusal may be temporary. `x-should-retry` is OpenAI's own word on it."""
    code, told = code_of(error), error.response.headers.get("x-should-retry")
    if told in ("true", "false"):
        return told == "true"
    if is_used_up(error.status_code, code, message_of(error)):
        return False
    return code == _LOCKED or error.status_code >= 500 or error.status_code in _PASSING


def was_not_carried_out(error: BaseException | None) -> bool:
    """Whether the server refused a request before doing anything, and may accept it later."""
    return isinstance(error, StatusFailure) and (
        error.status_code in _NOT_CARRIED_OUT or code_of(error) == _LOCKED
    )


_LONGEST_ASKED = 7 * 86_400.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The wait that `retry-after-ms` or `Retry-After` asks for, in seconds, if it is valid.

    `Retry-After` is a number or a date. No wait is longer than a week.
    """
    asked = _asked_wait(headers)
    return None if asked is None else min(asked, _LONGEST_ASKED)


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    exact = _finite(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000
    value: str | None = headers.get("retry-after")
    seconds = _finite(value)
    if not value or seconds is not None:
        return seconds
    import email.utils

    date = email.utils.parsedate_tz(value)
    if date is None:
        return None
    try:
        return max(float(email.utils.mktime_tz(date)) - time.time(), 0.0)
    except (ValueError, OverflowError):  # a year out of range
        return None


def _finite(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None
