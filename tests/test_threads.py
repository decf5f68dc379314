"""Threads for requests that run side by side."""

from __future__ import annotations

import contextlib
import threading

import pytest

from gptasst.threads import in_groups


def test_everything_comes_once_with_what_was_made_of_it() -> None:
    groups = list(in_groups(lambda number: number * 2, range(100), 7))
    assert sorted(pair for group in groups for pair in group) == [(n, n * 2) for n in range(100)]


def test_of_nothing_comes_nothing() -> None:
    assert list(in_groups(lambda number: number, [], 7)) == []


def test_what_is_raised_comes_as_well() -> None:
    def divide(number: int) -> float:
        return 1 / number

    outcomes = dict(pair for group in in_groups(divide, [1, 0], 2) for pair in group)
    assert outcomes[1] == 1.0
    assert isinstance(outcomes[0], ZeroDivisionError)


def test_what_ends_a_thread_comes_as_well() -> None:
    def leave(number: int) -> None:
        raise SystemExit(number)

    outcomes = dict(pair for group in in_groups(leave, [1, 2], 2) for pair in group)
    assert all(isinstance(outcome, SystemExit) for outcome in outcomes.values())
    assert set(outcomes) == {1, 2}


def test_once_stopped_those_that_run_are_awaited() -> None:
    stop = threading.Event()
    entered = threading.Barrier(3)

    def work(number: int) -> int:
        entered.wait(60)
        stop.wait(60)
        return number

    def stop_when_two_run() -> None:
        entered.wait(60)
        stop.set()

    threading.Thread(target=stop_when_two_run).start()
    groups = in_groups(work, range(100), 2, stop)
    assert sorted(pair for group in groups for pair in group) == [(0, 0), (1, 1)]


@pytest.mark.parametrize("count", [1, 3])
def test_so_many_run_at_a_time(count: int) -> None:
    lock = threading.Lock()
    running, most = 0, 0
    together = threading.Barrier(count)

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(60)
        with lock:
            running -= 1

    list(in_groups(work, range(3 * count), count))
    assert most == count


def test_once_closed_nothing_more_is_begun() -> None:
    begun: list[int] = []
    go_on = threading.Event()
    before = set(threading.enumerate())

    def work(number: int) -> None:
        begun.append(number)
        if number:
            go_on.wait(60)

    with contextlib.closing(in_groups(work, range(100), 2)) as groups:
        assert next(groups)[0][0] == 0
    go_on.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert len(begun) <= 3
