"""When to ask a server again, and how long to wait before."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from gptasst.api.errors import retry_after
from gptasst.api.failures import ConnectionFailure, StatusFailure, code_of
from gptasst.api.limits import Deadline, OverLimit

_Made = TypeVar("_Made")

ATTEMPTS = 3
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 20.0
# A server that asks for more is not waited for.
_LONGEST_RETRY_AFTER = 120.0
# 425: a server that does not take what may be a replay, before the handshake is through.
_PASSING = (408, 409, 425, 429)
_LOCKED = "conversation_locked"
_NOT_CARRIED_OUT = (425, 429)
_FINAL = ("insufficient_quota", "billing_hard_limit_reached")


def retrying(
    send: Callable[[], _Made],
    deadline: Deadline,
    attempts: int = ATTEMPTS,
    before_again: Callable[[], None] = lambda: None,
) -> _Made:
    """What `send` returns, asked up to `attempts` times within the deadline.

    Args:
        send: sends.
        deadline: ends it all.
        attempts: how often it is sent at most.
        before_again: called where the request may have been carried out, to look for it.

    Raises:
        RequestFailure: the last one, or one that would only repeat itself.
    """
    for attempt in range(attempts - 1):
        try:
            return send()
        except (ConnectionFailure, StatusFailure) as error:
            wait = wait_before_retry(error, attempt)
            if wait is None or wait >= deadline.left():
                raise
            refused = was_not_carried_out(error)
        time.sleep(wait)
        if not refused:
            before_again()
    return send()


def wait_before_retry(error: BaseException | None, attempt: int) -> float | None:
    """Seconds to wait before a failed request is looked at again; `None` if it is final."""
    backoff: float = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) * random.uniform(0.75, 1.0)  # noqa: S311
    timed_out = isinstance(error, OverLimit) and error.code == "timeout"
    if timed_out or isinstance(error, ConnectionFailure):
        return backoff
    if not isinstance(error, StatusFailure):
        return None
    code = code_of(error)
    if code == _LOCKED:  # OpenAI: to be tried again in a few seconds
        backoff *= 4
    elif code in _FINAL or (error.status_code < 500 and error.status_code not in _PASSING):
        return None
    asked = retry_after(error.response.headers)
    if asked is None:
        return backoff
    return asked if asked <= _LONGEST_RETRY_AFTER else None


def was_not_carried_out(error: BaseException | None) -> bool:
    """Whether a server refused a request before it did anything, and may take it later."""
    return isinstance(error, StatusFailure) and (
        error.status_code in _NOT_CARRIED_OUT or code_of(error) == _LOCKED
    )
