"""The context sizes of models, for servers that don't report when an answer was cut off."""

from __future__ import annotations

import contextlib
import threading
from typing import Any
from urllib.parse import quote

from gptasst.api.connection import Connection
from gptasst.api.limits import patience
from gptasst.config.urls import is_openai_or_azure
from gptasst.errors import GptasstError

# No context is smaller, so that a run with fewer tokens needs no request.
_SMALLEST = 1024
_SECONDS = 5.0
_USUAL_LIMITS = frozenset(1024 << power for power in range(8))
_KEYS = ("max_model_len", "context_length", "context_window")


class ContextWindows:
    """The context sizes of a server's models, each asked for once. Thread-safe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, int | None] = {}
        self._has_slots = True  # until a response shows otherwise
        self._lock = threading.Lock()

    def filled(self, model: str, tokens: int) -> int | None:
        """The context of a model, if this number of tokens fills it.

        If the server does not report it, the answer counts as complete.
        """
        if tokens < (self._connection.endpoint.context_window or _SMALLEST):
            return None
        window = self.of(model)
        return window if window is not None and tokens >= window else None

    def of(self, model: str) -> int | None:
        """The context of a model in tokens, if the server or the profile states it."""
        window = self._connection.endpoint.context_window
        if window is not None or self._tells_itself():
            return window
        with self._lock:
            if model not in self._known:
                self._known[model] = self._ask(model)
            return self._known[model]

    def stopped_at(self, tokens: int) -> bool:
        """Whether an answer of this number of tokens may have run into the server's own limit.

        llama.cpp's limit (`-n`) is in no response, only in the state of its slots. `transformers
        serve` ends answers at 1,024 tokens, or at what the model's own configuration has.
        """
        if self._tells_itself():
            return False
        slots = self._get(self._root() + "/slots") if self._has_slots else None
        self._has_slots = isinstance(slots, list)
        done = (_object(_object(slot).get("params")) for slot in slots or ())
        if any(params.get("n_predict") == tokens for params in done):
            return True
        return tokens in _USUAL_LIMITS and not self._has_slots and self._is_transformers()

    def _is_transformers(self) -> bool:
        paths = _object(self._get(self._root() + "/openapi.json")).get("paths")
        return "/load_model" in _object(paths)

    def _root(self) -> str:
        return self._connection.base_url.removesuffix("/v1")

    def _tells_itself(self) -> bool:
        """Whether the server reports incomplete answers as incomplete, or has no limit to report.

        The embedded model's are known: its context, and what a request says.
        """
        endpoint = self._connection.endpoint
        return endpoint.embedded or is_openai_or_azure(endpoint.base_url)

    def _ask(self, model: str) -> int | None:
        models = _object(self._get("/models")).get("data")
        for listed in models if isinstance(models, list) else ():
            if isinstance(listed, dict) and listed.get("id") == model:
                told = [listed.get(key) for key in _KEYS]
                told.append(_object(listed.get("meta")).get("n_ctx"))
                found = next(filter(None, map(_tokens, told)), None)
                if found:
                    return found
        props = _object(self._get(self._root() + "/props"))
        settings = props.get("default_generation_settings")
        return _tokens(_object(settings).get("n_ctx")) or self._loaded(model)

    def _loaded(self, model: str) -> int | None:
        """The context of a model that Ollama or LM Studio has loaded."""
        running = _object(self._get(self._root() + "/api/ps")).get("models")
        loaded = running if isinstance(running, list) else ()
        named = {model, f"{model}:latest"}
        for one in map(_object, loaded):
            if named & {one.get("model"), one.get("name")}:
                return _tokens(one.get("context_length"))
        found = _object(self._get(f"{self._root()}/api/v0/models/{quote(model)}"))
        return _tokens(found.get("loaded_context_length"))

    def _get(self, url: str) -> Any:
        with contextlib.suppress(GptasstError), self._connection.errors():
            return self._connection.get(url, limits=patience(_SECONDS))
        return None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
