"""What is open after a command or a call: in a long-lived process nothing may pile up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gptasst
from gptasst.errors import GptasstError
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import (
    Outcome,
    garbage_stream,
    hangs,
    http_error,
    incomplete,
    never_ends,
    refusal,
    stream_breaks_after,
)
from tests.processes import LIMIT

_CALLS = 3


@pytest.fixture
def client(server: LoopbackServer) -> Iterator[gptasst.Client]:
    assert server.base_url
    with gptasst.Client(note=lambda _: None) as client:
        yield client


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


class TestRuns:
    def test_share_one_connection(self, server: LoopbackServer, client: gptasst.Client) -> None:
        for number in range(_CALLS):
            assert client.run("DocWriter", text=f"{number}").answer
        assert server.connections == 1

    @pytest.mark.parametrize(
        "outcome",
        [
            http_error(400),
            http_error(401),
            refusal("no"),
            incomplete(),
            garbage_stream(),
            stream_breaks_after(1),
            never_ends(),
            never_ends(keepalive=False, after=1),
            hangs(),
        ],
        ids=lambda outcome: getattr(outcome, "kind", type(outcome).__name__),
    )
    def test_that_fail_leave_no_connection_open(
        self, server: LoopbackServer, client: gptasst.Client, outcome: Outcome
    ) -> None:
        errors = []
        for number in range(_CALLS):
            server.outcomes.append(outcome)
            with pytest.raises(GptasstError) as caught:
                client.run("DocWriter", text=f"{number}", timeout=0.2)
            errors.append(caught.value)  # whoever keeps an error keeps no connection with it
        until(lambda: server.open_connections <= 1)
        client.close()
        until(lambda: not server.open_connections)

    def test_a_closed_stream_hangs_up(self, server: LoopbackServer, client: gptasst.Client) -> None:
        server.answer, server.delta_delay = "word " * 10_000, 0.01
        for _ in range(_CALLS):
            with contextlib.closing(client.stream("DocWriter", text="x")) as events:
                next(events)
        until(lambda: not server.open_connections)


class Watched(socket.socket):
    """A socket that notices when it is closed while it is read."""

    _reading = False
    closed_in_use = closed = False

    def recv_into(self, *args: Any, **options: Any) -> int:
        self._reading = True
        try:
            return super().recv_into(*args, **options)
        finally:
            self._reading = False

    def recv(self, *args: Any, **options: Any) -> bytes:
        self._reading = True
        try:
            return super().recv(*args, **options)
        finally:
            self._reading = False

    def close(self) -> None:
        self.closed = True
        self.closed_in_use = self.closed_in_use or self._reading
        super().close()


@pytest.fixture(params=["http.client", "httpx2"])
def watched(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> list[Watched]:
    """The sockets that a client opens."""
    if request.param == "httpx2":
        monkeypatch.setattr("gptasst.api.clients.may_have_proxy", lambda _: True)
    found: list[Watched] = []
    connect = socket.create_connection

    def watch(*args: Any, **options: Any) -> Watched:
        connected = connect(*args, **options)
        found.append(Watched(connected.family, connected.type, fileno=connected.detach()))
        return found[-1]

    monkeypatch.setattr(socket, "create_connection", watch)
    return found


def closed_while_another_thread_runs(server: LoopbackServer, client: gptasst.Client) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            client.run("DocWriter", text="x")
        except BaseException as error:  # noqa: BLE001  # it is looked at below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: bool(server.requests))
    client.close()
    thread.join(LIMIT)
    with pytest.raises(gptasst.UsageError, match="the client was closed"):
        raise errors[0]


class TestClosing:
    def test_hangs_up_where_other_threads_wait(
        self, server: LoopbackServer, client: gptasst.Client, write: Write
    ) -> None:
        for number in range(6):
            write(f"in/{number}.md", f"file {number}\n")
        server.outcomes += [*[hangs()] * 3, http_error(401)]
        with pytest.raises(GptasstError):
            list(client.map("DocWriter", "in", jobs=4))  # one file's error ends all
        client.close()
        until(lambda: not server.open_connections)

    def test_ends_the_runs_of_other_threads(
        self, server: LoopbackServer, watched: list[Watched], client: gptasst.Client
    ) -> None:
        server.outcomes.append(hangs())
        closed_while_another_thread_runs(server, client)
        with pytest.raises(gptasst.UsageError, match="the client was closed"):
            client.run("DocWriter", text="x")
        assert len(server.requests) == 1
        # The number of its socket may be a file's at once, into which TLS would write.
        assert [(one.closed, one.closed_in_use) for one in watched] == [(True, False)]

    def test_ends_a_wait_before_a_retry(
        self, server: LoopbackServer, client: gptasst.Client
    ) -> None:
        server.outcomes.append(http_error(429, headers={"Retry-After": "120"}))
        closed_while_another_thread_runs(server, client)

    def test_closes_a_connection_that_is_just_being_made(
        self, server: LoopbackServer, watched: list[Watched], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connected, closed = threading.Event(), threading.Event()
        connect = socket.create_connection

        def slow(*args: Any, **options: Any) -> socket.socket:
            made = connect(*args, **options)
            connected.set()
            assert closed.wait(LIMIT)
            return made

        monkeypatch.setattr(socket, "create_connection", slow)
        client = gptasst.Client(note=lambda _: None)

        def run() -> None:
            with contextlib.suppress(Exception):
                client.run("DocWriter", text="x")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert connected.wait(LIMIT)
        client.close()
        closed.set()
        until(lambda: server.connections == 1 and not server.open_connections)
        assert not server.requests


def test_commands_that_fail_leave_no_connection_open(
    cli: Cli, project: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_TIMEOUT", "1")
    for number in range(20):
        write(f"docs/{number}.md", f"# Guide {number}\n")
    commands: list[tuple[str | Path, ...]] = [
        ("file", "upload", "docs"),
        ("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs"),
        ("run", "MarkdownLinter", "docs", "--each", "-o", "linted"),
        ("assistant", "list"),
        ("doctor",),
    ]
    project.latency = 0.02
    for skip in (0, 3):
        for words in commands:
            project.disturb("*", "*", http_error(403), times=99, skip=skip)
            cli(*words)
            project.disturbances.clear()
            until(lambda: not project.open_connections)
