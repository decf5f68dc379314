"""Every failure that gptasst foresees, each with a stable code and an exit code.

`code` is for scripts (`error.code` under `--json`), `message` is what was wrong and where, `hint`
is what to type next. What an error is about is in fields of its own, so that nothing parses
messages. At run time this module imports nothing.
"""

from __future__ import annotations

import os
import traceback

TYPE_CHECKING = False  # `typing` alone takes half as long to import as Python to start
if TYPE_CHECKING:
    from typing import Literal

    Code = Literal[
        "access_denied",
        "ambiguous_name",
        "answer_lost",
        "bad_document",
        "bad_download",
        "bad_key",
        "bad_key_file",
        "bad_model_file",
        "bad_name",
        "bad_pattern",
        "bad_pdf",
        "bad_proxy",
        "bad_request",
        "bad_schema",
        "bad_store",
        "bad_value",
        "bad_variable",
        "broken_off",
        "cancelled",
        "cases_failed",
        "changed_meanwhile",
        "circle",
        "control_character",
        "download_failed",
        "edit_conflict",
        "empty",
        "empty_input",
        "encoding",
        "error",
        "expired",
        "failed",
        "file_changed",
        "given_up",
        "gone",
        "incomplete",
        "incomplete_list",
        "input_not_taken",
        "insecure_endpoint",
        "internal_error",
        "invalid_definition",
        "invalid_input",
        "key_not_allowed",
        "missing_variable",
        "max_cost_reached",
        "model_not_found",
        "name_taken",
        "needs_confirmation",
        "newer_store",
        "no_cases",
        "no_documents",
        "no_editor",
        "no_embeddings",
        "no_endpoint",
        "no_file_search_in_batch",
        "no_functions",
        "no_home",
        "no_input",
        "no_installer",
        "no_key",
        "no_list",
        "no_local_engine",
        "no_model",
        "no_model_file",
        "no_output",
        "no_permission",
        "no_python",
        "no_revision",
        "no_server",
        "no_such_assistant",
        "no_such_file",
        "no_such_key",
        "no_text",
        "no_vector_stores",
        "not_a_file",
        "not_an_api",
        "not_encodable",
        "not_found",
        "not_imported",
        "not_knowledge",
        "not_over",
        "not_submitted_here",
        "not_text",
        "nothing_here",
        "nothing_taken",
        "other_profile",
        "output_collision",
        "output_escapes",
        "output_is_input",
        "outside",
        "over_max_cost",
        "partly_done",
        "price_unknown",
        "quota",
        "rate_limited",
        "read_only",
        "redirected",
        "refused",
        "schema_mismatch",
        "secret",
        "service_error",
        "several_assistants",
        "state_error",
        "timeout",
        "too_large",
        "too_long",
        "too_much",
        "tool_not_available",
        "unknown_encoding",
        "unknown_manifest",
        "unknown_variable",
        "unreachable",
        "unreadable",
        "usage",
        "would_change",
        "wrong_key",
    ]


class GptasstError(Exception):
    """An expected failure, with an explanation.

    Args:
        message: what was wrong and where; lower case, no full stop.
        hint: what the user can do or type next, with commands as `hints.cmd` makes them.
        code: a stable identifier, instead of the class's default.
        variable: the environment variable with the wrong value.
        near: the name that may have been meant.

    If `transient`, a retry may succeed, after `retry_after` seconds if the server sent that; if
    `unready`, the server takes no requests now, because it starts or is overloaded. `done` is what
    was finished before the failure, for the JSON document. `usage` has the tokens that the failed
    request used (`api.types.Usage`), `cost` their price in US dollars. `profile` is the
    `--profile` of the failed command, which is added to commands in `hint`.
    """

    code: Code = "error"
    exit_code = 1
    transient = False
    unready = False
    retry_after: float | None = None
    done: object = None
    usage: object = None
    cost: float | None = None
    profile: str | None = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: Code | None = None,
        variable: str | None = None,
        near: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = hint
        self.variable = variable
        self.near = near
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return self.message  # which may have been completed since

    @property
    def hint(self) -> str | None:
        """What the user can do or type next, as text."""
        from gptasst.hints import shown

        return self.advice and shown(self.advice, self.profile)

    @property
    def fixes(self) -> tuple[str, ...]:
        """The commands in `hint`, each as it is typed."""
        from gptasst.hints import commands_in

        return commands_in(self.advice or "")


class ServiceError(GptasstError):
    """The service failed, could not be reached, or sent an invalid response."""

    code: Code = "service_error"


class StateError(GptasstError):
    """A file or database of gptasst's own can't be read or written."""

    code: Code = "state_error"


class UsageError(GptasstError):
    """The command was used incorrectly."""

    code: Code = "usage"
    exit_code = 2


class InvalidInput(GptasstError):
    """An input file can't be used."""

    code: Code = "invalid_input"
    exit_code = 2


class InvalidDefinition(GptasstError):
    """A definition or the configuration is invalid.

    Args:
        problem: what is wrong, without the place.
        file: the file; the message starts with it.
        line: the line in it, counted from 1.
    """

    code: Code = "invalid_definition"
    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        line: int | None = None,
        hint: str | None = None,
        code: Code | None = None,
        near: str | None = None,
    ) -> None:
        place = f"{file}: " if line is None else f"{file}:{line}: "
        super().__init__(
            f"{place}{problem}" if file is not None else problem, hint=hint, code=code, near=near
        )
        self.problem = problem
        self.file = file
        self.line = line


class NotFound(GptasstError):
    """An assistant, instruction, model, file or revision does not exist."""

    code: Code = "not_found"
    exit_code = 3


class AccessDenied(GptasstError):
    """There is no key, a wrong key, or the key has no permission."""

    code: Code = "access_denied"
    exit_code = 4


class LimitReached(GptasstError):
    """A rate limit or quota was still exceeded after all retries."""

    code: Code = "rate_limited"
    exit_code = 5


class PartlyDone(GptasstError):
    """Some items of a job failed; each is named in the message."""

    code: Code = "partly_done"
    exit_code = 6


class NoAnswer(GptasstError):
    """The model gave no usable answer: `refused`, `incomplete` or `failed`."""

    code: Code = "failed"
    exit_code = 7


PLEASE_REPORT = "please report it"


def unexpected(error: Exception) -> GptasstError:
    """The error for an unexpected exception, raised where a thread or the program ends."""
    known = GptasstError(
        f"unexpected: {type(error).__name__}: {error}",
        hint=f"--verbose shows where; {PLEASE_REPORT}",
        code="internal_error",
    )
    known.__cause__ = error
    return known


def broken_check(error: Exception) -> str:
    """The message for a bug in a check, with its file and line."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119  # a name is enough
    return f"unexpected: {type(error).__name__}: {error} ({where}); {PLEASE_REPORT}"
