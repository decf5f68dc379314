"""The models of an endpoint."""

from __future__ import annotations

import base64
import contextlib
import math
import sys
import threading
from array import array
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from gptasst.api.capabilities import Capability
from gptasst.api.connection import Connection, read_json
from gptasst.api.failures import code_of, is_about_model, is_missing_path, is_no_access, message_of
from gptasst.api.http import StatusFailure
from gptasst.api.limits import patience
from gptasst.api.response_items import objects
from gptasst.api.tools import (
    documented,
    every_tool,
    told_by_headers,
    told_by_refusal,
)
from gptasst.api.types import (
    ServerModel,
)
from gptasst.config.urls import is_openai_or_azure
from gptasst.errors import GptasstError, NotFound, ServiceError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.api.http import Response


class ModelGateway:
    """The models that `GET /v1/models` lists."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[ServerModel]:
        """Every model that the key may use, by name.

        Raises:
            GptasstError: see `errors`.
        """
        found = self._connection.listed("/models", _model)
        return sorted(found, key=lambda model: model.id)


def _model(model: Any) -> ServerModel:
    if not isinstance(model["id"], str):
        raise TypeError
    return ServerModel(
        id=model["id"],
        owner=model.owned_by if isinstance(model.owned_by, str) else "",
        created_at=_moment(model.created),
        shutdown_date=_date(model.shutdown_date),
    )


def _moment(seconds: object) -> datetime | None:
    """When a model was made, if the server says so: nothing depends on it."""
    with contextlib.suppress(TypeError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(seconds, UTC) if seconds else None  # type: ignore[arg-type]  # a number
    return None


def _date(text: object) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


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


class SlotGateway:
    """What llama.cpp's server computed for a prompt: saved to files, and loaded from them.

    The server has a directory for them, and a prompt in each of its slots, which count from 0.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(self, slot: int, name: str) -> None:
        """Write a file with what was computed for a slot's last prompt.

        Raises:
            GptasstError: see `errors`.
        """
        self._act("save", slot, name)

    def restore(self, slot: int, name: str) -> None:
        """Read it, so that a prompt that begins alike goes on from there in that slot.

        Raises:
            GptasstError: the file is of another model, or damaged; see `errors`.
        """
        self._act("restore", slot, name)

    def _act(self, action: Literal["save", "restore"], slot: int, name: str) -> None:
        root = self._connection.endpoint.base_url.removesuffix("/v1")
        with self._connection.errors():
            self._connection.post(f"{root}/slots/{slot}?action={action}", {"filename": name})


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


class EmbeddingGateway:
    """Embeds texts with a server's embedding models."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text, in order.

        Raises:
            NotFound: the server does not have the model.
            GptasstError: see `errors`.
        """
        with self._connection.errors():
            asked = {"model": model, "input": list(texts), "encoding_format": "float"}
            try:
                reply = self._connection.post("/embeddings", asked)
            except StatusFailure as error:
                self._refuse_missing(error, model)
                raise
            found = list(objects(reply["data"]))
            if all(isinstance(each.index, int) for each in found):  # else in the order as sent
                found.sort(key=lambda each: each["index"])
            vectors = [_vector(each.embedding) for each in found]
        if len(vectors) != len(texts) or not all(vectors):
            raise ServiceError(f"`{model}` gave {len(vectors)} vectors for {len(texts)} texts")
        if len(set(map(len, vectors))) > 1:
            raise ServiceError(f"`{model}` gave vectors of different lengths")
        return vectors

    def _refuse_missing(self, error: StatusFailure, model: str) -> None:
        if not is_about_model(error.status_code, code_of(error), message_of(error), model):
            return
        endpoint = self._connection.endpoint
        raise NotFound(
            f"{endpoint.name} has no model `{model}`, the `embedding_model` of the profile",
            hint=f"{cmd('model list')} shows what there is",
            code="model_not_found",
        ) from error


def _vector(sent: Any) -> list[float]:
    """A vector from the API's JSON; some servers send it as base64, whatever is asked for.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(sent, str):
        numbers = array("f", base64.b64decode(sent, validate=True))
        if sys.byteorder == "big":
            numbers.byteswap()
        sent = numbers.tolist()
    vector = [float(number) for number in sent if isinstance(number, int | float)]
    if len(vector) != len(sent) or not all(map(math.isfinite, vector)):
        raise ValueError("a vector has finite numbers")
    return vector
