"""When to ask a server again, and how long to wait before."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import openai

from gptasst.api.answers import Deadline
from gptasst.api.limit_headers import retry_after

_Made = TypeVar("_Made")

ATTEMPTS = 3
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 20.0
# As the SDK has it: a server that asks for more is not waited for.
_LONGEST_RETRY_AFTER = 120.0
_AMBIGUOUS = (408, 409)


def retrying(
    send: Callable[[], _Made],
    deadline: Deadline,
    attempts: int = ATTEMPTS,
    before_again: Callable[[], None] = lambda: None,
) -> _Made:
    """What `send` returns, asked up to `attempts` times within the deadline.

    The SDK's own retries don't know of one: each takes the whole timeout once more, and a
    `Retry-After` is slept through however long the user was ready to wait.

    Args:
        send: sends.
        deadline: ends it all.
        attempts: how often it is sent at most.
        before_again: called where the request may have been carried out, to look for it.

    Raises:
        openai.OpenAIError: the last failure, or one that would only repeat itself.
    """
    for attempt in range(attempts - 1):
        try:
            return send()
        except openai.APIError as error:
            wait = wait_before_retry(error, attempt)
            if wait is None or wait >= deadline.left():
                raise
            refused = isinstance(error, openai.RateLimitError)
        time.sleep(wait)
        if not refused:
            before_again()
    return send()


def wait_before_retry(error: BaseException | None, attempt: int) -> float | None:
    """Seconds to wait before a failed request is looked at again; `None` if it is final."""
    backoff: float = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) * random.uniform(0.75, 1.0)  # noqa: S311
    if isinstance(error, openai.APIConnectionError):  # time-outs included
        return backoff
    if not isinstance(error, openai.APIStatusError):
        return None
    if isinstance(error, openai.RateLimitError):
        if error.code == "insufficient_quota":
            return None
    elif error.status_code < 500 and error.status_code not in _AMBIGUOUS:
        return None
    asked = retry_after(error.response.headers)
    if asked is None:
        return backoff
    return asked if asked <= _LONGEST_RETRY_AFTER else None
