"""Lists that change while they are read, never end, or are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.assistants.project import new_machine, only_store
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes, paging
from tests.loopback.world import Attachment, BatchJob, Conversation, Store

PAGE = 100
STORE = {"id": "vs_1", "object": "vector_store", "name": "x", "metadata": {}, "created_at": 1}


@pytest.fixture
def assistants(cli: Cli, project: LoopbackServer) -> LoopbackServer:
    """`Old`, then 150 stores of somebody else's, then `New`: two pages."""
    cli("assistant", "create", "Old", "-i", "DocWriter")
    for number in range(150):
        about = only_store(project, "Old").about | {
            "id": f"vs_{number}",
            "name": "x",
            "metadata": {},
        }
        project.stores[about["id"]] = Store(about)
    cli("assistant", "create", "New", "-i", "DocWriter")
    project.requests.clear()
    return project


def newest_first(server: LoopbackServer) -> list[str]:
    return list(reversed(server.stores))


def test_the_last_of_a_page_is_deleted_meanwhile(cli: Cli, assistants: LoopbackServer) -> None:
    """The server does not know behind which one to go on."""

    def delete() -> None:
        del assistants.stores[newest_first(assistants)[PAGE - 1]]

    assistants.meanwhile("GET", "/v1/vector_stores", delete, skip=1)
    ran = cli("assistant", "list", "-q")
    assert (ran.code, ran.lines, ran.stderr) == (0, ["New", "Old"], "")


def test_it_is_deleted_again_and_again(cli: Cli, assistants: LoopbackServer) -> None:
    """There is an end to it."""

    def delete() -> None:
        del assistants.stores[newest_first(assistants)[PAGE - 1]]

    for reading in range(40):
        assistants.meanwhile("GET", "/v1/vector_stores", delete, skip=reading % 2)
    ran = cli("assistant", "list", "--json")
    assert (ran.code, ran.error["code"]) == (1, "bad_request")
    assert "no object with id" in ran.error["message"]
    assert len(assistants.requests) < 20


def test_one_is_made_meanwhile(cli: Cli, assistants: LoopbackServer) -> None:
    def make() -> None:
        about = only_store(assistants, "Old").about
        assistants.stores["vs_new"] = Store({**about, "id": "vs_new", "name": "Newest"})

    assistants.meanwhile("GET", "/v1/vector_stores", make, skip=1)
    assert cli("assistant", "list", "-q").lines == ["New", "Old"]
    assert cli("assistant", "list", "-q").lines == ["New", "Newest", "Old"]


def test_knowledge_changes_while_it_is_read(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    for number in range(130):
        write(f"docs/{number}.md", f"number {number}\n")
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs")
    store = only_store(project, "Docs")

    def detach() -> None:
        del store.files[list(reversed(store.files))[PAGE - 1]]

    project.meanwhile("GET", "/v1/vector_stores/*/files", detach, skip=1)
    listed = cli("assistant", "files", "list", "Docs", "-q").lines
    assert len(listed) == len(set(listed)) == 130  # the one that went was read before
    warning, outcome = cli("assistant", "files", "sync", "Docs").stderr.splitlines()
    assert warning.startswith("warning: `docs/")
    assert "was deleted on the server" in warning
    assert outcome == "`Docs`: 1 added, 129 unchanged"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/vector_stores", "assistant list"),
        ("/v1/files", "cache verify"),
        ("/v1/batches", "batch list"),
    ],
)
def test_a_page_that_comes_for_ever(
    cli: Cli, project: LoopbackServer, write: Write, path: str, words: str
) -> None:
    cli("file", "upload", write("a.md", "a\n"))
    project.requests.clear()
    page = {"object": "list", "data": [STORE], "has_more": True}
    project.disturb("GET", path, outcomes.http_error(200, body=page), times=1_000_000)
    cli(*words.split())
    assert len(project.requests) == 2


