"""Somebody else deletes something between two requests of a command."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Cli, Ran
from tests.faults.operations import Operation, prepare
from tests.faults.project_state import Checkpoint
from tests.loopback import LoopbackServer

OF_ASSISTANTS = (
    "run an assistant", "chat", "create", "history", "edit -f", "delete", "files sync", "prune",
    "rebuild",
)  # fmt: skip


def delete_assistants(server: LoopbackServer) -> None:
    server.stores.clear()


def delete_definitions(server: LoopbackServer) -> None:
    for ident, conversation in list(server.conversations.items()):
        if "chat" not in conversation.about["metadata"]:
            del server.conversations[ident]


def delete_talks(server: LoopbackServer) -> None:
    for ident, conversation in list(server.conversations.items()):
        if "chat" in conversation.about["metadata"]:
            del server.conversations[ident]


def delete_files(server: LoopbackServer) -> None:
    server.files.clear()
    for store in server.stores.values():
        store.files.clear()


def delete_batches(server: LoopbackServer) -> None:
    server.batches.clear()


# What is deleted, the commands that meet with it, and what they may say then.
ROWS: dict[Callable[[LoopbackServer], None], tuple[tuple[str, ...], set[str]]] = {
    delete_assistants: (OF_ASSISTANTS, {"not_found", "gone"}),
    delete_definitions: (("create", "history", "edit -f", "delete"), {"bad_store", "gone"}),
    delete_talks: (("run -c", "chat", "conversation show", "conversation delete"), {"gone"}),
    delete_files: (
        ("create", "files sync", "upload", "file delete", "prune", "rebuild", "submit", "fetch"),
        {"not_found", "gone", "partly_done", "edit_conflict"},
    ),
    delete_batches: (("submit", "fetch", "cancel", "batch list"), {"gone"}),
}
EXIT_CODES = {"not_found": 3, "gone": 3, "bad_store": 1, "partly_done": 6, "edit_conflict": 2}


@pytest.mark.parametrize("delete", ROWS, ids=lambda delete: delete.__name__)
def test_between_any_two_requests(
    cli: Cli, project: LoopbackServer, home: object, delete: Callable[[LoopbackServer], None],
    request: pytest.FixtureRequest, subtests: pytest.Subtests,
) -> None:  # fmt: skip
    operations = prepare(cli, project)
    begun = Checkpoint(project, request.getfixturevalue("home"))
    names, allowed = ROWS[delete]
    for name in names:
        begun.restore()
        operations[name].run(cli)
        for spot in range(len(project.requests)):
            begun.restore()
            project.meanwhile("*", "*", lambda: delete(project), skip=spot)
            with subtests.test(f"{name}: {spot}"):
                _ended_well(operations[name].run(cli, "--json"), allowed)
                _again_ends_well(cli, operations[name], project)


def _ended_well(ran: Ran, allowed: set[str]) -> None:
    assert "Traceback" not in ran.stderr
    error = ran.json.get("error")
    if error is None:
        assert ran.code in (0, 6)
        return
    assert error["code"] in allowed
    assert error["hint"]
    assert ran.code == EXIT_CODES[error["code"]]


def _again_ends_well(cli: Cli, operation: Operation, server: LoopbackServer) -> None:
    """Whatever is left can be worked with, and holds nothing twice."""
    error = operation.run(cli, "--json").json.get("error")
    assert error is None or error["code"] in (*EXIT_CODES, "name_taken")
    names = [store.about["name"] for store in server.stores.values()]
    assert len(names) == len(set(names))
    kept = [
        (stored.about["purpose"], stored.data)
        for stored in server.files.values()
        if stored.about["purpose"] in ("assistants", "user_data")
    ]
    assert len(kept) == len(set(kept))
