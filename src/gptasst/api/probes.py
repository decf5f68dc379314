"""What a server has of the API, found out by requests that run nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from gptasst.api.capabilities import Capability
from gptasst.api.connection import Connection, read_json
from gptasst.api.failures import code_of, is_missing_path, is_no_access, message_of
from gptasst.api.http import Response, StatusFailure
from gptasst.api.limits import patience
from gptasst.api.tools import documented, every_tool, told_by_headers, told_by_refusal
from gptasst.config.urls import is_openai_or_azure

_NOBODYS_ID = "000000000000000000000000gptasst"
_GETS: Mapping[Capability, str] = {
    "models": "/models",
    "responses": f"/responses/resp_{_NOBODYS_ID}",
    "vector stores": "/vector_stores?limit=1",
    "files": "/files?limit=1",
    "conversations": f"/conversations/conv_{_NOBODYS_ID}",
    "batches": "/batches?limit=1",
    "previous response": f"/responses/resp_{_NOBODYS_ID}",  # a stored response can be continued
}
# Sent empty: without a model and an input nothing can run.
_POSTS: Mapping[Capability, str] = {
    "responses": "/responses",  # many servers store none, so there is none to ask for
    "input tokens": "/responses/input_tokens",
}
_BATCHED = "/v1/responses"
_NOT_ABOUT_THE_PATH = (408, 429, 500)


class ProbeGateway:
    """Finds out what a server supports. May be used from any number of threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def has(self, capability: Capability) -> bool:
        """Whether the server has a part of the API.

        Raises:
            AccessDenied: the key is wrong, or has no permission for it.
            GptasstError: it can't be found out; see `errors`.
        """
        if capability == "batches":
            return self._knows("GET", _GETS[capability]) and self.takes_batches_of_responses()
        if capability in _GETS and self._knows("GET", _GETS[capability]):
            return True
        # `transformers serve` answers the first, and fails at an empty request.
        fails = capability in _GETS
        return capability in _POSTS and self._knows("POST", _POSTS[capability], or_fails=fails)

    def tools(self) -> Mapping[Capability, bool]:
        """The tools that the server certainly has or lacks. Nothing is run.

        Every server refuses a request with all tools and without a model and an input; some
        servers list the tools that they don't know.

        Raises:
            GptasstError: it can't be found out; see `errors`.
        """
        known = documented(self._connection.endpoint.base_url)
        if known:
            return known
        with self._connection.errors():
            try:
                body = {"tools": every_tool()}
                response = self._send("POST", "/responses", body)
            except StatusFailure as error:
                if _is_about_key(error) or error.status_code in (408, 429):
                    raise
                return told_by_refusal(error)
        return told_by_headers(response.headers)

    def takes_batches_of_responses(self) -> bool:
        """Whether batches may have requests for `/v1/responses`, as far as the server reports.

        The request has no file, so that nothing can run.

        Raises:
            AccessDenied: the key is wrong, or has no permission for it.
        """
        endpoint = self._connection.endpoint
        if is_openai_or_azure(endpoint.base_url):
            return True
        body = {"input_file_id": "", "endpoint": _BATCHED, "completion_window": "24h"}
        with self._connection.errors():
            try:
                self._send("POST", "/batches", body)
            except StatusFailure as error:
                if _is_about_key(error):
                    raise
                return not (is_missing_path(error) or _BATCHED in message_of(error))
        return True

    def _send(
        self,
        method: Literal["GET", "POST"],
        path: str,
        body: dict[str, Any] | None,
        query: dict[str, str] | None = None,
    ) -> Response:
        limits = patience(self._connection.endpoint.timeout)
        return self._connection.send(method, path, query=query, body=body, limits=limits)

    def _knows(self, method: Literal["GET", "POST"], path: str, *, or_fails: bool = False) -> bool:
        """Whether a server has a path, whatever its response; with `or_fails`, also HTTP 500."""
        path, _, limit = path.partition("?limit=")
        with self._connection.errors():
            try:
                query = {"limit": limit} if limit else None
                body: dict[str, Any] | None = {} if method == "POST" else None
                response = self._send(method, path, body, query)
            except StatusFailure as error:
                if or_fails and error.status_code == 500:
                    return True
                status = error.status_code
                if _is_about_key(error) or status in _NOT_ABOUT_THE_PATH or status > 501:
                    raise
                return not is_missing_path(error)
            body = read_json(response)
        # LM Studio reports an unknown path with status 200. open-responses-server answers an empty
        # request with `null`.
        return body is None or (isinstance(body, dict) and not body.get("error"))


def _is_about_key(error: StatusFailure) -> bool:
    return is_no_access(error.status_code, code_of(error))
