"""What it costs to find an assistant among a project's vector stores, and that it is found."""

from __future__ import annotations

import copy
import itertools
import os
import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gptasst.assistants.upload_removal import FileUsage
from gptasst.client import Client
from gptasst.completion.names import assistants
from tests.assistants.project import calls, new_machine, only_store
from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.world import Attachment, Store, StoredFile

LIST, STORE = "GET /vector_stores", "GET /vector_stores/*"
_numbers = itertools.count()


def add_store(
    server: LoopbackServer, name: str = "theirs", *, like: Any = None, at: int = 0
) -> str:
    """A store of another program, or a colleague's assistant with the definition of `like`."""
    about: dict[str, Any] = {
        "id": f"vs_{next(_numbers):032x}",
        "object": "vector_store",
        "created_at": at or int(time.time()),
        "name": name,
        "metadata": dict(like.about["metadata"]) if like else {},
        "last_active_at": 0,
    }
    if like:
        told = copy.deepcopy(server.conversations[about["metadata"]["conversation"]])
        told.about["id"] = about["metadata"]["conversation"] = f"conv_{next(_numbers):032x}"
        server.conversations[told.about["id"]] = told
    server.stores[about["id"]] = Store(about)
    return str(about["id"])


def add_foreign(server: LoopbackServer, count: int, *, at: int = 0) -> None:
    for _ in range(count):
        add_store(server, at=at)


def before_answer(server: LoopbackServer) -> list[str]:
    """The requests before the first to the model."""
    made = calls(server)
    return made[: made.index("POST /responses")]


