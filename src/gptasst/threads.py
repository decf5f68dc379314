"""Threads for requests that run side by side, and the time that a whole command may take."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, overload

from gptasst.errors import GptasstError, ServiceError, broken_check

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


# When it is over (`time.monotonic`), and how many seconds it was given.
_limit: ContextVar[tuple[float, float] | None] = ContextVar("time_limit", default=None)


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Give what is done in here, in this thread, so many seconds in all; `None` is no limit."""
    token = _limit.set(None if seconds is None else (time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _limit.reset(token)


@contextlib.contextmanager
def more_time(seconds: float) -> Iterator[None]:
    """Give what has to be done at the end so many seconds, if there is a limit at all."""
    with time_limit(seconds) if _limit.get() else contextlib.nullcontext():
        yield


def time_left() -> tuple[float, float] | None:
    """The seconds that are left, and those that there were in all; `None` without a limit."""
    limit = _limit.get()
    return limit and (limit[0] - time.monotonic(), limit[1])


_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# What ends within so many seconds is one group.
_MOMENT = 0.02
# For jobs that run when others need not be begun any more.
_LAST_SECONDS = 10.0


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
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    count: int,
    stop: threading.Event | None = None,
) -> Generator[list[tuple[_Item, _Result | BaseException]]]:
    """What `work` makes of items, or raises, in up to `count` threads: as it comes, in groups.

    Many short jobs end every few milliseconds. Whoever looks at each by itself keeps the threads
    that do them from getting their turn. Once `stop` is set, or the iterator closed, no more are
    begun; those that run are awaited for a while after `stop`.
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


_Key = TypeVar("_Key")


def run_within(
    jobs: Mapping[_Key, Callable[[], _Result]], seconds: float
) -> dict[_Key, _Result | GptasstError]:
    """What each job gives or raises. One that is not done in time has failed with `timeout`.

    The threads don't keep the program from ending, whatever they wait for.
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
