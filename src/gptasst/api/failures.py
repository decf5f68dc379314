"""Requests that failed: what the HTTP client raises, for our own requests and for the SDK's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gptasst.api.types import Endpoint
from gptasst.errors import ServiceError

if TYPE_CHECKING:
    import httpx2


class RequestFailure(Exception):
    """A request without an answer that can be used. The SDK passes it on as it is."""


class ConnectionFailure(RequestFailure):
    """No answer came. The cause is the error of the HTTP library."""

    def __init__(self, request: httpx2.Request) -> None:
        super().__init__("no connection")
        self.request = request


class TimedOut(ConnectionFailure):
    """A server that takes no connection, or said nothing for too long."""


class StatusFailure(RequestFailure):
    """A server refused a request.

    Attributes:
        response: what it answered, read to its end.
        body: the error in it: the JSON in `error`, else all JSON, else its text.
    """

    def __init__(self, response: httpx2.Response) -> None:
        text = response.text.strip()
        super().__init__(f"HTTP {response.status_code}: {text}")
        self.response = response
        self.body: Any = text
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        self.body = said.get("error", said) if isinstance(said, dict) else said

    @property
    def request(self) -> httpx2.Request:
        return self.response.request

    @property
    def status_code(self) -> int:
        return self.response.status_code


# What JSON is made of.
_SENT = (str, int, float, list, dict, type(None))


@contextlib.contextmanager
def reading(endpoint: Endpoint) -> Iterator[None]:
    """Translate the errors of reading what a server sent.

    An attribute that an object of ours lacks, or a text that can't be
    encoded, is no fault of the server's and goes on as it is.

    Raises:
        ServiceError: it is not what the API sends.
    """
    try:
        yield
    except UnicodeEncodeError:
        raise
    except RecursionError as error:
        raise ServiceError(
            f"{endpoint.name} sent JSON that is nested too deeply to be read",
            hint="is the base URL right? it usually ends in /v1",
            code="not_an_api",
        ) from error
    except (ValueError, AttributeError, TypeError, LookupError, OverflowError) as error:
        if isinstance(error, AttributeError) and not isinstance(error.obj, _SENT):
            raise
        raise ServiceError(
            f"{endpoint.name} sent something that is not an answer of the API",
            hint="is the base URL right? it usually ends in /v1",
            code="not_an_api",
        ) from error
