"""`functools.cached_property` that is built once, however many threads ask for it."""

from __future__ import annotations

import functools
import threading
from typing import Any, TypeVar, overload

_Value = TypeVar("_Value")
_lock = threading.RLock()


class cached_property(functools.cached_property[_Value]):  # noqa: N801  # as functools has it
    """See `functools.cached_property`, which has no lock of its own from Python 3.12 on.

    All of them share one lock, as one value is often built from another.
    """

    @overload
    def __get__(
        self, instance: None, owner: type[Any] | None = None
    ) -> cached_property[_Value]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> _Value: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        with _lock:
            return super().__get__(instance, owner)
