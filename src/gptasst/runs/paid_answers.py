"""Answers to parts of a failed edit, so that nothing is paid for twice.

They are saved for a day, and only if an edit with several requests fails. A successful edit leaves
nothing behind.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from gptasst.api.types import ModelAnswer, ModelRequest
from gptasst.errors import GptasstError


class AnswerKeeper(Protocol):
    """Stores such answers, by the digests of their requests."""

    def piece(self, digest: str) -> str | None: ...
    def keep_pieces(self, answers: Mapping[str, ModelAnswer]) -> bool: ...
    def forget_pieces(self, digests: Collection[str]) -> None: ...


class PaidAnswers:
    """The answers of one edit, as they arrive. Thread-safe.

    Args:
        keeper: opens the store when it is first needed; `None`: nothing is saved.
    """

    def __init__(self, keeper: Callable[[], AnswerKeeper] | None = None) -> None:
        self._open = keeper
        self._new: dict[str, ModelAnswer] = {}
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def find(self, request: ModelRequest) -> str | None:
        """The answer to the same request of an edit that failed within a day."""
        if self._open is None:
            return None
        digest = _digest(request)
        with self._lock:
            text = self._open().piece(digest)
            if text is not None:
                self._used.add(digest)
        return text

    def note(self, request: ModelRequest, answer: ModelAnswer) -> None:
        """Remember an answer, in case another request fails."""
        with self._lock:
            self._new[_digest(request)] = answer

    @contextlib.contextmanager
    def kept_on_failure(self) -> Iterator[None]:
        """A context that saves the answers on failure or interruption, else forgets them."""
        try:
            yield
        except BaseException as error:
            if self._open is not None and self._new:
                with self._lock:
                    kept = self._open().keep_pieces(dict(self._new))
                if kept and isinstance(error, GptasstError):
                    again = (
                        f"{len(self._new)} answers are kept for a day:"
                        " the same command asks only for the rest"
                    )
                    error.advice = f"{error.advice}; {again}" if error.advice else again
            raise
        if self._open is not None and self._used:
            self._open().forget_pieces(self._used)


def _digest(request: ModelRequest) -> str:
    """The digest of a request: everything that shapes its answer."""
    import hashlib

    shaping = (
        request.model,
        request.instructions,
        request.parts,
        request.settings,
        request.code_interpreter,
        request.web_search,
        request.schema,
        request.vector_store_id,
        request.search,
        request.search_paths,
        request.past,
    )
    return "piece:" + hashlib.sha256(repr(shaping).encode("utf-8", "surrogatepass")).hexdigest()
