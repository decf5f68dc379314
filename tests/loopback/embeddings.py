"""/v1/embeddings: texts are near that share words, or words for the same thing."""

from __future__ import annotations

import re
import zlib

from .routing import Route
from .wire import ApiError, Call, Json, Reply, json_reply, refuse_unknown
from .world import World

_NUMBERS = 64
_SAME = {"automobile": "car", "vehicle": "car", "repair": "fix", "mend": "fix"}


def create(world: World, call: Call) -> Reply:
    del world
    body = call.json_object()
    refuse_unknown(body, {"model", "input", "encoding_format", "dimensions", "user"})
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    if not texts:
        raise ApiError(400, "Invalid 'input': it is empty.", param="input")
    data = [
        {"object": "embedding", "index": n, "embedding": _vector(t)} for n, t in enumerate(texts)
    ]
    usage: Json = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return json_reply({"object": "list", "data": data, "model": body["model"], "usage": usage})


def _vector(text: str) -> list[float]:
    vector = [0.0] * _NUMBERS
    for word in re.findall(r"\w+", text.lower()):
        vector[zlib.crc32(_SAME.get(word, word).encode()) % _NUMBERS] += 1.0
    return vector


ROUTES = (Route("POST", "/v1/embeddings", create),)