class TestAServerThatIgnoresAfter:
    """It sends its first page again and again: what is behind it can't be known."""

    @pytest.fixture(autouse=True)
    def ignores_after(
        self, monkeypatch: pytest.MonkeyPatch, cli: Cli, assistants: LoopbackServer, write: Write
    ) -> None:
        assert cli("file", "upload", write("a.md", "a"), "--purpose", "assistants").code == 0
        monkeypatch.setattr("tests.loopback.paging._position", lambda *_: -1)
        assistants.requests.clear()

    @pytest.mark.parametrize(
        "words",
        [
            "assistant list",
            "assistant list --all-stores",
            "assistant create More -i DocWriter",
            "file list",
            "file prune -y",
            "batch list",
            "assistant history Old",
            "conversation show conv_long",
        ],
    )
    def test_no_list_is_taken_for_whole(
        self, cli: Cli, assistants: LoopbackServer, words: str
    ) -> None:
        about = only_store(assistants, "Old").about["metadata"]
        told = assistants.conversations[about["conversation"]]
        told.items[:0] = [{**told.items[0], "id": f"msg_{number}"} for number in range(150)]
        about["revision"] = "151"
        assistants.conversations["conv_long"] = Conversation({"metadata": {}}, told.items)
        for number in range(150):
            batch = {"id": f"batch_{number}", "object": "batch", "status": "completed"}
            assistants.batches[str(batch["id"])] = BatchJob(batch, b"", MagicMock())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.loopback.batches._current", lambda _, batch: batch.about)
            ran = cli(*words.split(), "--json")
        assert (ran.code, ran.error["code"]) == (1, "incomplete_list")
        assert "does not send the rest of a list" in ran.error["message"]
        assert len(assistants.requests) < 20

    @pytest.mark.parametrize("page", [20, 100])
    def test_nothing_that_an_unseen_store_uses_is_deleted(
        self, cli: Cli, assistants: LoopbackServer, monkeypatch: pytest.MonkeyPatch, page: int
    ) -> None:
        """A page has as many as were asked for, or as many as usual."""
        monkeypatch.setattr("tests.loopback.paging._limit", lambda *_: page)
        (file,) = assistants.files.values()
        oldest = assistants.stores["vs_0"]
        oldest.files["x"] = Attachment(file, "vs_0", {}, 0)
        assert cli("file", "prune", "-y").code == 1
        assert list(assistants.files.values()) == [file]

    def test_what_is_known_by_id_works(self, cli: Cli, assistants: LoopbackServer) -> None:
        assert cli("run", "Old", "-t", "x").text == "x"
        ran = cli("run", "CommitMessage", "-t", "x")
        assert (ran.code, ran.text) == (0, "x")


