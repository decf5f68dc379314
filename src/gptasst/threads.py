"""Threads for concurrent requests, and the time limit of a whole command."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, overload

from gptasst.errors import GptasstError, ServiceError, broken_check

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


# The end (`time.monotonic`), and the seconds allowed.
_limit: ContextVar[tuple[float, float] | None] = ContextVar("time_limit", default=None)


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Limit the seconds for everything done in this context and thread; `None` is no limit."""
    token = _limit.set(None if seconds is None else (time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _limit.reset(token)


@contextlib.contextmanager
def more_time(seconds: float) -> Iterator[None]:
    """Allow extra seconds for final work, if there is a limit."""
    with time_limit(seconds) if _limit.get() else contextlib.nullcontext():
        yield


def time_left() -> tuple[float, float] | None:
    """The seconds left and the seconds in total; `None` without a limit."""
    limit = _limit.get()
    return limit and (limit[0] - time.monotonic(), limit[1])


_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# Jobs that end within this many seconds form one group.
_MOMENT = 0.02
# Seconds for running jobs once no others are started.
_LAST_SECONDS = 10.0


@contextlib.contextmanager
def workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of up to `count` threads. At its end they are joined, but not after an exception.

    So an interrupted command does not wait for a server that does not respond.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def mapped(
    work: Callable[[_Item], _Result], items: Sequence[_Item], count: int
) -> Sequence[_Result]:
    """The results of `work` for each item, in order, by up to `count` threads.

    A single one is worked on in this thread.
    """
    if len(items) < 2:
        return [work(item) for item in items]
    with workers(min(count, len(items))) as pool:
        return list(pool.map(work, items))


def in_groups(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    count: int,
    stop: threading.Event | None = None,
) -> Generator[list[tuple[_Item, _Result | BaseException]]]:
    """The results of `work` for each item, or its exceptions, as they arrive, in groups.

    Up to `count` threads work. Short jobs end every few milliseconds, and handling each by itself
    would keep the threads from running. Once `stop` is set or the iterator is closed, no more jobs
    start; after `stop`, running ones get a while to finish.
    """
    import queue

    todo = deque(items)
    stop = stop or threading.Event()
    ended: queue.SimpleQueue[tuple[_Item, _Result | BaseException] | None] = queue.SimpleQueue()

    def work_off() -> None:
        with contextlib.suppress(IndexError):  # nothing is left
            while not stop.is_set():
                item = todo.popleft()
                ended.put((item, _outcome(work, item)))
        ended.put(None)

    running = min(count, len(todo))
    for _ in range(running):
        threading.Thread(target=work_off, daemon=True).start()
    end = None
    try:
        while running:
            if stop.is_set():
                end = end or time.monotonic() + _LAST_SECONDS
            try:
                group = [ended.get(timeout=end and max(end - time.monotonic(), 0))]
            except queue.Empty:
                return
            if running > 1:
                time.sleep(_MOMENT)
            group += [ended.get() for _ in range(ended.qsize())]
            running -= group.count(None)
            yield [pair for pair in group if pair is not None]
    finally:
        todo.clear()


def _outcome(work: Callable[[_Item], _Result], item: _Item) -> _Result | BaseException:
    try:
        return work(item)
    except BaseException as error:  # noqa: BLE001  # whoever asked for it decides
        return error


_Value = TypeVar("_Value")
_lock = threading.RLock()


class cached_property(functools.cached_property[_Value]):  # noqa: N801  # as functools has it
    """Like `functools.cached_property`, which has had no lock since Python 3.12.

    All share one lock, because one value is often built from another.
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


_Key = TypeVar("_Key")


def run_within(
    jobs: Mapping[_Key, Callable[[], _Result]], seconds: float
) -> dict[_Key, _Result | GptasstError]:
    """The result or exception of each job. A job that takes too long fails with `timeout`.

    The threads never keep the program from ending.
    """
    import queue

    done: queue.SimpleQueue[tuple[_Key, _Result | GptasstError]] = queue.SimpleQueue()

    def work(key: _Key, job: Callable[[], _Result]) -> None:
        try:
            done.put((key, job()))
        except GptasstError as error:
            done.put((key, error))
        except Exception as error:  # noqa: BLE001  # one job that breaks leaves the others alone
            done.put((key, GptasstError(broken_check(error), code="internal_error")))

    for key, job in jobs.items():
        threading.Thread(target=work, args=(key, job), daemon=True).start()
    end = time.monotonic() + seconds
    results: dict[_Key, _Result | GptasstError] = {}
    while len(results) < len(jobs):
        try:
            key, result = done.get(timeout=max(end - time.monotonic(), 0))
        except queue.Empty:
            break
        results[key] = result
    late = ServiceError(f"no answer within {seconds:g} s", code="timeout")
    return {key: results.get(key, late) for key in jobs}
