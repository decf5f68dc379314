"""`gptasst.AsyncClient` over the loopback server."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import gptasst
from tests.conftest import Write
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import hangs, http_error, never_ends, refusal
from tests.loopback.world import last_input_text

LIMIT = 60.0  # seconds, after which a test has hung
Body = Callable[[gptasst.AsyncClient], Coroutine[Any, Any, Any]]


def awaited(body: Body, **options: Any) -> Any:
    """What a function returns that gets a client."""

    async def main() -> Any:
        async with asyncio.timeout(LIMIT), gptasst.AsyncClient(**options) as client:
            return await body(client)

    return asyncio.run(main())


def has_asked(server: LoopbackServer, times: int) -> bool:
    return len(server.requests) == times


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  # what another thread does is no event of this loop
        await asyncio.sleep(0.01)


def test_runs_at_the_same_time_and_the_loop_goes_on(server: LoopbackServer) -> None:
    together = threading.Barrier(4, timeout=LIMIT)
    server.answer = lambda body: str(together.wait() * 0) + last_input_text(body)
    turns = 0

    async def body(client: gptasst.AsyncClient) -> list[str]:
        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        results = await asyncio.gather(*(client.run("DocWriter", text=text) for text in "abcd"))
        counting.cancel()
        return [result.answer for result in results]

    assert awaited(body) == ["0a", "0b", "0c", "0d"]
    assert turns > 100


def test_no_more_at_a_time_than_asked_for() -> None:
    together, running, most = threading.Barrier(2, timeout=LIMIT), set[int](), 0

    def work(number: int) -> int:
        nonlocal most
        running.add(number)
        together.wait()
        most = max(most, len(running))
        together.wait()
        running.remove(number)
        return number

    async def body(client: gptasst.AsyncClient) -> list[int]:
        return await asyncio.gather(*(client.call(work, number) for number in range(6)))

    assert awaited(body, jobs=2) == [0, 1, 2, 3, 4, 5]
    assert most == 2


def test_pieces_come_as_they_arrive(server: LoopbackServer) -> None:
    server.answer, server.delta_size = "one two three", 4

    async def body(client: gptasst.AsyncClient) -> list[str]:
        return [
            event.text if isinstance(event, gptasst.TextDelta) else f"all: {event.answer}"
            async for event in client.stream("DocWriter", text="x")
        ]

    assert awaited(body) == ["one ", "two ", "thre", "e", "all: one two three"]


def test_errors_are_those_of_the_client(server: LoopbackServer) -> None:
    server.outcomes.append(refusal("No."))

    async def body(client: gptasst.AsyncClient) -> None:
        with pytest.raises(gptasst.NoAnswer):
            await client.run("DocWriter", text="x")
        with pytest.raises(gptasst.NotFound):
            await client.run("Nobody", text="x")
        with pytest.raises(gptasst.NotFound):
            await client.call(client.sync.assistants.get, "Nobody")
        with pytest.raises(gptasst.InvalidInput):
            async for _ in client.map("DocWriter", "nowhere/"):
                pass

    awaited(body)


def test_a_cancelled_run_ends_the_wait_at_once_and_the_client_works_on(
    server: LoopbackServer,
) -> None:
    server.outcomes.extend([hangs(), never_ends(after=2)])

    async def body(client: gptasst.AsyncClient) -> str:
        for seen in (1, 2):
            task = asyncio.create_task(client.run("DocWriter", text="x"))
            await until(functools.partial(has_asked, server, seen))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return (await client.run("DocWriter", text="still there")).answer

    assert awaited(body, jobs=1) == "still there"


def test_a_stream_that_is_closed_early_hangs_up(server: LoopbackServer) -> None:
    server.answer, server.delta_delay = "word " * 10_000, 0.01

    async def body(client: gptasst.AsyncClient) -> None:
        async with contextlib.aclosing(client.stream("DocWriter", text="x")) as events:
            async for _ in events:
                break
        await until(lambda: not server.open_connections)  # all of it would take minutes

    awaited(body)


def test_map_begins_nothing_more_once_it_is_closed(server: LoopbackServer, write: Write) -> None:
    for number in range(50):
        write(f"in/{number:02}.md", f"file {number}\n")

    async def body(client: gptasst.AsyncClient) -> list[gptasst.FileResult]:
        results = [r async for r in client.map("DocWriter", ["in/00.md", "in/01.md"], output="out")]
        server.latency = 0.05
        async with contextlib.aclosing(client.map("DocWriter", "in", output="out", jobs=1)) as more:
            async for result in more:
                if result.status == "written":
                    break
        return results

    assert [result.status for result in awaited(body)] == ["written", "written"]
    assert len(server.requests) < 10
    assert Path("out/00.md").exists()


def test_the_end_of_the_program_waits_for_nothing(server: LoopbackServer) -> None:
    server.outcomes.append(hangs())
    code = """if True:
        import asyncio, gptasst
        async def main():
            client = gptasst.AsyncClient()
            task = asyncio.create_task(client.run("DocWriter", text="x"))
            await asyncio.sleep(1)
            task.cancel()
        asyncio.run(main())
        print("over")
    """
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT, check=True
    )
    assert ran.stdout == "over\n"


def test_a_time_limit_of_asyncio(server: LoopbackServer) -> None:
    server.outcomes.append(hangs())

    async def body(client: gptasst.AsyncClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.run("DocWriter", text="x")

    awaited(body)


def test_parts_of_the_client(project: LoopbackServer, write: Write) -> None:
    write("style.md", "Short sentences.\n")
    project.disturb("GET", "/v1/vector_stores", http_error(503))

    async def body(client: gptasst.AsyncClient) -> list[str]:
        assistants = client.sync.assistants
        await client.call(assistants.create, "Writer", instruction="DocWriter", files="style.md")
        return [one.name for one in await client.call(assistants.list)]

    assert awaited(body) == ["Writer"]