def test_the_first_page_comes_again_once(
    cli: Cli, assistants: LoopbackServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OGX goes on at the beginning where the last of a page was deleted meanwhile."""
    new_machine(home)
    real = paging._position
    calls: list[str] = []

    def position(found: Sequence[Any], wanted: str, param: str) -> int:
        calls.append(wanted)
        return -1 if len(calls) == 1 else real(found, wanted, param)

    monkeypatch.setattr(paging, "_position", position)
    assert cli("assistant", "list", "-q").lines == ["New", "Old"]
    assert len(assistants.requests) == 4


def test_an_empty_page_that_is_not_the_last(cli: Cli, project: LoopbackServer, home: Path) -> None:
    """As of a server that takes out of its pages what is not for this key."""
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    cli("assistant", "create", "Newer", "-i", "DocWriter")
    new_machine(home)
    project.requests.clear()
    page = {
        "object": "list",
        "data": [],
        "has_more": True,
        "last_id": only_store(project, "Newer").about["id"],
    }
    project.disturb("GET", "/v1/vector_stores", outcomes.http_error(200, body=page))
    assert cli("assistant", "list", "-q").lines == ["Docs"]
    assert len(project.requests) == 2


@pytest.mark.parametrize("times", [1, 2])
def test_an_empty_page_that_leads_nowhere(
    cli: Cli, assistants: LoopbackServer, home: Path, times: int
) -> None:
    """The list is read again; it is never taken for whole."""
    new_machine(home)
    page = {"object": "list", "data": [], "has_more": True, "last_id": None}
    empty = outcomes.http_error(200, body=page)
    for reading in range(times):
        assistants.disturb("GET", "/v1/vector_stores", empty, skip=reading + 1)
    ran = cli("assistant", "list", "--json")
    if times == 1:
        assert [found["name"] for found in ran.json["assistants"]] == ["New", "Old"]
    else:
        assert (ran.code, ran.error["code"]) == (1, "incomplete_list")
    assert len(assistants.requests) == 4


def test_empty_pages_that_come_for_ever(cli: Cli, project: LoopbackServer) -> None:
    page = {"object": "list", "data": [], "has_more": True, "last_id": "vs_1"}
    project.disturb("GET", "*", outcomes.http_error(200, body=page), times=1_000_000)
    assert cli("assistant", "list", "-q").lines == []
    assert len(project.requests) == 2


ODD: list[dict[str, object]] = [
    {},
    {"name": None, "metadata": None, "file_counts": None, "usage_bytes": None},
    {"name": 5, "metadata": [], "file_counts": [], "usage_bytes": "odd", "last_active_at": "odd"},
    {"created_at": None},
    {"created_at": "2026-01-01T00:00:00Z"},
    {"created_at": 1e300},
]


@pytest.mark.parametrize("odd", [*({**STORE, "id": "vs_0", **odd} for odd in ODD), {}, "odd"])
def test_an_odd_object_hides_no_other(cli: Cli, project: LoopbackServer, odd: object) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    page = {"object": "list", "data": [odd, only_store(project, "Docs").about], "has_more": False}
    project.disturb("GET", "/v1/vector_stores", outcomes.http_error(200, body=page), times=9)
    assert cli("assistant", "list", "-q", "--all-stores").lines == ["Docs"]
    assert cli("run", "CommitMessage", "-t", "x").text == "x"


@pytest.mark.parametrize("command", ["assistant list", "file list", "batch list", "model list"])
def test_a_list_that_is_null_is_empty(cli: Cli, project: LoopbackServer, command: str) -> None:
    """As servers in Go send it."""
    null = outcomes.http_error(200, body={"object": "list", "data": None})
    project.disturb("GET", "*", null, times=9)
    ran = cli(*command.split(), "-q")
    assert (ran.code, ran.text) == (0, "")


def test_a_file_of_unknown_age_is_not_pruned(cli: Cli, project: LoopbackServer) -> None:
    file = {"id": "file-1", "object": "file", "filename": None, "bytes": None, "created_at": None}
    page = {"object": "list", "data": [{**file, "purpose": "user_data"}], "has_more": False}
    project.disturb("GET", "/v1/files", outcomes.http_error(200, body=page), times=9)
    assert cli("file", "list", "-q").lines == ["file-1"]
    cli("file", "prune", "-y")
    assert not [request for request in project.requests if request.method == "DELETE"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/vector_stores", "assistant list"),
        ("/v1/files", "cache verify"),
        ("/v1/batches", "batch list"),
        ("/v1/models", "model list"),
    ],
)
def test_an_object_that_is_no_list_is_not_an_empty_one(
    cli: Cli, project: LoopbackServer, write: Write, path: str, words: str
) -> None:
    """What is known is not forgotten for it."""
    cli("file", "upload", write("a.md", "a\n"))
    project.disturb("GET", path, outcomes.http_error(200, body={}), times=1_000_000)
    ran = cli(*words.split(), "--json")
    assert (ran.code, ran.error["code"]) == (1, "not_an_api")
    assert cli("cache", "show", "--json").json["uploads"] == 1
