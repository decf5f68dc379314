"""Looking which parts of the API a server has, without making or changing anything there.

Lists are read. Where there is no list, an id is asked for that nothing has: a server with that
part of the API says that it does not know the id, one without says that it does not know the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import httpx2
import openai

from gptasst.api.connection import Connection
from gptasst.api.errors import is_missing_path
from gptasst.api.types import Capability

_NOBODYS_ID = "000000000000000000000000gptasst"
_GETS: Mapping[Capability, str] = {
    "models": "/models",
    "responses": f"/responses/resp_{_NOBODYS_ID}",
    "vector stores": "/vector_stores?limit=1",
    "files": "/files?limit=1",
    "conversations": f"/conversations/conv_{_NOBODYS_ID}",
    "batches": "/batches?limit=1",
}
# Sent empty: without a model and an input there is nothing that could run.
_POSTS: Mapping[Capability, str] = {
    "responses": "/responses",  # many servers keep none, so that none can be asked for
    "input tokens": "/responses/input_tokens",
}
_NOT_ABOUT_THE_PATH = (401, 403, 408, 429, 500)


class ProbeGateway:
    """Looks at one server. May be used from any number of threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def has(self, capability: Capability) -> bool:
        """Whether the server has a part of the API.

        Raises:
            AccessDenied: the key is wrong, or has no permission for it.
            GptasstError: it can't be told; see `errors`.
        """
        if capability in _GETS and self._knows("GET", _GETS[capability]):
            return True
        return capability in _POSTS and self._knows("POST", _POSTS[capability])

    def _knows(self, method: Literal["GET", "POST"], path: str) -> bool:
        """Whether a path is one of the server's, whatever it has to say to the request."""
        client = self._connection.once
        with self._connection.errors():
            try:
                if method == "GET":
                    response = client.get(path, cast_to=httpx2.Response)
                else:
                    response = client.post(path, body={}, cast_to=httpx2.Response)
            except openai.APIStatusError as error:
                if error.status_code in _NOT_ABOUT_THE_PATH or error.status_code > 501:
                    raise
                return not is_missing_path(error)
            body = response.json()
        # LM Studio says that it has no such path, with 200.
        return isinstance(body, dict) and not body.get("error")
