"""What every request goes through, with any HTTP client: retries, and the right base URL."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import TypeVar

from gptasst.api.http import ConnectionFailure, Response, StatusFailure, read_to_end
from gptasst.api.open_connections import OpenConnections
from gptasst.api.retries import wait_before_retry
from gptasst.errors import UsageError
from gptasst.threads import time_left

_VERSION = re.compile(r"/v\d+(beta\d*)?(/|\Z)")
# LM Studio's message for an unknown path, and bytes that it and the path may have.
_UNEXPECTED = b"Unexpected endpoint or method"
_SHORT = 500


_Response = TypeVar("_Response", bound=Response)


class Attempts:
    """The requests to one server, for all its clients.

    A base URL without `/v1` is tried with it, once.

    Args:
        base_url: of the API, without a query.
        on_moved: called with the base URL that works, if it is another one.

    Attributes:
        base_url: that was given, without a slash at its end.
        connections: those that are open; closing them ends all requests.
    """

    def __init__(self, base_url: str, on_moved: Callable[[str], None]) -> None:
        self.connections = OpenConnections()
        self.base_url = base_url.rstrip("/")
        self._on_moved = on_moved
        self._added = ""
        self._is_settled = bool(_VERSION.search(self.base_url))
        self._looking = threading.Lock()

    def send(
        self,
        attempts: int,
        receive: Callable[[str], _Response],
        *,
        repeatable: bool = True,
    ) -> _Response:
        """A successful response.

        Args:
            attempts: how often to send the request at most, if a retry can help.
            receive: sends it to the base URL and what is added there, and returns any response.
            repeatable: whether the request can be sent to another URL afterwards.

        Raises:
            StatusFailure: the server refused it.
            ConnectionFailure: there was no response.
            OverLimit: the response is too long, or takes too long.
            UsageError: the connections were closed.
        """
        for attempt in range(attempts):
            if self.connections.closed.is_set():
                raise UsageError("the client was closed, so nothing more is sent")
            try:
                return self._replied(receive, repeatable=repeatable)
            except (ConnectionFailure, StatusFailure) as failure:
                wait = wait_before_retry(failure, attempt)
                command = time_left()
                late = wait is not None and command is not None and wait >= command[0]
                if wait is None or late or attempt == attempts - 1:
                    raise
            self.connections.closed.wait(wait)
        raise AssertionError  # the last attempt returns or raises

    def _replied(self, receive: Callable[[str], _Response], *, repeatable: bool) -> _Response:
        """The response at the base URL, or at the base URL with `/v1`."""
        added = self._added
        response = receive(added)
        if not self._is_settled or added != self._added:  # as another thread found meanwhile
            if not _is_nothing(response):
                self._is_settled = True
            elif repeatable:
                response = self._elsewhere(response, receive)
        if not response.is_success or _is_unexpected(response):
            raise StatusFailure(response)
        return response

    def _elsewhere(self, response: _Response, receive: Callable[[str], _Response]) -> _Response:
        """The response at the base URL with `/v1`, or the first `response` if there is nothing."""
        response.read()
        with self._looking:  # one thread; the others wait for what it finds
            if not self._is_settled:
                again = receive("/v1")
                self._is_settled = True
                if not _is_nothing(again):
                    self._added = "/v1"
                    self._on_moved(f"{self.base_url}/v1")
                    return again
                again.close()
        return receive(self._added) if self._added else response


def _is_nothing(response: Response) -> bool:
    """Whether a URL has no API: the path is unknown, or it is a web page."""
    kind = response.headers.get("content-type", "")
    found = response.status_code not in (404, 405) and "text/html" not in kind
    return not found or _is_unexpected(response)


def _is_unexpected(response: Response) -> bool:
    """Whether a URL is unknown to LM Studio, which reports that with status 200."""
    headers = response.headers
    length = headers.get("content-length", "")
    if "json" not in headers.get("content-type", "") or not length.isdecimal():
        return False
    if response.status_code != 200 or int(length) > _SHORT:
        return False
    read_to_end(response)
    return _UNEXPECTED in response.content[:_SHORT]
