"""The server itself, to be used inside a test's process."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from . import (
    admin,
    batches,
    conversations,
    embeddings,
    files,
    responses,
    store_files,
    uploads,
    vector_stores,
)
from .http_handler import HttpServer
from .routing import Application
from .world import World

_HOST = "127.0.0.1"
_ROUTES = (
    *responses.ROUTES, *files.ROUTES, *vector_stores.ROUTES, *store_files.ROUTES,
    *conversations.ROUTES, *batches.ROUTES, *uploads.ROUTES, *embeddings.ROUTES,
)  # fmt: skip


@dataclass(eq=False, repr=False, kw_only=True)
class LoopbackServer(World):
    """OpenAI's API on 127.0.0.1, scripted through the attributes of `World`.

    Starts with `with` or `start`; port 0 takes a free one. `with` raises at its end if something
    went wrong in here, an `answer` that raised included. With a `certificate` (a file that has its
    key, too) it speaks https.
    """

    port: int = 0
    certificate: Path | None = None
    _http: HttpServer | None = field(default=None, init=False, repr=False)

    def start(self) -> Self:
        self._http = HttpServer(_HOST, self.port, Application(self, _ROUTES, admin.ROUTES))
        self.port = self._http.server_address[1]
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        serve = {"poll_interval": 0.02}  # how long close may take
        threading.Thread(target=self._http.serve_forever, kwargs=serve, daemon=True).start()
        return self

    @property
    def base_url(self) -> str:
        return f"http{'s' if self.certificate else ''}://{_HOST}:{self.port}/v1"

    @property
    def connections(self) -> int:
        """How many clients connected since the start."""
        return self._http.accepted if self._http else 0

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return self._http.open_connections if self._http else 0

    def close(self) -> None:
        """Hang up on all clients and free the port; closing again does nothing."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if exc is None and self.crashes:
            raise RuntimeError("the loopback server crashed:\n" + "\n".join(self.crashes))
