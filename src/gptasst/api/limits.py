"""Limits for everything that is read from a server: bytes, items and seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from gptasst.api.http import RequestFailure
from gptasst.threads import time_left
from gptasst.values import dataclass

if TYPE_CHECKING:
    import httpx2

_MIB = 1 << 20
# Bytes after decompression, of one response and of all events of an answer. The largest that the
# API sends are pages of conversations, with up to 10,485,760 characters per message.
MAX_REPLY = 64 * _MIB
MAX_EVENTS = 512 * _MIB
# Bytes of one event or of one line of a batch's output; characters of an answer.
MAX_LINE = 32 * _MIB
MAX_ANSWER = 16 * _MIB
# Bytes of a file on the server: a batch has up to 50,000 answers.
MAX_CONTENT = 8 * 1024 * _MIB
# Objects of a list.
MAX_ITEMS = 1_000_000
# Average bytes per second that a download must reach after the first `timeout` seconds.
SLOWEST_DOWNLOAD = 10_000

_CONNECT_SECONDS = 10.0
_COMMAND = "gave no whole answer"
_ALLOW_MORE = "--timeout SECONDS of `run`, or GPTASST_TIMEOUT, allows more"


class OverLimit(RequestFailure):
    """A server sent too much, or took too long.

    Args:
        said: what happened, as text that follows the server's name.
        code: code of the error that users see.
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
    """The error for a server that sends too much: `more than 64 MiB in one reply`."""
    return OverLimit(f"sends {what}; that is more than gptasst reads", "too_much")


def too_slow(said: str, seconds: float) -> OverLimit:
    """The error for a server that takes too long: what it did (`said`), and the seconds it had."""
    return OverLimit(f"{said} within {seconds:g} s", "timeout", _ALLOW_MORE)


def up_to(most: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks of a body.

    Raises:
        OverLimit: they are more than `most` bytes.
    """
    size = 0
    for block in blocks:
        size += len(block)
        if size > most:
            raise too_much(f"more than {most >> 20:,} MiB in one reply")
        yield block


class Deadline:
    """The deadline of one operation on a server.

    Args:
        seconds: the time allowed.
        begun: start now; else the time starts with the first read, because sending a file may
            take long.
        said: what to report of a server that misses it.
    """

    def __init__(self, seconds: float, *, begun: bool = True, said: str = "did not answer") -> None:
        self.over = too_slow(said, seconds)
        self._seconds = seconds
        self._end = time.monotonic() + seconds if begun else None

    def left(self) -> float:
        """Seconds left; zero or less when the time is over."""
        if self._end is None:
            self._end = time.monotonic() + self._seconds
        return self._end - time.monotonic()

    def received(self, size: int, waited: float) -> None:
        """Record received bytes and the seconds waited for them."""

    def end_within(self, seconds: float) -> None:
        """End sooner: at most so long from now."""
        self._end = time.monotonic() + min(seconds, self.left())


class Allowance(Deadline):
    """A deadline for a download: received bytes extend it, and only waiting counts.

    Args:
        seconds: the initial time.
        rate: bytes that add one second.
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
    """The read timeout of a request in seconds, with the limits of its response.

    It is passed as the `read` timeout, which the SDK and httpx hand down to where bytes are read.

    Attributes:
        whole: seconds for the whole response, from the first read.
        most: bytes of the response, after decompression.
        rate: see `Allowance`.
        deadline: deadline of this response; `None` until the request starts.
        attempts: how often to send the request at most.
    """

    whole: float
    most: int
    rate: float | None
    deadline: Deadline | None
    attempts: int

    def begin(self) -> Patience:
        """A copy for one request that is about to be sent.

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
        """The time to wait for the next bytes, and the error if they don't arrive.

        Without an error, the server sent nothing for too long.

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


class Timeouts(NamedTuple):
    """The timeouts of a request in seconds, in httpx's order. `read` also limits its response."""

    connect: float
    read: Patience
    write: float
    pool: float

    def for_sdk(self) -> httpx2.Timeout:
        """The same for the SDK."""
        import httpx2

        return httpx2.Timeout((self.connect, self.read, self.write, self.pool))


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
) -> Timeouts:
    """The timeouts of a request; for the arguments see `Patience`.

    Connecting takes at most ten seconds.
    """
    read = _patience(silence, whole or silence, most, rate, deadline, attempts)
    return Timeouts(min(silence, _CONNECT_SECONDS), read, silence, silence)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The `x-ratelimit-*` headers of a response; `None` for missing ones.

    `reset_requests` and `reset_tokens` are seconds until the limit is fully restored.
    """

    remaining_requests: int | None = None
    reset_requests: float | None = None
    remaining_tokens: int | None = None
    reset_tokens: float | None = None


OnLimits = Callable[[RateLimits], None]


# As OpenAI writes durations: `1s`, `6m0s`, `120ms`, `1h2m3.5s`.
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def rate_limits(headers: Mapping[str, str]) -> RateLimits:
    """The limits in the `x-ratelimit-*` headers of a response; invalid values are ignored."""
    return RateLimits(
        remaining_requests=_number(headers.get("x-ratelimit-remaining-requests")),
        reset_requests=_duration(headers.get("x-ratelimit-reset-requests")),
        remaining_tokens=_number(headers.get("x-ratelimit-remaining-tokens")),
        reset_tokens=_duration(headers.get("x-ratelimit-reset-tokens")),
    )


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
