"""Answers that may take hours: OpenAI's background runs with a completion window."""

from __future__ import annotations

import contextlib
from typing import Any

from gptasst.api.answers import whole_answer
from gptasst.api.connection import Connection, api_path, missing
from gptasst.api.context_windows import ContextWindows
from gptasst.api.errors import reading, translate_error
from gptasst.api.http import RequestFailure, StatusFailure
from gptasst.api.limits import patience
from gptasst.api.requests import request_body
from gptasst.api.retries import retry_after, was_not_carried_out
from gptasst.api.types import CompletionWindow, ModelAnswer, ModelRequest
from gptasst.errors import GptasstError, NoAnswer, NotFound, UsageError
from gptasst.values import dataclass

_SECONDS = 60.0
_WAITING = ("queued", "in_progress")


@dataclass(frozen=True, slots=True)
class Deferred:
    """A run that the server took.

    `answer` is there where the server answered at once, as one without such runs does; `failure` is
    why it can't be used.
    """

    id: str
    answer: ModelAnswer | None = None
    failure: NoAnswer | None = None


def _lacking(server: str, said: str) -> UsageError:
    return UsageError(
        f"{server} takes no deferred runs: {said}",
        hint="run it without --by",
        code="tool_not_available",
    )


class DeferredGateway:
    """The background runs of one server."""

    def __init__(self, connection: Connection, windows: ContextWindows) -> None:
        self._connection = connection
        self._windows = windows

    def create(self, request: ModelRequest, window: CompletionWindow) -> Deferred:
        """Hand over a request; it is sent once, as a second one would be paid for as well.

        The server keeps its answer until `delete`; otherwise it would delete it after ten minutes,
        whether it was fetched or not.

        Raises:
            UsageError: the server or the model has no such runs.
            GptasstError: it was not taken. If `transient`, the server did nothing with it.
        """
        endpoint = self._connection.endpoint
        body = request_body(request, endpoint)
        body |= {
            "background": True,
            "background_options": {"completion_window": window},
            "store": True,
        }
        try:
            with reading(endpoint):
                response = self._connection.post("/responses", body, patience(_SECONDS))
                if response.status in _WAITING:
                    return Deferred(str(response["id"]))
        except RequestFailure as error:
            known = translate_error(error, endpoint, request.model)
            if isinstance(error, StatusFailure):
                known.transient = was_not_carried_out(error)
                known.retry_after = retry_after(error.response.headers)
                if "background" in known.message.lower():
                    raise _lacking(endpoint.name, known.message) from error
            raise known from error
        ident = str(response.id or "")
        try:
            return Deferred(ident, self._answer(response, request.model, []))
        except NoAnswer as error:
            return Deferred(ident, failure=error)

    def get(self, ident: str, model: str, received: list[str]) -> ModelAnswer | None:
        """The answer, or `None` if it is not there yet.

        Args:
            ident: as `create` gave it.
            model: that was asked for.
            received: gets the text, also that of an answer that was cut off.

        Raises:
            NotFound: the server does not have it any more.
            NoAnswer: the run failed.
        """
        with self._connection.errors(missing("response", ident)):
            response = self._connection.get(api_path("responses", ident))
            if response.status in _WAITING:
                return None
        if response.status == "cancelled":
            raise NoAnswer("the run was cancelled", code="cancelled")
        return self._answer(response, model, received)

    def _answer(self, response: Any, model: str, received: list[str]) -> ModelAnswer:
        endpoint = self._connection.endpoint
        with reading(endpoint):
            return whole_answer(response, model, endpoint, self._windows.filled, received)

    def cancel(self, ident: str) -> None:
        """Stop a run that nobody waits for any more, and have the server forget it."""
        with (
            contextlib.suppress(GptasstError),  # it has ended, or is gone
            self._connection.errors(missing("response", ident)),
        ):
            self._connection.send("POST", f"{api_path('responses', ident)}/cancel")
        self.delete(ident)

    def delete(self, ident: str) -> None:
        """Have the server forget an answer. One that is gone already is fine."""
        try:
            with self._connection.errors(missing("response", ident)):
                self._connection.send("DELETE", api_path("responses", ident))
        except NotFound:
            pass
        except GptasstError:  # it is gone by itself after 30 days
            return
