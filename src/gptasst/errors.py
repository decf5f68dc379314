"""Every failure that gptasst foresees, each with a stable code and an exit code.

`code` is for scripts (it is `error.code` under `--json`), `message` says what was wrong
and where, `hint` says what to type next. This module imports nothing.
"""

from __future__ import annotations


class GptasstError(Exception):
    """Something failed in a way that can be explained.

    Args:
        message: what was wrong and where; lower case, no full stop.
        hint: what the user can do or type next.
        code: a stable identifier in place of the class's own.

    `transient`: the same may succeed if it is tried again, `retry_after` seconds later where
    the server said when. `done` is what was done all the same, for the JSON document; `profile`
    is the `--profile` of the command that failed, for those that `hint` names.
    """

    code = "error"
    exit_code = 1
    transient = False
    retry_after: float | None = None
    done: object = None
    profile: str | None = None

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class ServiceError(GptasstError):
    """The service failed, could not be reached, or answered in a way that makes no sense."""

    code = "service_error"


class StateError(GptasstError):
    """A file or database of gptasst's own can't be read or written."""

    code = "state_error"


class UsageError(GptasstError):
    """The command was called in a way that can't work."""

    code = "usage"
    exit_code = 2


class InvalidInput(GptasstError):
    """An input file can't be used."""

    code = "invalid_input"
    exit_code = 2


class InvalidDefinition(GptasstError):
    """A definition or the configuration breaks its format; the message starts `FILE:LINE:`."""

    code = "invalid_definition"
    exit_code = 2


class NotFound(GptasstError):
    """An assistant, instruction, model, file or revision does not exist."""

    code = "not_found"
    exit_code = 3


class AccessDenied(GptasstError):
    """There is no key, a wrong key, or the key has no permission."""

    code = "access_denied"
    exit_code = 4


class LimitReached(GptasstError):
    """A rate limit or quota still stood in the way after the retries."""

    code = "rate_limited"
    exit_code = 5


class PartlyDone(GptasstError):
    """Some items of a job failed; each is named in the message."""

    code = "partly_done"
    exit_code = 6


class NoAnswer(GptasstError):
    """The model gave no usable answer: `refused`, `incomplete` or `failed`."""

    code = "failed"
    exit_code = 7


def unexpected(error: Exception) -> GptasstError:
    """What nobody foresaw, for where a thread or the program ends."""
    known = GptasstError(
        f"unexpected: {type(error).__name__}: {error}",
        hint="--verbose shows where; please report it",
        code="internal_error",
    )
    known.__cause__ = error
    return known
