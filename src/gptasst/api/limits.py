"""How much is read of a server, and for how long: nothing that it sends goes on forever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import httpx2

from gptasst.api.failures import RequestFailure
from gptasst.threads import time_left
from gptasst.values import dataclass

_MIB = 1 << 20
# Bytes after decompression, of one reply and of all events of an answer. The largest that the API
# has a use for are pages of conversations, with 10,485,760 characters a message.
MAX_REPLY = 64 * _MIB
MAX_EVENTS = 512 * _MIB
# Of one event, or one line of a batch's output; characters of an answer.
MAX_LINE = 32 * _MIB
MAX_ANSWER = 16 * _MIB
# Bytes of a file on the server: a batch has 50,000 answers.
MAX_CONTENT = 8 * 1024 * _MIB
# Objects of a list.
MAX_ITEMS = 1_000_000
# Bytes a second that a download has to make on average, beyond the first `timeout` seconds.
SLOWEST_DOWNLOAD = 10_000

_CONNECT_SECONDS = 10.0
_COMMAND = "gave no whole answer"
_ALLOW_MORE = "--timeout SECONDS of `run`, or GPTASST_TIMEOUT, allows more"


class OverLimit(RequestFailure):
    """More than is read of a server.

    Args:
        said: what happened, to follow the name of the server.
        code: of the error that users get.
        hint: what to do about it.
    """

    def __init__(
        self, said: str, code: Literal["timeout", "too_much"], hint: str | None = None
    ) -> None:
        super().__init__(said)
        self.said = said
        self.code = code
        self.hint = hint


def too_much(what: str) -> OverLimit:
    """The error of a server that sends more than is read: `more than 64 MiB in one reply`."""
    return OverLimit(f"sends {what}; that is more than gptasst reads", "too_much")


def too_slow(said: str, seconds: float) -> OverLimit:
    """The error of a server whose time is over: what was `said` of it, and the seconds it had."""
    return OverLimit(f"{said} within {seconds:g} s", "timeout", _ALLOW_MORE)


class Deadline:
    """When one thing that is asked of a server has to be there.

    Args:
        seconds: the time for it.
        begun: it runs already; else it begins when the first byte is waited for, as a file that
            is sent may take its time.
        said: of a server that does not keep to it.
    """

    def __init__(self, seconds: float, *, begun: bool = True, said: str = "did not answer") -> None:
        self.over = too_slow(said, seconds)
        self._seconds = seconds
        self._end = time.monotonic() + seconds if begun else None

    def left(self) -> float:
        """Seconds; none or less if it is over."""
        if self._end is None:
            self._end = time.monotonic() + self._seconds
        return self._end - time.monotonic()

    def received(self, size: int, waited: float) -> None:
        """Take note of bytes that came, and of the seconds until then."""


class Allowance(Deadline):
    """A deadline for a file: what came makes time for more, and only waiting uses it up.

    Args:
        seconds: the time at first.
        rate: so many bytes make one more second.
    """

    def __init__(self, seconds: float, rate: float) -> None:
        super().__init__(seconds)
        self.over = OverLimit(
            f"sends less than {rate:,.0f} bytes a second, after {seconds:g} s at first",
            "timeout",
            _ALLOW_MORE,
        )
        self._left = seconds
        self._rate = rate

    def left(self) -> float:
        return self._left

    def received(self, size: int, waited: float) -> None:
        self._left += size / self._rate - waited


class Patience(float):
    """How long a server may say nothing, in seconds, and the limits of all that it says.

    It is the `read` of a timeout, which the SDK and httpx hand down to where bytes are read.

    Attributes:
        whole: seconds for all of a reply, from when it is first waited for.
        most: bytes of it, after decompression.
        rate: see `Allowance`.
        deadline: of this one reply; `None` until it is asked for.
        attempts: how often the request is sent at most.
    """

    whole: float
    most: int
    rate: float | None
    deadline: Deadline | None
    attempts: int

    def begin(self) -> Patience:
        """The same for one request that is about to be sent.

        Raises:
            OverLimit: the command has no time left.
        """
        check_command()
        deadline = self.deadline
        if deadline is None and self.rate:
            deadline = Allowance(self.whole, self.rate)
        deadline = deadline or Deadline(self.whole, begun=False)
        return _patience(self, self.whole, self.most, self.rate, deadline, self.attempts)

    def wait(self) -> tuple[float, OverLimit | None]:
        """How long the next bytes are waited for, and the error if they don't come.

        Without an error it is the silence that was too long.

        Raises:
            OverLimit: the time is over.
        """
        waits: list[tuple[float, OverLimit | None]] = [(float(self), None)]
        if self.deadline is not None:
            waits.append((self.deadline.left(), self.deadline.over))
        command = time_left()
        if command:
            waits.append((command[0], too_slow(_COMMAND, command[1])))
        seconds, over = min(waits, key=lambda wait: wait[0])
        if over and seconds <= 0:
            raise over
        return max(seconds, 0.001), over


def check_command() -> None:
    """Raise `OverLimit` if the command has no time left."""
    command = time_left()
    if command and command[0] <= 0:
        raise too_slow(_COMMAND, command[1])


def _patience(
    silence: float,
    whole: float,
    most: int,
    rate: float | None,
    deadline: Deadline | None,
    attempts: int,
) -> Patience:
    made = Patience(silence)
    made.whole, made.most, made.rate = whole, most, rate
    made.deadline, made.attempts = deadline, attempts
    return made


def patience(
    silence: float,
    whole: float | None = None,
    *,
    most: int = MAX_REPLY,
    rate: float | None = None,
    deadline: Deadline | None = None,
    attempts: int = 1,
) -> httpx2.Timeout:
    """The timeout of requests; the arguments are as in `Patience`.

    To connect takes no more than ten seconds.
    """
    read = _patience(silence, whole or silence, most, rate, deadline, attempts)
    return httpx2.Timeout(silence, connect=min(silence, _CONNECT_SECONDS), read=read)


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
