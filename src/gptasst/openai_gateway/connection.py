"""One endpoint's connection: calls with errors translated, and creates that happen once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import openai

from gptasst.errors import GptasstError, NotFound, ServiceError
from gptasst.models.endpoints import Endpoint
from gptasst.openai_gateway.errors import is_missing_object, translate_error
from gptasst.openai_gateway.requests import make_client
from gptasst.openai_gateway.retries import wait_before_retry

_Made = TypeVar("_Made")

_ATTEMPTS = 6


class Connection:
    """Speaks to one endpoint; may be used from any number of threads.

    `client` retries by itself and is for requests that may be carried out twice; `once` sends
    a request one time and is for creates.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.client = make_client(endpoint)
        self.once = self.client.with_options(max_retries=0)
        self._stopping = threading.Event()

    def close(self) -> None:
        """Wake whatever waits for a retry, and close all connections."""
        self._stopping.set()
        self.client.close()

    @contextlib.contextmanager
    def errors(self, missing: str | None = None) -> Iterator[None]:
        """Translate the SDK's errors.

        Args:
            missing: what is not there where the server does not know an id: `file `file-1``.

        Raises:
            NotFound: the object is not there (servers answer 404, or 400 in words).
            GptasstError: see `errors`.
        """
        try:
            yield
        except openai.APIStatusError as error:
            if missing and is_missing_object(error):
                message = f"{self.endpoint.name} has no {missing}"
                raise NotFound(message, code="gone") from error
            raise translate_error(error, self.endpoint, None) from error
        except openai.OpenAIError as error:
            raise translate_error(error, self.endpoint, None) from error
        except ValueError as error:  # the SDK lets JSON errors through
            raise ServiceError(
                f"{self.endpoint.name} sent something that is not an answer of the API",
                hint="is the base URL right? it usually ends in /v1",
                code="not_an_api",
            ) from error

    def create_once(
        self,
        send: Callable[[], _Made],
        find: Callable[[], _Made | None],
        missing: str | None = None,
    ) -> _Made:
        """Send a create so that it takes effect once, whatever happens to its answer.

        A 429 was not carried out and is sent again. After a lost connection, a time-out or a
        server error nobody knows, so `find` looks for what was made before it is sent again.

        Args:
            send: makes the request with `once`.
            find: what `send` made, if the server has it.
            missing: as in `errors`.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with self.errors(missing):
                    return send()
            except GptasstError as error:
                cause = error.__cause__
                wait = wait_before_retry(cause, attempt)
                if wait is None or attempt == _ATTEMPTS - 1 or self._stopping.wait(wait):
                    raise
                if not isinstance(cause, openai.RateLimitError):
                    found = find()
                    if found is not None:
                        return found
        raise AssertionError  # the last attempt returns or raises

    def pause(self, seconds: float) -> None:
        """Wait, unless the connection is closed meanwhile."""
        self._stopping.wait(seconds)
