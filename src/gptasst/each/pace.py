"""How many requests may be in flight, and when the next may be sent."""

from __future__ import annotations

import random
import threading
import time

from gptasst.api.limits import RateLimits
from gptasst.errors import (
    AccessDenied,
    GptasstError,
    InvalidDefinition,
    LimitReached,
    NotFound,
    StateError,
    UsageError,
)

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 60.0
# Don't wait for a reset further away than this; the server's 429 will insist.
_LONGEST_RESET = 120.0
_ATTEMPTS = 3
_ATTEMPTS_AT_LIMIT = 10
# A server that restarts needs up to a minute, most of it to load its model.
_ATTEMPTS_AT_RESTART = 8
# Errors that the next request would get as well.
_ENDS_ALL = (AccessDenied, NotFound, UsageError, LimitReached, StateError, InvalidDefinition)
_ENDS_ALL_CODES = ("no_endpoint",)
# What a server or a proxy does where it dislikes a single request.
_MAY_BE_OF_ONE = ("unreachable", "not_an_api", "no_permission")


class Pace:
    """Adapts the number of requests to the server, up to `jobs`.

    A refusal halves the requests in flight and pauses all of them as long as the server asks, or
    until a server that restarts can be ready; each answer allows a little more, about one more
    request per round. If the server reports how many requests or tokens are left, no more are sent
    before its reset. Thread-safe.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._limit = float(jobs)
        self._lock = threading.Lock()
        self._open_at = 0.0
        self._shrunk_at = 0.0
        self._budget: int | None = None
        self._budget_until = 0.0
        self._tokens_each = 0.0
        self._was_there = False
        self._has_answered = False
        self._given_up = 0

    @property
    def limit(self) -> int:
        """The number of requests that may be in flight now."""
        return max(1, int(self._limit))

    def wait(self) -> float:
        """Seconds until the next request may be sent; 0 means now."""
        now = time.monotonic()
        with self._lock:
            until = self._open_at
            if self._budget is not None and now >= self._budget_until:
                self._budget = None
            if self._budget is not None and self._budget <= 0:
                until = max(until, self._budget_until)
            return max(until - now, 0.0)

    def sent(self) -> float:
        """Count a request that is sent now; returns the time, for `refused`."""
        with self._lock:
            if self._budget is not None:
                self._budget -= 1
        return time.monotonic()

    def observe(self, limits: RateLimits) -> None:
        """Record the server's limits from a response."""
        left = [
            (count, reset)
            for count, reset in (
                (limits.remaining_requests, limits.reset_requests),
                (self._requests_worth(limits.remaining_tokens), limits.reset_tokens),
            )
            if count is not None and reset is not None and reset <= _LONGEST_RESET
        ]
        if left:
            count, reset = min(left)
            with self._lock:
                self._budget = count
                self._budget_until = time.monotonic() + reset

    def _requests_worth(self, tokens: int | None) -> int | None:
        if tokens is None:
            return None
        return int(tokens / self._tokens_each) if self._tokens_each else max(tokens, 0)

    def answered(self, tokens: int | None) -> None:
        """Count an answer or a part of one, and its tokens if they are known."""
        with self._lock:
            self._was_there = self._has_answered = True
            self._given_up = 0
            self._limit = min(self._limit + 1 / self._limit, float(self._jobs))
            if tokens:
                self._tokens_each += (
                    (tokens - self._tokens_each) / 4 if self._tokens_each else tokens
                )

    def may_ask_again(self, error: GptasstError, attempt: int) -> bool:
        """Whether a request with this error may be sent again; `attempt` counts from 0."""
        attempts = _ATTEMPTS
        if error.code == LimitReached.code:
            attempts = _ATTEMPTS_AT_LIMIT
        elif self._is_restarting(error):
            attempts = _ATTEMPTS_AT_RESTART
        return error.transient and attempt + 1 < attempts

    def _is_restarting(self, error: GptasstError) -> bool:
        """Whether the server loads its model, or is gone after it was there."""
        return error.unready or (self._was_there and error.code == "unreachable")

    def ends_all(self, error: GptasstError) -> bool:
        """Whether every other request would get the same error, so that none should be sent.

        One request may be to blame that the server hangs up, goes down or is kept from it. So the
        first such error counts only if there was no answer before, and the second in a row always.
        """
        if error.unready or error.code in _MAY_BE_OF_ONE:
            with self._lock:
                self._given_up += 1
                return self._given_up > 1 or not (error.unready or self._has_answered)
        return isinstance(error, _ENDS_ALL) or error.code in _ENDS_ALL_CODES

    def refused(self, error: GptasstError, sent_at: float, attempt: int) -> float:
        """Count a request that was refused or lost and may be sent again.

        Args:
            error: the error.
            sent_at: the time returned by `sent`.
            attempt: counts from 0.

        Returns:
            The seconds to wait before sending it again.
        """
        wait = error.retry_after
        if wait is None:
            wait = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) * random.uniform(0.75, 1.0)  # noqa: S311
        self._was_there = self._was_there or error.code != "unreachable"
        if error.code == LimitReached.code or self._is_restarting(error):
            now = time.monotonic()
            with self._lock:
                self._open_at = max(self._open_at, now + wait)
                if sent_at >= self._shrunk_at:  # refusals of one burst count once
                    self._limit = max(1.0, self._limit / 2)
                    self._shrunk_at = now
        return wait
