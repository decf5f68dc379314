"""Cache the computed prefixes of requests to the embedded model for later processes.

Instructions and examples are the same in each command, and processing them takes seconds on few
cores. llama.cpp can save its state to a file and continue from there. Only a definition's texts are
saved, never an input. llama.cpp compares the tokens, so a wrong file only costs time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.api.types import FilePart, ModelAnswer, ModelRequest, TextDelta, TextPart
from gptasst.definitions.types import ModelSettings
from gptasst.embedded.slots import Slot, Slots
from gptasst.errors import GptasstError, NoAnswer
from gptasst.storage.atomic_files import private_directory

if TYPE_CHECKING:
    from gptasst.api.gateway import OpenAIGateway
    from gptasst.api.models import ModelGateway

# A hundred tokens take SmolLM2 on two quiet cores 0.1 s, and 2.3 MB on the disk.
_SHORTEST = 400  # characters
_MOST_BYTES = 512_000_000
_ENDING = ".prefix"


class PrefixCache:
    """The files of saved prefixes. Thread-safe.

    The name of a file has the sha256 of its sources (model, llama.cpp, instructions, examples) and
    that of its content. Damaged files are deleted. If they take too much space, the least recently
    used ones are deleted.

    Args:
        directory: the directory of the files, readable only by its owner.
        model: returns the sha256 of the model.
        engine: everything else that the files depend on.
        slots: the slots of the running engine.
    """

    def __init__(
        self, directory: Path, model: Callable[[], str], engine: str, slots: Slots
    ) -> None:
        self._directory = directory
        self._model = model
        self._engine = engine
        self._slots = slots
        self._lock = threading.Lock()

    def before(self, gateway: OpenAIGateway) -> EmbeddedGateway:
        """A gateway that sends each request to a slot with its prefix."""
        return EmbeddedGateway(gateway, self)

    def stream(
        self, gateway: OpenAIGateway, request: ModelRequest
    ) -> Iterator[TextDelta | ModelAnswer]:
        """Send a request to a free slot, with its prefix loaded from a file, or computed and saved.

        The slot is free again when the answer is complete, or the iterator is closed.
        """
        begin = _beginning(request)
        key = None if begin is None else self._key(begin)
        slot = self._slots.take(key)
        try:
            if begin is None or key is None:
                slot.loaded = None
            elif slot.loaded != key:
                self._load(gateway, begin, key, slot)
            last: ModelAnswer | None = None
            for event in gateway.stream(replace(request, slot=slot.number)):
                if isinstance(event, TextDelta):
                    yield event
                else:
                    last = event
        finally:
            self._slots.give_back(slot)
        if last is not None:
            yield last

    def _load(self, gateway: OpenAIGateway, begin: ModelRequest, key: str, slot: Slot) -> None:
        slot.loaded = key
        with self._lock, contextlib.suppress(OSError, GptasstError):  # the request will report it
            if not self._restored(gateway, key, slot):
                self._compute(gateway, begin, key, slot)

    def _key(self, begin: ModelRequest) -> str:
        past = [(message.role, list(map(repr, message.parts))) for message in begin.past]
        offered = () if begin.calls_over else begin.functions
        told = [self._model(), self._engine, begin.instructions, past, list(map(repr, offered))]
        return hashlib.sha256(json.dumps(told).encode("utf-8", "replace")).hexdigest()

    def _restored(self, gateway: OpenAIGateway, key: str, slot: Slot) -> bool:
        for path in self._directory.glob(f"{key}-*{_ENDING}"):
            try:
                if path.stem.endswith(f"-{_sha256(path)}"):
                    gateway.slots.restore(slot.number, path.name)
                    os.utime(path)
                    return True
            except (OSError, GptasstError):  # another llama.cpp may not read it
                pass
            path.unlink(missing_ok=True)
        return False

    def _compute(self, gateway: OpenAIGateway, begin: ModelRequest, key: str, slot: Slot) -> None:
        try:
            for _ in gateway.stream(replace(begin, slot=slot.number)):
                pass
        except NoAnswer as error:
            if error.code != "incomplete":  # after one token, as expected
                raise
        private_directory(self._directory)
        new = self._directory / f"{secrets.token_hex(8)}.new"
        try:
            gateway.slots.save(slot.number, new.name)
            new.chmod(0o600)
            new.replace(self._directory / f"{key}-{_sha256(new)}{_ENDING}")
        finally:
            new.unlink(missing_ok=True)
        self._forget_old()

    def _forget_old(self) -> None:
        found = [(path.stat().st_mtime, path) for path in self._directory.iterdir()]
        size = 0
        for _, path in sorted(found, reverse=True):
            size += path.stat().st_size
            if size > _MOST_BYTES:
                path.unlink()


def _beginning(request: ModelRequest) -> ModelRequest | None:
    """A request with only the shared prefix, and as little as possible after it."""
    past = request.past if request.of_many else ()  # else it is a conversation, which continues
    texts = [part for message in past for part in message.parts]
    length = len(request.instructions) + sum(
        len(part.text) for part in texts if isinstance(part, TextPart)
    )
    if length < _SHORTEST or any(isinstance(part, FilePart) for part in texts):
        return None
    one_token = ModelSettings(max_output_tokens=1)
    return replace(
        request, past=past, parts=(TextPart("."),), settings=one_token, schema=None, answered=()
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class EmbeddedGateway:
    """The gateway of the embedded model, with cached prefixes.

    Args:
        inner: the gateway to llama.cpp.
        prefixes: the cached prefixes.
    """

    def __init__(self, inner: OpenAIGateway, prefixes: PrefixCache) -> None:
        self._inner = inner
        self._prefixes = prefixes

    def stream(self, request: ModelRequest) -> Iterator[TextDelta | ModelAnswer]:
        """As the gateway's own."""
        return self._prefixes.stream(self._inner, request)

    def upload_input(self, part: FilePart) -> FilePart:
        """As the gateway's own."""
        return self._inner.upload_input(part)

    def delete_file(self, file_id: str) -> None:
        """As the gateway's own."""
        self._inner.delete_file(file_id)

    def context_window(self, model: str) -> int | None:
        """As the gateway's own."""
        return self._inner.context_window(model)

    def count_input(self, request: ModelRequest) -> int | None:
        """As the gateway's own."""
        return self._inner.count_input(request)

    @property
    def models(self) -> ModelGateway:
        """As the gateway's own."""
        return self._inner.models
