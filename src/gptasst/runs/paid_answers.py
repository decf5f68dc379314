"""Answers to parts of an edit that failed as a whole: what was paid for is not asked for again.

They are kept only where an edit of many requests fails, for a day. An edit that succeeds leaves
nothing behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from gptasst.api.types import ModelAnswer, ModelRequest
from gptasst.errors import GptasstError


class AnswerKeeper(Protocol):
    """Where such answers are kept, by the digests of their requests."""

    def piece(self, digest: str) -> str | None: ...
    def keep_pieces(self, answers: Mapping[str, ModelAnswer]) -> bool: ...
    def forget_pieces(self, digests: Collection[str]) -> None: ...


class PaidAnswers:
    """The answers of one edit, as they come; any number of threads may use it.

    Args:
        keeper: opens the place for them when it is first needed; `None`: nothing is kept.
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
        """Remember what came, in case that another request fails."""
        with self._lock:
            self._new[_digest(request)] = answer

    @contextlib.contextmanager
    def kept_on_failure(self) -> Iterator[None]:
        """Keep the answers if what is done here fails or is interrupted; else forget them."""
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
    """What a request is known by: all that shapes its answer."""
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
