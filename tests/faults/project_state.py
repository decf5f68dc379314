"""What a project holds, to be compared, and put back as it was."""

from __future__ import annotations

import copy
import json
import shutil
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.loopback import LoopbackServer

_KEPT = ("files", "stores", "conversations")
_LAST_SECONDS = 10.0


def held(server: LoopbackServer) -> dict[str, list[Any]]:
    """Everything on the server, without ids and times, so that two outcomes can be compared."""
    return {
        "files": sorted(
            (stored.name, stored.about["purpose"], stored.data)
            for stored in server.files.values()
            if not stored.about["purpose"].startswith("batch")
        ),
        "assistants": sorted(map(_assistant, server.stores.values())),
        "conversations": sorted(
            [_said(item) for item in conversation.items]
            for conversation in server.conversations.values()
        ),
        "batches": sorted(map(_batch, server.batches.values())),
    }


def _assistant(store: Any) -> tuple[Any, ...]:
    metadata = store.about["metadata"]
    known = sorted((a.attributes["path"], a.file.data) for a in store.files.values())
    return store.about["name"], metadata["state"], metadata["revision"], metadata["model"], known


def _said(item: dict[str, Any]) -> str:
    """The text of a message, or what else it is; the time of a revision is left out."""
    content: Any = item["content"] if "content" in item else item["type"]
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    return text.partition("\n")[2] if text.startswith("# revision of ") else str(text)


def _batch(job: Any) -> tuple[Any, ...]:
    requests = sorted(json.loads(line)["custom_id"] for line in job.requests.splitlines())
    return job.about["status"].startswith("cancel"), requests


def without_leftover(state: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """A state without the one conversation that nobody could know of.

    The API has no list of conversations: one whose create was answered to nobody is not found
    again, nor is one that could not be deleted before the connection was gone for good.
    """
    definition = [said for said in state["conversations"] if said and len(said) == 1]
    left = [] if [] in state["conversations"] else definition[0]
    rest = list(state["conversations"])
    rest.remove(left)
    return {**state, "conversations": rest}


def _wait_for_workers() -> None:
    """Wait for the threads of a command that failed, which does not: they may still write files."""
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor") or thread.name.endswith("(work_off)"):
            thread.join(_LAST_SECONDS)


@dataclass
class Checkpoint:
    """A server, and the files on this machine, as they were at a moment."""

    server: LoopbackServer
    home: Path
    _kept: Any = field(init=False)

    def __post_init__(self) -> None:
        self._kept = self._copied()
        self._directory = self.home.parent / "checkpoint"
        for name in ("home", "work"):
            (self.home.parent / name).mkdir(exist_ok=True)
            shutil.copytree(self.home.parent / name, self._directory / name)

    def _copied(self) -> Any:
        jobs = {
            key: replace(job, about=copy.deepcopy(job.about))
            for key, job in self.server.batches.items()
        }
        return copy.deepcopy([getattr(self.server, name) for name in _KEPT]), jobs

    def restore(self) -> None:
        """Put all back; the log is emptied, and nothing is disturbed any more."""
        _wait_for_workers()
        server = self.server
        objects, jobs = copy.deepcopy(self._kept[0]), self._kept[1]
        for name, value in zip(_KEPT, objects, strict=True):
            setattr(server, name, value)
        server.batches = {key: replace(job, about=dict(job.about)) for key, job in jobs.items()}
        server.disturbances.clear()
        server.requests.clear()
        for name in ("home", "work"):
            there = self.home.parent / name
            for old in there.iterdir():
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            shutil.copytree(self._directory / name, there, dirs_exist_ok=True)
