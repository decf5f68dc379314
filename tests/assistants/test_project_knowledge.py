"""Knowledge in a project: kept in step with the disk, nothing uploaded twice, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gptasst.uploads import cache
from tests.assistants.project import (
    calls,
    contents,
    knowledge,
    new_machine,
    only_store,
    stores,
    writes,
)
from tests.conftest import Cli
from tests.loopback import LoopbackServer, outcomes
from tests.processes import Process

Write = Callable[[str, str | bytes], Path]
MANY = 300


@pytest.fixture
def docs(cli: Cli, project: LoopbackServer, write: Write) -> Path:
    """An assistant `Docs` that knows a directory of three files."""
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", f"# Guide {name}\n")
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs").code == 0
    calls(project)
    return Path("docs")


def on_disk(directory: Path) -> dict[str, bytes]:
    return {p.as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_three_hundred_files_and_the_same_again(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    project.index_delay = 0.5
    for number in range(MANY):
        write(f"many/{number}.md", f"number {number}\n")
    assert cli("assistant", "create", "Many", "-i", "DocWriter", "-f", "many").code == 0
    assert knowledge(project, "Many") == on_disk(Path("many"))
    calls(project)
    ran = cli("assistant", "files", "set", "Many", "many")
    assert (ran.code, ran.stderr) == (0, f"`Many`: {MANY} unchanged\n")
    again = calls(project)
    assert len(again) <= 4
    assert all(call.startswith("GET") for call in again)


def test_an_edited_file_is_attached_before_the_old_one_is_detached(
    cli: Cli, project: LoopbackServer, docs: Path, write: Write
) -> None:
    write("docs/b.md", "changed\n")
    ran = cli("assistant", "files", "sync", "Docs")
    assert (ran.code, ran.stderr) == (0, "`Docs`: 1 replaced, 2 unchanged\n")
    assert writes(project) == [
        "POST /files",
        "POST /vector_stores/*/files",
        "POST /vector_stores/*",  # what it will be, before anything is detached
        "DELETE /vector_stores/*/files/*",
        "DELETE /files/*",
    ]
    assert knowledge(project, "Docs") == on_disk(docs)


def test_sync_follows_the_disk(cli: Cli, project: LoopbackServer, docs: Path, write: Write) -> None:
    (docs / "a.md").unlink()
    write("docs/new/d.md", "new\n")
    planned = cli("assistant", "files", "sync", "Docs", "-n", "--json").json
    assert [source["path"] for source in planned["add"]] == ["docs/new/d.md"]
    assert [file["path"] for file in planned["remove"]] == ["docs/a.md"]
    assert writes(project) == []
    assert cli("assistant", "files", "sync", "Docs").code == 0
    assert writes(project)[:4] == [
        "POST /files",
        "POST /vector_stores/*/files",
        "POST /vector_stores/*",
        "DELETE /vector_stores/*/files/*",
    ]
    assert knowledge(project, "Docs") == on_disk(docs)


def test_sync_in_the_wrong_directory_takes_nothing_away(
    cli: Cli, project: LoopbackServer, docs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = knowledge(project, "Docs")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ran = cli("assistant", "files", "sync", "Docs", "--json")
    assert (ran.code, ran.error["code"]) == (2, "nothing_here")
    assert knowledge(project, "Docs") == before


def test_add_remove_and_set(cli: Cli, project: LoopbackServer, docs: Path, write: Write) -> None:
    write("more.md", "more\n")
    assert cli("assistant", "files", "add", "Docs", "more.md").code == 0
    assert set(knowledge(project, "Docs")) == {*on_disk(docs), "more.md"}
    assert cli("assistant", "files", "remove", "Docs", "docs/a.md", "more.md").code == 0
    assert set(knowledge(project, "Docs")) == {"docs/b.md", "docs/c.md"}
    assert cli("assistant", "files", "set", "Docs", "more.md").code == 0
    assert set(knowledge(project, "Docs")) == {"more.md"}
    listed = cli("assistant", "files", "list", "Docs", "-q")
    assert listed.lines == ["more.md"]


def test_a_content_is_uploaded_once_for_all_assistants(
    cli: Cli, project: LoopbackServer, docs: Path
) -> None:
    cli("assistant", "create", "Other", "-i", "DocWriter", "-f", docs)
    assert "POST /files" not in calls(project)
    assert knowledge(project, "Other") == knowledge(project, "Docs")


def test_two_paths_of_one_content_are_both_known(
    cli: Cli, project: LoopbackServer, docs: Path, write: Write
) -> None:
    write("docs/copy.md", (docs / "a.md").read_bytes())
    assert cli("assistant", "files", "sync", "Docs").code == 0
    assert knowledge(project, "Docs") == on_disk(docs)
    calls(project)
    assert cli("assistant", "files", "sync", "Docs").stderr == "`Docs`: 4 unchanged\n"
    assert writes(project) == []


@pytest.mark.parametrize(
    "name", ["conf.yaml", "table.csv", "doc.rst", "q.sql", "x.toml", "Makefile"]
)
def test_text_that_file_search_refuses_goes_as_txt_under_its_own_path(
    cli: Cli, project: LoopbackServer, name: str, write: Write
) -> None:
    write(name, "a: 1\n")
    assert cli("assistant", "create", "A", "-i", "DocWriter", "-f", name).code == 0
    assert knowledge(project, "A") == {name: b"a: 1\n"}
    assert [f.name for f in project.files.values()] == [f"{name}.txt"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\x00\x01binary", "is not text"),
        ("Барсук".encode("koi8-r"), "--encoding"),
    ],
)
def test_a_file_that_can_not_be_knowledge_is_refused_before_anything_is_sent(
    cli: Cli, project: LoopbackServer, docs: Path, content: bytes, reason: str, write: Write
) -> None:
    write("docs/bad.md", content)
    ran = cli("assistant", "files", "add", "Docs", "docs/bad.md", "--json")
    assert (ran.code, ran.error["code"]) == (2, "not_knowledge")
    assert "docs/bad.md" in ran.error["message"]
    assert reason in ran.error["message"]
    assert writes(project) == []
    # From a directory the same file is left out, and said.
    ran = cli("assistant", "files", "sync", "Docs")
    assert (ran.code, "left out: `docs/bad.md`" in ran.stderr) == (0, True)
    assert "docs/bad.md" not in knowledge(project, "Docs")


def test_files_that_fail_are_named_and_the_rest_stays(
    cli: Cli, project: LoopbackServer, docs: Path, write: Write
) -> None:
    project.index_failures["bad.md"] = ("invalid_file", "The file is broken.")
    project.index_failures["b.md"] = ("server_error", "Something went wrong.")
    write("docs/bad.md", "bad\n")
    write("docs/good.md", "good\n")
    write("docs/b.md", "changed\n")
    ran = cli("assistant", "files", "sync", "Docs")
    assert ran.code == 6
    assert "`docs/bad.md`: The file is broken." in ran.stderr
    assert "`docs/b.md`: Something went wrong." in ran.stderr
    held = knowledge(project, "Docs")
    assert set(held) == {"docs/a.md", "docs/b.md", "docs/c.md", "docs/good.md"}
    assert held["docs/b.md"] == b"# Guide b\n"
    assert b"bad\n" not in contents(project)
    project.index_failures.clear()
    assert cli("assistant", "files", "sync", "Docs").code == 0
    assert knowledge(project, "Docs") == on_disk(docs)


def test_a_file_that_is_refused_once_is_tried_again(
    cli: Cli, project: LoopbackServer, docs: Path, write: Write
) -> None:
    project.refused_once.add("new.md")
    write("docs/new.md", "new\n")
    assert cli("assistant", "files", "sync", "Docs").code == 0
    assert knowledge(project, "Docs") == on_disk(docs)


@pytest.mark.parametrize("names", [["new.md"], ["new.md", "newer.md"]])
def test_a_file_that_is_not_known_yet_is_tried_again(
    cli: Cli, project: LoopbackServer, docs: Path, names: list[str], write: Write
) -> None:
    unknown = outcomes.http_error(404, message="No such File object: file-1")
    project.disturb("POST", "/v1/vector_stores/*/file_batches", unknown)
    project.disturb("POST", "/v1/vector_stores/*/files", unknown)
    for name in names:
        write(f"docs/{name}", f"{name}\n")
    assert cli("assistant", "files", "sync", "Docs").code == 0
    assert knowledge(project, "Docs") == on_disk(docs)
    assert len(project.files) == 3 + len(names)


def test_an_id_that_the_server_forgot_is_uploaded_anew(
    cli: Cli, project: LoopbackServer, docs: Path
) -> None:
    for file_id in list(project.files):
        del project.files[file_id]
    for store in project.stores.values():
        store.files.clear()
    ran = cli("assistant", "create", "Other", "-i", "DocWriter", "-f", docs)
    assert (ran.code, ran.stderr) == (0, "created `Other` with 3 files\n")
    assert knowledge(project, "Other") == on_disk(docs)
    assert len(project.files) == 3


@pytest.mark.parametrize("batches", ["refused", "without attributes", "ignored"])
def test_servers_that_do_less_with_a_batch(
    cli: Cli, project: LoopbackServer, batches: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    if batches == "refused":
        refused = outcomes.http_error(400, message="Unknown parameter: 'files'.")
        project.disturb("POST", "/v1/vector_stores/*/file_batches", refused, times=9)
    else:
        monkeypatch.setattr(project, "batch_files", batches)
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", f"# {name}\n")
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs").code == 0
    assert knowledge(project, "Docs") == on_disk(Path("docs"))


@pytest.mark.parametrize("status", [400, 404])
def test_missing_objects_by_400_or_404(cli: Cli, project: LoopbackServer, status: int) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    gone = outcomes.http_error(status, message="Vector Store 'vs_1' not found.")
    project.disturb("GET", "/v1/vector_stores/vs_*", gone)
    assert cli("run", "Docs", "-t", "hello").text == "hello"


LOST = [
    "/v1/files",
    "/v1/vector_stores",
    "/v1/conversations/*/items",
    "/v1/vector_stores/*/file_batches",
    "/v1/vector_stores/vs_*",
]


@pytest.mark.parametrize("outcome", [None, outcomes.http_error(500), outcomes.http_error(503)])
@pytest.mark.parametrize("path", LOST)
def test_what_was_carried_out_and_not_answered_is_not_done_twice(
    cli: Cli,
    project: LoopbackServer,
    path: str,
    outcome: outcomes.HttpAnswer | None,
    write: Write,
) -> None:
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", f"# Guide {name}\n")
    project.disturb("POST", path, outcome, done=True)
    ran = cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs")
    assert (ran.code, ran.stderr) == (0, "created `Docs` with 3 files\n")
    assert len(project.stores) == 1
    assert knowledge(project, "Docs") == on_disk(Path("docs"))
    assert contents(project) == sorted(on_disk(Path("docs")).values())
    (conversation,) = project.conversations.values()
    assert len(conversation.items) == 1


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [(401, "invalid_api_key", 4), (403, None, 4), (429, "insufficient_quota", 5)],
)
@pytest.mark.parametrize("path", LOST[:4])
def test_a_create_that_fails_leaves_no_assistant(
    cli: Cli,
    project: LoopbackServer,
    path: str,
    status: int,
    code: str | None,
    exit_code: int,
    write: Write,
) -> None:
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", f"# Guide {name}\n")
    project.disturb("POST", path, outcomes.http_error(status, code), times=9)
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs").code == exit_code
    assert project.stores == {}
    assert project.conversations == {}
    project.disturbances.clear()
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs").code == 0
    assert contents(project) == sorted(on_disk(Path("docs")).values())


def test_requests_that_are_limited_are_waited_for(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    for number in range(20):
        write(f"docs/{number}.md", f"number {number}\n")
    limited = outcomes.http_error(429, "rate_limit_exceeded", headers={"Retry-After": "0.1"})
    project.disturb("POST", "/v1/files", limited, times=7)
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs").code == 0
    assert contents(project) == sorted(on_disk(Path("docs")).values())


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_create_that_is_killed_is_finished_by_doing_it_again(
    cli: Cli, project: LoopbackServer, stop: signal.Signals, write: Write
) -> None:
    for number in range(12):
        write(f"docs/{number}.md", f"number {number}\n")
    words = ["assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs"]
    project.latency = 0.03
    for moment in (2, 4, 6, 9, 14, 19, 21, 23):
        project.requests.clear()
        process = Process(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(project.requests) < moment and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(stop)
        if process.wait(20) == 0:
            break  # it was done before it could be stopped
    project.latency = 0.0
    while project.open_connections:  # requests of the last one are still being carried out
        time.sleep(0.002)
    code = cli(*words).code
    assert code == 0 or [s.about["metadata"]["state"] for s in stores(project, "Docs")] == ["ready"]
    assert knowledge(project, "Docs") == on_disk(Path("docs"))
    assert contents(project) == sorted(on_disk(Path("docs")).values())


def test_a_lost_cache_is_made_again_from_the_server(
    cli: Cli, project: LoopbackServer, docs: Path, home: Path, write: Write
) -> None:
    new_machine(home)
    write("docs/new.md", "new\n")
    assert cli("assistant", "create", "Other", "-i", "DocWriter", "-f", docs).code == 0
    assert contents(project) == sorted(on_disk(docs).values())


def test_a_file_that_changes_while_it_is_uploaded_is_not_taken_for_what_it_was(
    cli: Cli,
    project: LoopbackServer,
    docs: Path,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache, "_identity", lambda _: 0)  # as where no clock tells of a change
    path = write("docs/big.md", "x" * 3_000_000)
    os.utime(path, (1, 1))
    assert cli("assistant", "files", "sync", "Docs", "-n").code == 0  # hashed and remembered
    path.write_text("y" * 3_000_000)
    os.utime(path, (1, 1))  # the same size and time: only its content tells
    ran = cli("assistant", "files", "sync", "Docs")
    assert ran.code == 6
    assert "changed while it was uploaded" in ran.stderr
    assert "docs/big.md" not in knowledge(project, "Docs")
    assert all(len(content) < 100 for content in contents(project))


def test_state_is_ready_when_everything_is_in(
    cli: Cli, project: LoopbackServer, docs: Path
) -> None:
    assert only_store(project, "Docs").about["metadata"]["state"] == "ready"


class TestFilesThatStayInProgress:
    """A server is known to leave a file so for ever."""

    @pytest.fixture(autouse=True)
    def stuck(self, cli: Cli, project: LoopbackServer, docs: Path) -> None:
        cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", docs)
        project.index_delays["a.md"] = 9_999.0
        project.requests.clear()

    def test_it_is_named_until_it_is_right(self, cli: Cli, project: LoopbackServer) -> None:
        for _ in range(2):
            ran = cli("assistant", "files", "sync", "Docs")
            assert ran.code == 6
            assert "`docs/a.md`: not indexed by the server yet, since 2" in ran.stderr
        project.index_delays.clear()
        assert cli("assistant", "files", "sync", "Docs").code == 0

    def test_it_delays_no_other(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("more.md", "More.\n")
        ran = cli("assistant", "files", "add", "Docs", "more.md")
        assert ran.code == 6
        assert "1 file could not be taken: `docs/a.md`" in ran.stderr
        assert "more.md" in knowledge(project, "Docs")

    def test_an_old_one_is_attached_anew(self, cli: Cli, project: LoopbackServer) -> None:
        store = only_store(project, "Docs")
        (old,) = (a for a in store.files.values() if a.attributes["path"] == "docs/a.md")
        old.created_at -= 1_000
        assert cli("assistant", "files", "sync", "Docs").code == 6
        (new,) = (a for a in store.files.values() if a.attributes["path"] == "docs/a.md")
        assert new is not old
        assert new.attributes == old.attributes


@pytest.mark.parametrize(
    "words", [("remove", "copy.md"), ("set", "a.md", "b.md"), ("add", "copy.md")]
)
def test_an_equal_file_keeps_its_passages_where_they_are_found_by_content(
    cli: Cli, project: LoopbackServer, write: Write, words: tuple[str, ...]
) -> None:
    """OGX takes the passages of all files of a content away with one of them."""
    project.finds_by_content = True
    write("a.md", "sheep\n")
    write("copy.md", "sheep\n")
    write("b.md", "goats\n")
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md", "copy.md", "b.md")
    if words[0] == "add":
        write("copy.md", "changed\n")
    assert cli("assistant", "files", words[0], "Docs", *words[1:]).code == 0
    found = cli("assistant", "search", "Docs", "sheep goats", "--json").json["passages"]
    assert {passage["path"] for passage in found} == {"a.md", "b.md"}
    shown = cli("assistant", "show", "Docs", "--json").json
    assert shown["complete"]
    assert len(project.files) == len(shown["knowledge"])
