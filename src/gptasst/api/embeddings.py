"""`POST /v1/embeddings`: what texts mean, as vectors."""

from __future__ import annotations

from collections.abc import Sequence

from gptasst.api.connection import Connection
from gptasst.errors import ServiceError


class EmbeddingGateway:
    """Makes vectors of texts with a server's embedding models."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text, in order.

        Raises:
            GptasstError: see `errors`.
        """
        with self._connection.errors():
            asked = {"model": model, "input": list(texts), "encoding_format": "float"}
            reply = self._connection.post("/embeddings", asked)
            found = sorted(reply["data"], key=lambda each: each["index"])
            vectors = [list(each["embedding"]) for each in found]
        if len(vectors) != len(texts) or not all(vectors):
            raise ServiceError(f"`{model}` gave {len(vectors)} vectors for {len(texts)} texts")
        return vectors
