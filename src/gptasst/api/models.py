"""The models of an endpoint, their vectors of texts, and llama.cpp's state of a prompt."""

from __future__ import annotations

import base64
import contextlib
import math
import sys
from array import array
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

from gptasst.api.connection import Connection
from gptasst.api.failures import code_of, is_about_model, message_of
from gptasst.api.http import StatusFailure
from gptasst.api.response_items import objects
from gptasst.api.types import ServerModel
from gptasst.errors import NotFound, ServiceError
from gptasst.hints import cmd


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
