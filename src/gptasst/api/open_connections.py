"""Connections that any thread may close, while others use them or are still opening them."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from weakref import WeakSet


class OpenConnection:
    """A connection. While a thread uses it, another one only hangs up, and the first closes it.

    The number of a closed socket may at once be that of a file, and TLS would write its farewell
    into it.

    Attributes:
        closed_error: raised where a closed connection is used.
    """

    closed_error: type[Exception] = ConnectionError

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._users = 0
        self._hung_up = threading.Event()

    def get_socket(self) -> object:
        """Its socket."""
        raise NotImplementedError

    def release(self) -> None:
        """Close the socket; called when nobody uses it."""
        raise NotImplementedError

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """For as long as the socket is read or written."""
        with self._lock:
            if self._hung_up.is_set():
                raise self.closed_error("the connection was closed")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._hung_up.is_set() and not self._users:
                    self.release()

    def close(self) -> None:
        """Hang up, which also wakes a thread that waits for data; close it if there is none."""
        with self._lock:
            self._hung_up.set()
            connected = self.get_socket()
            is_ours = self._process == os.getpid()  # a fork has a copy of its parent's connections
            if is_ours and isinstance(connected, socket.socket):
                with contextlib.suppress(OSError):  # closed, or the server hung up
                    # Not `SSLSocket.shutdown`, which takes the TLS state from a thread that reads.
                    socket.socket.shutdown(connected, socket.SHUT_RDWR)
            if not self._users:
                self.release()


class OpenConnections:
    """All connections of one server, also those that a client forgets, or is just making.

    Attributes:
        closed: set once they are closed.
    """

    def __init__(self) -> None:
        self._open: WeakSet[OpenConnection] = WeakSet()
        self._lock = threading.Lock()
        self.closed = threading.Event()

    def add(self, connection: OpenConnection) -> None:
        """Add a new connection.

        Raises:
            ConnectionError: the connections were closed while it was made; so is this one. Each
                kind of connection has its own `closed_error`.
        """
        with self._lock:
            self._open.add(connection)
            closed = self.closed.is_set()
        if closed:
            connection.close()
            raise connection.closed_error("the client was closed")

    def close(self) -> None:
        with self._lock:
            self.closed.set()
            left = list(self._open)
        for connection in left:
            connection.close()
