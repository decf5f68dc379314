"""Threads for requests that run side by side."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# What ends within so many seconds is one group.
_MOMENT = 0.02


@contextlib.contextmanager
def workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Up to so many threads. At the end they are waited for, but not where anything is raised.

    An interrupted command does not wait for a server that says nothing.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def in_groups(
    work: Callable[[_Item], _Result], items: Iterable[_Item], count: int
) -> Generator[list[tuple[_Item, _Result | Exception]]]:
    """What `work` makes of items, or raises, in up to `count` threads: as it comes, in groups.

    Many short jobs end every few milliseconds. Whoever looks at each by itself keeps the threads
    that do them from getting their turn. No more are begun once the iterator is closed.
    """
    import queue

    todo = deque(items)
    left = len(todo)
    ended: queue.SimpleQueue[tuple[_Item, _Result | Exception]] = queue.SimpleQueue()

    def work_off() -> None:
        with contextlib.suppress(IndexError):  # nothing is left
            while True:
                item = todo.popleft()
                ended.put((item, _outcome(work, item)))

    with workers(min(count, left) or 1) as pool:
        for _ in range(min(count, left)):
            pool.submit(work_off)
        try:
            while left:
                group = [ended.get()]
                if left > 1:
                    time.sleep(_MOMENT)
                group += [ended.get() for _ in range(ended.qsize())]
                left -= len(group)
                yield group
        finally:
            todo.clear()


def _outcome(work: Callable[[_Item], _Result], item: _Item) -> _Result | Exception:
    try:
        return work(item)
    except Exception as error:  # noqa: BLE001  # whoever asked for it decides
        return error