class TestRequests:
    def test_a_run_of_an_instruction(self, cli: Cli, project: LoopbackServer) -> None:
        for name in ("Old", "Older", "Oldest"):
            cli("assistant", "create", name, "-i", "DocWriter")
        add_foreign(project, 2000)
        cli("run", "MarkdownLinter", "-t", "x")
        for _ in range(3):
            calls(project)
            assert cli("run", "MarkdownLinter", "-t", "x").code == 0
            assert before_answer(project) == [LIST, STORE]

    def test_a_run_of_an_assistant(self, cli: Cli, project: LoopbackServer) -> None:
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 2000)
        calls(project)
        assert cli("run", "Docs", "-t", "x").code == 0
        assert before_answer(project) == [STORE]

    def test_a_colleagues_new_assistant(self, cli: Cli, project: LoopbackServer) -> None:
        add_foreign(project, 2000)
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_store(project, "Theirs", like=only_store(project, "Docs"))
        calls(project)
        assert cli("run", "Theirs", "-t", "x").code == 0
        assert before_answer(project) == [LIST]

    def test_creating_reads_the_list_once(self, cli: Cli, project: LoopbackServer) -> None:
        add_foreign(project, 4000)
        cli("assistant", "create", "One", "-i", "DocWriter")
        assert len(calls(project)) <= 45
        cli("assistant", "create", "Two", "-i", "DocWriter")
        assert len(calls(project)) <= 12

    def test_listing(self, cli: Cli, project: LoopbackServer) -> None:
        for name in ("One", "Two"):
            cli("assistant", "create", name, "-i", "DocWriter")
        add_foreign(project, 500)
        cli("assistant", "list")
        calls(project)
        assert cli("assistant", "list", "-q").lines == ["One", "Two"]
        assert sorted(calls(project)) == [LIST, STORE, STORE]
        assert cli("assistant", "list", "-q", "--all-stores").lines == ["One", "Two"]
        assert calls(project) == [LIST] * 6

    def test_what_is_new_takes_a_request_a_page(self, cli: Cli, project: LoopbackServer) -> None:
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 1000)
        cli("assistant", "list")
        add_foreign(project, 250)
        calls(project)
        cli("assistant", "list")
        assert calls(project) == [LIST, LIST, LIST, STORE]

    def test_many_assistants_are_read_from_the_list(
        self, cli: Cli, project: LoopbackServer
    ) -> None:
        """A page has a hundred of them."""
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        for number in range(30):
            add_store(project, f"A{number}", like=only_store(project, "Docs"))
        add_foreign(project, 150)
        cli("assistant", "list")
        calls(project)
        assert len(cli("assistant", "list", "-q").lines) == 31
        assert calls(project) == [LIST, LIST]

    def test_files_of_assistants_are_read_once(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        for name in ("One", "Two", "Three"):
            write(f"{name}.md", name)
            cli("assistant", "create", name, "-i", "DocWriter", "-f", f"{name}.md")
        first = cli("file", "list", "--json").json
        calls(project)
        assert cli("file", "list", "--json").json == first
        assert sorted(calls(project)) == ["GET /files", LIST]
        assert sorted(f["used_by"] for f in first["files"]) == [["One"], ["Three"], ["Two"]]
        write("more.md", "more")
        assert cli("assistant", "files", "add", "Two", "more.md").code == 0
        calls(project)
        found = cli("file", "list", "--json").json["files"]
        assert sorted(calls(project)) == ["GET /files", LIST, "GET /vector_stores/*/files"]
        assert sorted(f["used_by"] for f in found) == [["One"], ["Three"], ["Two"], ["Two"]]

    def test_stores_of_others_are_read_once(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        """They are read again when their number of files, size or last use changed."""
        write("a.md", "a")
        write("b.md", "bb")
        cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md", "b.md")
        theirs = [project.stores[add_store(project)] for _ in range(30)]
        first, second = only_store(project, "Docs").files.values()
        for store in theirs:
            store.files["x"] = first
        assert self._users(cli) == [1, 31]
        calls(project)
        assert self._users(cli) == [1, 31]
        assert sorted(calls(project)) == ["GET /files", LIST]
        theirs[0].files["x"] = second
        theirs[1].files["y"] = second
        theirs[2].files.clear()
        theirs[3].about["last_active_at"] = 1
        assert self._users(cli) == [3, 29]
        assert calls(project).count("GET /vector_stores/*/files") == 3  # one is empty

    def test_a_store_without_a_size_is_read_each_time(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        """A server that gives none leaves no sign of a change."""
        write("a.md", "a")
        cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md")
        theirs = project.stores[add_store(project)]
        (theirs.files["x"],) = only_store(project, "Docs").files.values()
        theirs.files["x"].file.about["bytes"] = 0
        assert self._users(cli) == [2]
        for _ in range(2):
            calls(project)
            assert self._users(cli) == [2]
            assert calls(project).count("GET /vector_stores/*/files") == 1

    def test_what_is_replaced_is_looked_for_once(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        """In all vector stores, however many files go."""
        for number in range(12):
            write(f"docs/{number}.md", f"{number}")
        cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs")
        held = list(only_store(project, "Docs").files.values())
        theirs = [project.stores[add_store(project)] for _ in range(150)]
        foreign = StoredFile({**held[0].file.about, "id": "file-theirs"}, b"x")
        for store in theirs:
            store.files["x"] = replace(held[0], file=foreign)
        theirs[-1].files["y"] = held[3]
        for kept in (1, 2):
            for number in range(12):
                write(f"docs/{number}.md", f"{kept} {number}")
            calls(project)
            assert cli("assistant", "files", "sync", "Docs").code == 0
            made = calls(project)
            assert made.count(LIST) <= 4
            assert made.count("GET /vector_stores/*/files") <= 160
            assert made.count("DELETE /files/*") == (11 if kept == 1 else 12)
        assert held[3].file.about["id"] in project.files

    def test_what_was_read_before_a_failure_is_not_read_again(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "a")
        cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md")
        (held,) = only_store(project, "Docs").files.values()
        for _ in range(450):
            project.stores[add_store(project)].files["x"] = held
        files, limit = "/v1/vector_stores/*/files", outcomes.http_error(401)
        project.disturb("GET", files, limit, skip=420)
        assert cli("file", "list").code == 4
        calls(project)
        assert self._users(cli) == [451]
        assert calls(project).count("GET /vector_stores/*/files") <= 51

    def test_unused_files_are_looked_for_among_assistants_first(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path
    ) -> None:
        write("a.md", "a")
        cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md")
        for _ in range(300):
            theirs = project.stores[add_store(project)]
            theirs.files["x"] = next(iter(only_store(project, "Docs").files.values()))
        for words in ("file prune -n", "doctor"):
            calls(project)
            cli(*words.split())
            assert calls(project).count("GET /vector_stores/*/files") <= 2, words

    def _users(self, cli: Cli) -> list[int]:
        return [len(f["used_by"]) for f in cli("file", "list", "--json").json["files"]]

    def test_a_long_history_is_read_from_both_ends(self, cli: Cli, project: LoopbackServer) -> None:
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        cli("assistant", "edit", "Docs", "-m", "gpt-6.2-sol")
        about = only_store(project, "Docs").about["metadata"]
        items = project.conversations[about["conversation"]].items
        items[1:1] = [{**items[0], "id": f"msg_{number}"} for number in range(298)]
        about["revision"] = "300"
        calls(project)
        found = cli("assistant", "history", "Docs", "--json").json["revisions"]
        assert [revision["number"] for revision in found] == list(range(1, 301))
        assert [r["number"] for r in found if r["current"]] == [300]
        orders = [r.query["order"] for r in project.requests if r.path.endswith("/items")]
        assert {"asc", "desc"} == set(orders)
        assert calls(project).count(STORE) == 2


class TestAFileInPlaceOfOneOfTheSameSize:
    """In another program's vector store: the list of vector stores has no sign of it."""

    @pytest.fixture
    def files(self, cli: Cli, project: LoopbackServer, write: Write) -> list[str]:
        """The one that was there, and the one that is there."""
        for version in (1, 2):
            write("a.md", f"version {version}\n")
            assert cli("file", "upload", "a.md", "--purpose", "assistants").code == 0
        first, second = project.files
        store_id = add_store(project)
        held = project.stores[store_id].files
        held["x"] = Attachment(project.files[first], store_id, {}, 0)
        assert cli("file", "list").code == 0
        held["x"] = Attachment(project.files[second], store_id, {}, 0)
        return [first, second]

    def test_is_not_pruned(self, cli: Cli, project: LoopbackServer, files: list[str]) -> None:
        for _ in range(2):  # the first finds out
            assert cli("file", "prune", "-y").code == 0
        assert list(project.files) == files[1:]

    def test_is_deleted_only_knowingly(self, cli: Cli, files: list[str]) -> None:
        assert "used by vector store" in cli("file", "delete", files[1], "-n").text

    def test_stays_when_an_assistant_no_longer_needs_it(
        self, cli: Cli, project: LoopbackServer, write: Write, files: list[str]
    ) -> None:
        assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md").code == 0
        assert list(only_store(project, "Docs").files) == files[1:]
        assert cli("assistant", "files", "remove", "Docs", "a.md").code == 0
        assert list(project.files) == files


class TestAStoreThatCanNotBeRead:
    """One of another program: it may use any file, and stops nobody."""

    @pytest.fixture
    def theirs(self, cli: Cli, project: LoopbackServer, write: Write) -> str:
        write("a.md", "a")
        write("b.md", "b")
        cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md", "b.md")
        store_id = add_store(project)
        held = only_store(project, "Docs").files
        project.stores[store_id].files["x"] = next(iter(held.values()))
        refused = outcomes.http_error(403, message="not yours")
        path = f"/v1/vector_stores/{store_id}/files"
        project.disturb("GET", path, refused, times=1_000_000)
        return store_id

    @pytest.mark.parametrize("words", ["file list", "file show a.md", "file delete a.md -n"])
    def test_is_named_where_files_are_shown(self, cli: Cli, theirs: str, words: str) -> None:
        ran = cli(*words.split())
        assert (ran.code, ran.stderr.count(theirs)) == (0, 1)
        assert "not yours" in ran.stderr

    @pytest.mark.parametrize(
        ("words", "kept"),
        [
            ("assistant files remove Docs a.md", 1),
            ("assistant files set Docs b.md", 1),
            ("assistant delete Docs -y", 2),
        ],
    )
    def test_what_it_may_use_is_kept(
        self, cli: Cli, project: LoopbackServer, theirs: str, words: str, kept: int
    ) -> None:
        before = set(project.files)
        ran = cli(*words.split())
        assert (ran.code, set(project.files)) == (0, before)
        assert ran.stderr.count(theirs) == 1
        assert f"{kept} unused file" in ran.stderr
        assert "were kept; `gptasst file delete" in ran.stderr
        assert cli("file", "prune", "-y").stderr.endswith("nothing to prune\n")
        assert set(project.files) == before
        project.disturbances.clear()
        del project.stores[theirs]
        assert cli("file", "prune", "-y").code == 0
        assert len(project.files) == 2 - kept

    def test_another_thread_that_reads_it_meanwhile(
        self, cli: Cli, project: LoopbackServer, theirs: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What it finds is not taken for what was found before."""
        look, before = FileUsage.look, set(project.files)

        def look_twice(usage: FileUsage, **how: Any) -> Any:
            found = look(usage, **how)
            project.disturbances.clear()
            look(usage, **how)
            return found

        monkeypatch.setattr(FileUsage, "look", look_twice)
        assert cli("assistant", "files", "remove", "Docs", "a.md").code == 0
        assert set(project.files) == before

    def test_a_file_that_is_gone_was_not_kept(
        self, cli: Cli, project: LoopbackServer, theirs: str, home: Path
    ) -> None:
        new_machine(home)
        held = only_store(project, "Docs").files
        (gone,) = [i for i, a in held.items() if a.attributes["path"] == "b.md"]
        del project.files[gone]
        ran = cli("assistant", "delete", "Docs", "-y")
        assert "1 unused file" in ran.stderr
        assert gone not in ran.stderr

    def test_many_are_a_failure_of_the_server(
        self, cli: Cli, project: LoopbackServer, theirs: str
    ) -> None:
        for _ in range(200):
            project.stores[add_store(project)].files.update(project.stores[theirs].files)
        refused = outcomes.http_error(403, message="not yours")
        project.disturb("GET", "/v1/vector_stores/*/files", refused, times=1_000_000)
        assert cli("file", "list", "--json").error["code"] == "no_permission"


class TestFinding:
    def test_a_colleague_renames_an_old_one(self, cli: Cli, project: LoopbackServer) -> None:
        for name in ("A", "B", "C"):
            cli("assistant", "create", name, "-i", "DocWriter")
        add_foreign(project, 300)
        cli("assistant", "list")
        only_store(project, "B").about["name"] = "New"
        assert cli("assistant", "show", "New").code == 0
        assert cli("run", "B", "-t", "x").code == 3
        only_store(project, "C").about["name"] = "Newer"
        assert cli("run", "Newer", "-t", "x").code == 0
        assert cli("assistant", "list", "-q").lines == ["A", "New", "Newer"]

    def test_renamed_to_the_name_of_an_instruction_it_is_found_in_turn(
        self, cli: Cli, project: LoopbackServer
    ) -> None:
        for name in ("A", "B", "C"):
            cli("assistant", "create", name, "-i", "DocWriter")
        add_foreign(project, 300)
        cli("assistant", "list")
        only_store(project, "B").about["name"] = "MarkdownLinter"
        sources = [self._source(cli) for _ in range(3)]
        assert sources[-1] == "assistant"

    def _source(self, cli: Cli) -> Any:
        return cli("run", "MarkdownLinter", "-t", "x", "-n", "--json").json["source"]

    def test_a_name_that_moves_to_a_new_assistant(self, cli: Cli, project: LoopbackServer) -> None:
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 300)
        cli("assistant", "list")
        old = only_store(project, "Docs")
        old.about["name"] = "Old"
        new = add_store(project, "Docs", like=old)
        assert cli("assistant", "show", "Docs", "--json").json["id"] == new

    def test_more_than_a_page_in_one_second(self, cli: Cli, project: LoopbackServer) -> None:
        now = int(time.time())
        add_foreign(project, 350, at=now)
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        only_store(project, "Docs").about["created_at"] = now
        add_foreign(project, 350, at=now)
        cli("assistant", "list")
        add_store(project, "New", like=only_store(project, "Docs"), at=now)
        assert cli("assistant", "list", "-q").lines == ["Docs", "New"]

    def test_clocks_that_differ(self, cli: Cli, project: LoopbackServer) -> None:
        """One of the server's machines is seconds behind: what it makes is not listed first."""
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 300)
        cli("assistant", "list")
        late = add_store(project, "Late", like=only_store(project, "Docs"), at=int(time.time()) - 9)
        newer = list(project.stores)[-11:-1]
        for store_id in newer:
            project.stores[store_id] = project.stores.pop(store_id)
        assert list(project.stores)[-11] == late
        assert cli("assistant", "list", "-q").lines == ["Docs", "Late"]

    def test_many_commands_at_once(self, cli: Cli, project: LoopbackServer) -> None:
        """They write down what they saw at the same time."""
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 300)
        cli("assistant", "list")
        docs = only_store(project, "Docs")
        names = [f"New{number}" for number in range(5)]

        def make(name: str) -> None:
            add_store(project, name, like=docs)
            add_foreign(project, 150)

        with Client() as client, ThreadPoolExecutor(10) as pool:
            looks = [pool.submit(client.assistants.list) for _ in range(10)]
            made = [pool.submit(make, name) for name in names]
            looks += [pool.submit(client.assistants.list) for _ in range(10)]
            for look in looks:
                look.result()
            for add in made:
                add.result()
        assert cli("assistant", "list", "-q").lines == ["Docs", *names]
        for name in names:
            assert cli("assistant", "show", name).code == 0

    def test_all_that_was_seen_of_the_list_is_deleted(
        self, cli: Cli, project: LoopbackServer
    ) -> None:
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 120)
        cli("assistant", "list")
        docs = only_store(project, "Docs")
        project.stores.clear()
        project.stores[docs.about["id"]] = docs
        add_foreign(project, 250)
        add_store(project, "New", like=docs)
        assert cli("assistant", "list", "-q").lines == ["Docs", "New"]

    def test_another_key_leads_to_another_project(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was seen of one project is not taken for the other's."""
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 150)
        cli("assistant", "list")
        here = dict(project.stores)
        project.stores.clear()
        add_store(project, "Other", like=here[next(iter(here))])
        add_foreign(project, 150)
        assert cli("assistant", "list", "-q").lines == ["Other"]
        project.stores.clear()
        project.stores.update(here)
        assert cli("assistant", "list", "-q").lines == ["Docs"]

    @pytest.mark.parametrize("cleared", ["cache clear", "deleted", "damaged"])
    def test_the_cache_is_lost(
        self, cli: Cli, project: LoopbackServer, home: Path, cleared: str
    ) -> None:
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 150)
        cli("assistant", "list")
        if cleared == "cache clear":
            assert cli("cache", "clear", "-y").code == 0
        elif cleared == "deleted":
            new_machine(home)
        else:
            (home / "data" / "cache.sqlite3").write_bytes(b"nothing of SQLite's")
        assert cli("run", "Docs", "-t", "x").code == 0
        assert cli("assistant", "list", "-q").lines == ["Docs"]

    def test_what_is_kept_of_the_list_is_damaged(
        self, cli: Cli, project: LoopbackServer, home: Path
    ) -> None:
        import contextlib
        import sqlite3

        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 150)
        for text in ("", "[]", '{"anchors": 3}', '{"own": {"vs_1": 2}}', '{"more": 1}'):
            with contextlib.closing(sqlite3.connect(home / "data/cache.sqlite3")) as file, file:
                file.execute("UPDATE listings SET seen = ?", (text,))
            assert cli("assistant", "list", "-q").lines == ["Docs"], text

    @pytest.mark.parametrize("seconds", [0, 200])
    def test_a_server_that_lists_the_oldest_first(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch, seconds: int
    ) -> None:
        """Nothing is relied on: the list is read whole each time."""
        monkeypatch.setattr("tests.loopback.paging._ordered", lambda found, _order: list(found))
        add_foreign(project, 150, at=int(time.time()) - seconds)
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 150)
        cli("assistant", "list")
        add_store(project, "New", like=only_store(project, "Docs"))
        calls(project)
        assert cli("assistant", "list", "-q").lines == ["Docs", "New"]
        assert calls(project) == [LIST] * 4

    def test_a_server_that_gives_all_at_once(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tests.loopback.paging._limit", lambda _text, _most: 10_000)
        add_foreign(project, 350)
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 350)
        cli("assistant", "list")
        add_store(project, "New", like=only_store(project, "Docs"))
        calls(project)
        assert cli("assistant", "list", "-q").lines == ["Docs", "New"]
        assert calls(project) == [LIST, STORE]

    def test_a_list_that_ends_early(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is known is not forgotten for it."""
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 250)
        cli("assistant", "list")
        with monkeypatch.context() as patch:
            patch.setattr("tests.loopback.paging._limit", lambda *_: 99)
            patch.setattr("tests.loopback.paging._position", lambda *_: -1)
            assert cli("assistant", "list", "-q", "--all-stores").lines == ["Docs"]
        assert cli("assistant", "list", "-q").lines == ["Docs"]

    def test_names_are_completed_as_they_were_seen(self, cli: Cli, project: LoopbackServer) -> None:
        cli("assistant", "create", "Docs", "-i", "DocWriter")
        add_foreign(project, 300)
        add_store(project, "Theirs", like=only_store(project, "Docs"))
        cli("run", "MarkdownLinter", "-t", "x")
        offered = assistants([])
        assert sorted(name for name, _ in offered) == ["Docs", "Theirs"]


class TwoMachines:
    """Two homes of one project, and a colleague who works without gptasst's being asked."""

    NAMES = ("A", "B", "C", "D", "E")

    def __init__(self, cli: Cli, server: LoopbackServer, home: Path, seed: int) -> None:
        self.server = server
        self._cli = cli
        self._homes = [home, home.parent / "second"]
        self._random = random.Random(seed)
        self.log: list[str] = []

    def run(self, *words: str) -> Ran:
        """A command on one of the machines."""
        number = self._random.randrange(2)
        before = os.environ["GPTASST_HOME"]
        os.environ["GPTASST_HOME"] = str(self._homes[number])
        try:
            return self._cli(*words)
        finally:
            os.environ["GPTASST_HOME"] = before

    def names(self) -> dict[str, str]:
        """The assistants that there are, by name."""
        there = self.server.stores.values()
        return {s.about["name"]: s.about["id"] for s in there if "gptasst" in s.about["metadata"]}

    def step(self) -> None:
        step = self._random.choice(
            (self._create, self._rename, self._delete, self._foreign, self._tidy, self._forget)
        )
        self.log.append(step.__name__)
        step()

    def _free(self) -> str | None:
        free = sorted(set(self.NAMES) - self.names().keys())
        return self._random.choice(free) if free else None

    def _taken(self) -> str | None:
        names = sorted(self.names())
        return self._random.choice(names) if names else None

    def _create(self) -> None:
        name, other = self._free(), self._taken()
        if name is None:
            return
        if other and self._random.random() < 0.5:
            add_store(self.server, name, like=only_store(self.server, other), at=self._newest())
        else:
            assert self.run("assistant", "create", name, "-i", "DocWriter").code == 0

    def _rename(self) -> None:
        old, new = self._taken(), self._free()
        if not old or not new:
            return
        if self._random.random() < 0.5:
            only_store(self.server, old).about["name"] = new
        else:
            assert self.run("assistant", "edit", old, "--rename", new).code == 0

    def _delete(self) -> None:
        name = self._taken()
        if name is None or self._random.random() < 0.5:
            return
        if self._random.random() < 0.5:
            del self.server.stores[self.names()[name]]
        else:
            assert self.run("assistant", "delete", name, "-y").code == 0

    def _foreign(self) -> None:
        at = self._newest() + self._random.choice([0, 1])
        add_foreign(self.server, self._random.choice([1, 99, 100, 101, 700]), at=at)

    def _newest(self) -> int:
        return max(
            (s.about["created_at"] for s in self.server.stores.values()), default=int(time.time())
        )

    def _tidy(self) -> None:
        foreign = [i for i, s in self.server.stores.items() if not s.about["metadata"]]
        for store_id in self._random.sample(foreign, len(foreign) // 5):
            del self.server.stores[store_id]

    def _forget(self) -> None:
        if self._random.random() < 0.2:
            shutil.rmtree(self._random.choice(self._homes), ignore_errors=True)

    def check(self) -> None:
        """What is found is what there is."""
        there = self.names()
        name = self._random.choice(self.NAMES)
        look = self._random.randrange(3)
        if look == 0:
            listed = self.run("assistant", "list", "--json").json["assistants"]
            assert {a["name"]: a["id"] for a in listed} == there, self.log
        elif look == 1:
            ran = self.run("assistant", "show", name, "--json")
            assert (ran.json.get("id") if ran.code == 0 else None) == there.get(name), self.log
        else:
            ran = self.run("run", name, "-t", "x", "-n", "--json")
            assert (ran.code == 0) == (name in there), self.log


@pytest.mark.parametrize("seed", range(int(os.environ.get("GPTASST_LISTING_SEEDS", "4"))))
def test_what_is_found_is_what_the_whole_list_has(
    cli: Cli, project: LoopbackServer, home: Path, seed: int
) -> None:
    """Two machines and a colleague create, rename and delete, and other programs do as well."""
    machines = TwoMachines(cli, project, home, seed)
    add_foreign(project, 500)
    for _ in range(40):
        machines.step()
        machines.check()
