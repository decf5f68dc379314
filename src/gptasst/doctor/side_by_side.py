"""Several jobs at once, and no longer than so many seconds."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from gptasst.doctor.commands import broken_check
from gptasst.errors import GptasstError, ServiceError

_Key = TypeVar("_Key")
_Result = TypeVar("_Result")


def side_by_side(
    jobs: Mapping[_Key, Callable[[], _Result]], seconds: float
) -> dict[_Key, _Result | GptasstError]:
    """What each job gives or raises. One that is not done in time has failed with `timeout`.

    The threads don't keep the program from ending, whatever they wait for.
    """
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
