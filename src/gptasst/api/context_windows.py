"""How many tokens a server's model takes, where the server tells.

The API has no such field. vLLM, SGLang, OpenRouter and llama.cpp add one to `GET /v1/models`, and
llama.cpp has `GET /props` beside `/v1`, with the context of one slot.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any
from urllib.parse import urlsplit

from gptasst.api.connection import Connection
from gptasst.api.requests import patience
from gptasst.config.urls import is_openai
from gptasst.errors import GptasstError

# Nobody gives a model fewer tokens, so that a run that took fewer needs no request.
_SMALLEST = 512
_SECONDS = 5.0
_KEYS = ("max_model_len", "context_length", "context_window")


class ContextWindows:
    """The contexts of one server's models; each is asked for once. For any number of threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, int | None] = {}
        self._lock = threading.Lock()

    def filled(self, model: str, tokens: int) -> int | None:
        """The context of a model if so many tokens fill it.

        A server that tells nothing, or fails to, is taken at its word.
        """
        window = self._connection.endpoint.context_window
        if window is None and tokens >= _SMALLEST and not self._tells_itself():
            with self._lock:
                if model not in self._known:
                    self._known[model] = self._ask(model)
                window = self._known[model]
        return window if window is not None and tokens >= window else None

    def _tells_itself(self) -> bool:
        """Whether the server is one that calls an answer incomplete where it is."""
        url = self._connection.endpoint.base_url
        return is_openai(url) or (urlsplit(url).hostname or "").endswith(".openai.azure.com")

    def _ask(self, model: str) -> int | None:
        base = self._connection.endpoint.base_url.rstrip("/")
        models = self._get("/models").get("data")
        for listed in models if isinstance(models, list) else ():
            if isinstance(listed, dict) and listed.get("id") == model:
                told = [listed.get(key) for key in _KEYS]
                told.append(_object(listed.get("meta")).get("n_ctx"))
                found = next(filter(None, map(_tokens, told)), None)
                if found:
                    return found
        settings = self._get(base.removesuffix("/v1") + "/props").get("default_generation_settings")
        return _tokens(_object(settings).get("n_ctx"))

    def _get(self, url: str) -> dict[str, Any]:
        with contextlib.suppress(GptasstError), self._connection.errors():
            options: Any = {"timeout": patience(_SECONDS)}
            return _object(self._connection.once.get(url, cast_to=object, options=options))
        return {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
