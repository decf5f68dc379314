"""The program put together to be looked at, as `doctor` does."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

from gptasst.context import AppContext
from gptasst.threads import cached_property

if TYPE_CHECKING:
    from gptasst.api.connection import Connection
    from gptasst.api.gateway import OpenAIGateway
    from gptasst.api.models import ProbeGateway
    from gptasst.uploads.cache import FileCache

_PATIENCE = 15.0  # seconds for an answer of the server, which may have to wake up first


class ReadOnlyContext(AppContext):
    """The same services over a copy of the cache and a connection without patience.

    Nothing on this machine changes, and a server that is dead is not waited for.
    """

    @cached_property
    def file_cache(self) -> FileCache:
        from gptasst.uploads.cache import FileCache

        try:
            cache = FileCache.copy_of(self.paths.file_cache)
        except sqlite3.Error:
            cache = FileCache(self.paths.file_cache, only_memory=True)
        self._opened.callback(cache.close)
        return cache

    @cached_property
    def gateway(self) -> OpenAIGateway:
        from gptasst.api.gateway import OpenAIGateway

        gateway = OpenAIGateway(self._connection.endpoint, self._connection)
        self._opened.callback(gateway.close)
        return gateway

    @cached_property
    def probes(self) -> ProbeGateway:
        from gptasst.api.models import ProbeGateway

        return ProbeGateway(self._connection)

    @cached_property
    def _connection(self) -> Connection:
        from gptasst.api.connection import Connection

        endpoint = replace(self.endpoint, timeout=_PATIENCE)
        connection = Connection(endpoint, retries=False)
        self._opened.callback(connection.close)
        return connection
