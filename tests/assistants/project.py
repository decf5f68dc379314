"""What tests ask of a project on the loopback server, and of the requests that it got."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.loopback import LoopbackServer

_ID = re.compile(r"\b(vs|conv|file|msg|vsfb)[-_][0-9a-f]{32}\b")


def calls(server: LoopbackServer) -> list[str]:
    """The requests so far as `METHOD /path` with the ids left out; the log is emptied."""
    made = [_ID.sub("*", f"{r.method} {r.path.removeprefix('/v1')}") for r in server.requests]
    server.requests.clear()
    return made


def writes(server: LoopbackServer) -> list[str]:
    """As `calls`, without those that only read."""
    return [call for call in calls(server) if not call.startswith("GET")]


def knowledge(server: LoopbackServer, name: str) -> dict[str, bytes]:
    """The knowledge of an assistant: path to content, each path there once."""
    found: dict[str, bytes] = {}
    for store in stores(server, name):
        for attachment in store.files.values():
            path = str(attachment.attributes["path"])
            assert path not in found
            found[path] = attachment.file.data
    return found


def stores(server: LoopbackServer, name: str) -> Iterator[Any]:
    return (store for store in server.stores.values() if store.about["name"] == name)


def only_store(server: LoopbackServer, name: str) -> Any:
    (store,) = stores(server, name)
    return store


def contents(server: LoopbackServer) -> list[bytes]:
    """What the files on the server hold, duplicates and orphans included."""
    return sorted(stored.data for stored in server.files.values())


def new_machine(home: Path) -> None:
    """Forget everything that this machine knows."""
    shutil.rmtree(home, ignore_errors=True)
