"""The library for asyncio: the same client, with calls in threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextvars import copy_context
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar, Unpack

from gptasst.api.types import TextDelta
from gptasst.client import Client
from gptasst.client.options import Files, MapOptions, RunOptions, spelled_out
from gptasst.runs.types import RunPlan, RunResult
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.config.profile import StoreKind
    from gptasst.each.types import FileResult

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a generator; `error` is why it failed, if it did."""

    error: BaseException | None = None


class AsyncClient:
    """`Client` for asyncio: its methods are awaitable and don't block the loop.

    Each call runs the synchronous client in a thread, up to `jobs` at a time; others wait. Methods
    that are not here are methods of `sync`; `call` runs them: `await
    client.call(client.sync.assistants.list)`.

    Cancelling a call, or `asyncio.timeout`, ends the wait at once. The run then stops at the next
    piece of its answer, which is dropped; `timeout` limits how long the server may take until then.
    `map` starts no further file. A `call` is finished in any case, so that nothing is left half
    done on the server. The end of the program does not wait for any of these.

    Args:
        profile: the name of a profile (endpoint and store); `None` uses the default.
        base_url: the base URL of a server with `/responses`, including `/v1`.
        api_key: the server's key.
        model: the model, if neither a run nor an assistant sets one.
        store: where assistants are kept: `openai` (the project on the server) or `local`.
        environ: used instead of the process's environment variables.
        note: called, in any thread, with one line for each message that is in no result.
        jobs: the most concurrent calls.

    Attributes:
        sync: the synchronous client, with the same profile and connections.

    Examples:
        >>> async def main() -> list[str]:
        ...     async with gptasst.AsyncClient() as client:
        ...         runs = [client.run("DocWriter", name) for name in ("guide.md", "style.md")]
        ...         return [result.answer for result in await asyncio.gather(*runs)]
        >>> asyncio.run(main())
        ['# A guide', '# A guide']
    """

    def __init__(  # noqa: PLR0913  # those of `Client`, and one
        self,
        *,
        profile: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        model: str | None = None,
        store: StoreKind | None = None,
        environ: Mapping[str, str] | None = None,
        note: Callable[[str], None] | None = None,
        jobs: int = 8,
    ) -> None:
        self.sync = Client(
            profile=profile,
            base_url=base_url,
            api_key=api_key,
            model=model,
            store=store,
            environ=environ,
            note=note,
        )
        self._turns = asyncio.Semaphore(jobs)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close connections and files. Calls that still run fail.

        Examples:
            >>> asyncio.run(client.close())
        """
        await asyncio.shield(_in_thread(self.sync.close))

    async def call(self, function: Callable[_P, _T], /, *args: _P.args, **options: _P.kwargs) -> _T:
        """Call a method of `sync` in a thread, and return or raise what it does.

        Examples:
            >>> asyncio.run(client.call(client.sync.assistants.get, "DocWriter-1")).name
            'DocWriter-1'
        """
        async with self._turns:
            return await _in_thread(lambda: function(*args, **options))

    @spelled_out
    async def run(self, name: str, files: Files = (), **options: Unpack[RunOptions]) -> RunResult:
        """Run an assistant, or an instruction of that name, with files and a task.

        Args:
            name: an assistant's name or id, else an instruction's name.
            files: the inputs: paths, patterns, directories.
            options: see `RunOptions`.

        Raises:
            GptasstError: the errors of `Client.run`.

        Examples:
            >>> asyncio.run(client.run("Translator", "guide.md", text="German")).answer.strip()
            '# A guide'
        """
        async with contextlib.aclosing(self.stream(name, files, **options)) as events:
            *_, result = [event async for event in events]
        assert isinstance(result, RunResult)
        return result

    @spelled_out
    async def stream(
        self, name: str, files: Files = (), **options: Unpack[RunOptions]
    ) -> AsyncGenerator[TextDelta | RunResult]:
        """Like `run`, in pieces: each `TextDelta` as it arrives, the `RunResult` last.

        Errors are raised by the first piece. To stop early, close it: `contextlib.aclosing`.

        Examples:
            >>> async def show(client: gptasst.AsyncClient) -> None:
            ...     async for event in client.stream("DocWriter", "guide.md"):
            ...         if isinstance(event, gptasst.TextDelta):
            ...             print(event.text, end="|")
            >>> asyncio.run(show(client))
            # A gui|de|
        """
        pieces = self._pieces(lambda: self.sync.stream(name, files, **options))
        async with contextlib.aclosing(pieces) as events:
            async for event in events:
                yield event

    @spelled_out
    async def plan(self, name: str, files: Files = (), **options: Unpack[RunOptions]) -> RunPlan:
        """What `run` would send. Sends nothing, and needs no key.

        Examples:
            >>> asyncio.run(client.plan("MarkdownLinter", "guide.md")).inputs[0].size
            9
        """
        return await self.call(lambda: self.sync.plan(name, files, **options))

    @spelled_out
    async def map(
        self, name: str, files: Files, **options: Unpack[MapOptions]
    ) -> AsyncGenerator[FileResult]:
        """Run each file by itself, several at a time; yield the results as they arrive.

        Args:
            name: an assistant's name or id, else an instruction's name.
            files: paths, patterns, directories.
            options: see `MapOptions`.

        Raises:
            GptasstError: the errors of `Client.map`.

        Examples:
            >>> async def write(client: gptasst.AsyncClient) -> None:
            ...     async for result in client.map("DocWriter", "docs", output="written"):
            ...         print(result.status)
            >>> asyncio.run(write(client))
            written
        """
        pieces = self._pieces(lambda: self.sync.map(name, files, **options))
        async with contextlib.aclosing(pieces) as results:
            async for result in results:
                yield result

    async def _pieces(self, begin: Callable[[], Generator[_T]]) -> AsyncGenerator[_T]:
        """The values of a generator that runs in a thread."""
        arrived: asyncio.Queue[_T | _End] = asyncio.Queue()
        put = _from_thread(arrived)
        given_up = threading.Event()

        def work() -> None:
            end = _End()
            try:
                with contextlib.closing(begin()) as items:
                    for item in items:
                        put(item)
                        if given_up.is_set():
                            break
            except BaseException as error:  # noqa: BLE001  # a thread's boundary
                end = _End(error)
            put(end)

        async with self._turns:
            _start(work)
            try:
                async for item in _until_end(arrived):
                    yield item
            finally:
                given_up.set()


async def _until_end(arrived: asyncio.Queue[_T | _End]) -> AsyncIterator[_T]:
    while True:
        item = await arrived.get()
        if not isinstance(item, _End):
            yield item
        elif item.error is not None:
            raise item.error
        else:
            return


async def _in_thread(function: Callable[[], _T]) -> _T:
    """The result of a function that runs in a thread."""
    arrived: asyncio.Queue[_T | _End] = asyncio.Queue()
    put = _from_thread(arrived)

    def work() -> None:
        try:
            put(function())
        except BaseException as error:  # noqa: BLE001  # a thread's boundary
            put(_End(error))

    _start(work)
    async for result in _until_end(arrived):
        return result
    raise AssertionError("a function returns or raises")


def _from_thread(arrived: asyncio.Queue[_T]) -> Callable[[_T], None]:
    """A function with which other threads put values into a queue, until its loop ends."""
    loop = asyncio.get_running_loop()

    def put(item: _T) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(arrived.put_nowait, item)

    return put


def _start(work: Callable[[], None]) -> None:
    """Start work in a daemon thread."""
    threading.Thread(target=copy_context().run, args=(work,), daemon=True).start()
