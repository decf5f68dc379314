"""What goes over the connection: requests as they were received, replies, errors."""

from __future__ import annotations

import json
import secrets
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

# How long a closed connection or a closing server may go unnoticed by a waiting request.
_WAIT_STEP = 0.02


class ConnectionCut(Exception):
    """Closes the connection now, in the middle of whatever is being sent."""


@dataclass(frozen=True)
class RequestRecord:
    """One request. Header names are lower case; `json` is None for any other body."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    json: Any
    body_size: int
    at: float

    def as_json(self) -> Json:
        return {**vars(self), "query": dict(self.query), "headers": dict(self.headers)}


@dataclass(frozen=True)
class Reply:
    """A reply; a body that is an iterator is sent in chunks, as they come."""

    body: bytes | Iterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """An error in OpenAI's form."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        type: str = "invalid_request_error",
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {
            "error": {"message": message, "type": type, "param": param, "code": code}
        }

    def reply(self) -> Reply:
        return json_reply(self.body, self.status)


class Line:
    """The connection of one request, to wait on."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self._connection = connection
        self._closing = closing

    def wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            ConnectionCut: the client hung up, or the server is being closed.
        """
        end = time.monotonic() + seconds
        while not self._closing.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return
            self._closing.wait(min(left, _WAIT_STEP))
            if self._client_is_gone():
                break
        raise ConnectionCut

    def _client_is_gone(self) -> bool:
        try:
            readable, _, _ = select.select([self._connection], [], [], 0)
            return bool(readable) and not self._connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):  # ValueError: closed here meanwhile
            return True


@dataclass(frozen=True)
class Call:
    """A request on its way through the server; `params` are the parts of its path."""

    record: RequestRecord
    body: bytes
    line: Line
    params: Mapping[str, str] = field(default_factory=dict)

    def json_object(self) -> Json:
        """The body, which must be a JSON object; no body is an empty one."""
        if not self.body:
            return {}
        if not isinstance(self.record.json, dict):
            raise ApiError(400, "We could not parse the JSON body of your request.")
        return self.record.json


def json_reply(value: object, status: int = 200) -> Reply:
    return Reply(json.dumps(value, ensure_ascii=False).encode(errors="replace"), status)


def new_id(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


def now() -> int:
    return int(time.time())


def check_metadata(metadata: object) -> dict[str, str]:
    """Metadata within the API's limits; None is none."""
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or len(metadata) > 16:
        raise ApiError(400, "metadata: an object of at most 16 keys is expected", param="metadata")
    for key, value in metadata.items():
        if not isinstance(value, str) or len(key) > 64 or len(value) > 512:
            raise ApiError(400, f"Invalid 'metadata.{key}'", param=f"metadata.{key}")
    return dict(metadata)


def refuse_unknown(body: Json, known: set[str]) -> None:
    for key in body:
        if key not in known:
            raise ApiError(400, f"Unknown parameter: '{key}'.", code="unknown_parameter", param=key)
