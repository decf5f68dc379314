"""`gptasst file`, through the real gateway and cache, over a server that plays OpenAI."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.assistants.project import calls, contents, new_machine, writes
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes


def upload(cli: Cli, *words: str | Path) -> list[str]:
    """Upload and give the ids."""
    ran = cli("file", "upload", *words, "-q")
    assert (ran.code, ran.stderr) == (0, "")
    return ran.lines


def on_server(project: LoopbackServer, data: bytes, name: str, purpose: str = "user_data") -> str:
    """A file of somebody else's."""
    from openai import OpenAI

    with OpenAI(base_url=project.base_url, api_key="x") as client:
        made = client.files.create(file=(name, data), purpose=purpose)  # type: ignore[arg-type]
    return made.id


def entries(cli: Cli, *words: str) -> list[Any]:
    ran = cli("file", *words, "--json")
    assert (ran.code, ran.stderr) == (0, "")
    found: list[Any] = ran.json["files"]
    return found


class TestUpload:
    def test_says_what_was_uploaded(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("a.md", "one")
        write("docs/b.md", "two")
        ran = cli("file", "upload", "a.md", "docs", "--json")
        assert (ran.code, ran.stderr) == (0, "")
        files = ran.json["files"]
        assert [(f["path"], f["size"], f["purpose"], f["new"]) for f in files] == [
            ("a.md", 3, "user_data", True),
            ("docs/b.md", 3, "user_data", True),
        ]
        assert {f["id"]: f["filename"] for f in files} == {
            file_id: stored.name for file_id, stored in project.files.items()
        }
        assert contents(project) == [b"one", b"two"]

    def test_for_people_and_programs(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("a.md", "one")
        ran = cli("file", "upload", "a.md")
        (file_id,) = project.files
        assert ran.lines == [f"a.md\t3 B\tuploaded\t{file_id}"]
        assert ran.stderr == "1 file uploaded (3 B), 0 were already there\n"
        again = cli("file", "upload", "a.md")
        assert again.lines == [f"a.md\t3 B\twas there\t{file_id}"]
        assert again.stderr == "0 files uploaded (0 B), 1 were already there\n"

    def test_content_goes_up_once(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        for name in ("a.md", "b.md", "copy of a.md"):
            write(name, name.removeprefix("copy of "))
        first = upload(cli, "a.md", "b.md", "copy of a.md")
        assert first[0] == first[2] != first[1]
        assert upload(cli, "copy of a.md", "b.md") == [first[0], first[1]]
        assert contents(project) == [b"a.md", b"b.md"]

    def test_known_upload_takes_one_request(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        for number in range(20):
            write(f"{number}.md", f"file {number}")
        upload(cli, "*.md")
        calls(project)
        upload(cli, "*.md")
        assert calls(project) == ["GET /files"]
        upload(cli, "3.md")
        assert calls(project) == ["GET /files/*"]

    @pytest.mark.parametrize("count", [1, 5])
    def test_id_that_is_gone_is_uploaded_anew(
        self, cli: Cli, project: LoopbackServer, write: Write, count: int
    ) -> None:
        for number in range(count):
            write(f"{number}.md", f"file {number}")
        before = upload(cli, "*.md")
        del project.files[before[0]]
        after = upload(cli, "*.md")
        assert after[0] != before[0]
        assert after[1:] == before[1:]
        assert len(project.files) == count

    def test_changed_file_is_uploaded(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        upload(cli, "a.md")
        write("a.md", "two")
        upload(cli, "a.md")
        assert contents(project) == [b"one", b"two"]

    def test_purposes_are_apart(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("a.yaml", "a: 1")
        (knowledge,) = upload(cli, "a.yaml", "--purpose", "assistants")
        (user_data,) = upload(cli, "a.yaml")
        about = {i: (f.about["purpose"], f.name) for i, f in project.files.items()}
        assert about == {
            knowledge: ("assistants", "a.yaml.txt"),
            user_data: ("user_data", "a.yaml"),
        }

    def test_knowledge_that_was_uploaded_before_is_used(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        upload(cli, "a.md", "--purpose", "assistants")
        assert cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md").code == 0
        assert contents(project) == [b"one"]

    @pytest.mark.parametrize(
        ("text", "seconds"), [("1h", 3_600), ("90m", 5_400), ("30d", 2_592_000), ("7200", 7_200)]
    )
    def test_expiry(
        self, cli: Cli, project: LoopbackServer, write: Write, text: str, seconds: int
    ) -> None:
        write("a.md", "one")
        first = upload(cli, "a.md", "--expires", text)
        (stored,) = project.files.values()
        assert stored.about["expires_at"] - stored.about["created_at"] == seconds
        assert upload(cli, "a.md", "--expires", text) == first

    def test_upload_that_expires_does_not_do_for_one_that_stays(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        first = upload(cli, "a.md", "--expires", "1h")
        stays = upload(cli, "a.md")
        assert stays != first
        assert upload(cli, "a.md", "--expires", "1h") in (first, stays)
        assert set(project.files) == {*first, *stays}

    def test_dry_run_sends_nothing(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("a.md", "one")
        write("b.md", "two")
        upload(cli, "a.md")
        calls(project)
        ran = cli("file", "upload", "a.md", "b.md", "--dry-run")
        assert [line.split("\t")[:3] for line in ran.lines] == [
            ["a.md", "3 B", "is there"],
            ["b.md", "3 B", "would upload"],
        ]
        assert writes(project) == []

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (["none.md"], 2, "no such file: `none.md`"),
            (["empty.md"], 2, "`empty.md` is empty"),
            (["a.md", "--purpose", "batch"], 2, "no purpose `batch`"),
            (["a.md", "--expires", "59m"], 2, "is not a time from 1h to 30d"),
            (["a.md", "--expires", "soon"], 2, "is not a time from 1h to 30d"),
            (["a.md", "--expires", "1h", "--purpose", "assistants"], 2, "would vanish"),
            (["binary.md", "--purpose", "assistants"], 2, "is not text"),
            ([], 2, "missing argument"),
        ],
    )
    def test_wrong_use(
        self,
        cli: Cli,
        project: LoopbackServer,
        write: Write,
        words: Sequence[str],
        code: int,
        message: str,
    ) -> None:
        write("a.md", "one")
        write("empty.md", "")
        write("binary.md", b"a\0b")
        ran = cli("file", "upload", *words)
        assert ran.code == code
        assert message in ran.stderr
        assert writes(project) == []

    def test_too_large_for_knowledge(self, cli: Cli, project: LoopbackServer) -> None:
        with Path("big.md").open("wb") as stream:
            stream.truncate(513 * 1024 * 1024)
        ran = cli("file", "upload", "big.md", "--purpose", "assistants")
        assert ran.code == 2
        assert "is too large: 537,919,488 bytes" in ran.stderr
        assert writes(project) == []

    def test_failure_of_one_file_names_it_and_keeps_the_rest(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        for name in ("a.md", "b.md", "c.md"):
            write(name, name)
        project.disturb("POST", "/v1/files", outcomes.http_error(400, message="not this one"))
        ran = cli("file", "upload", "a.md", "b.md", "c.md", "-q")
        assert ran.code == 6
        assert len(ran.lines) == 2
        assert "not this one" in ran.stderr
        assert len(upload(cli, "a.md", "b.md", "c.md")) == 3
        assert contents(project) == [b"a.md", b"b.md", b"c.md"]

    def test_what_was_on_its_way_when_another_failed_is_remembered(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        for name in ("a.md", "b.md"):
            write(name, name)
            for _ in range(2):  # so that name and size leave a doubt
                on_server(project, b"else", name)
        project.disturb("POST", "/v1/files", outcomes.http_error(403))
        project.meanwhile("POST", "/v1/files", lambda: time.sleep(0.3))
        assert cli("file", "upload", "a.md", "b.md").code == 4
        while project.open_connections:
            time.sleep(0.01)
        upload(cli, "a.md", "b.md")
        assert contents(project) == [b"a.md", b"b.md", *[b"else"] * 4]

    def test_when_another_failed_nothing_is_tried_again(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        for number in range(4):
            write(f"{number}.md", f"file {number}")
        project.latency = 0.2  # so that all of them are on their way
        project.disturb("POST", "/v1/files", outcomes.http_error(403))
        busy = outcomes.http_error(429, headers={"Retry-After": "100"})
        project.disturb("POST", "/v1/files", busy, times=99)
        ran = cli("file", "upload", "*.md", "-v")
        assert ran.code == 4
        assert len(writes(project)) <= 4
        assert ran.stderr.count("in upload_all") == 1

    @pytest.mark.parametrize("ident", [None, "", 7])
    def test_an_answer_without_an_id(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path, ident: object
    ) -> None:
        write("a.md", "one")
        upload(cli, "a.md")
        write("b.md", "two")
        about: Any = {"id": ident, "filename": "b.md", "bytes": 3, "purpose": "user_data"}
        odd = outcomes.http_error(200, body={**about, "object": "file", "created_at": 1})
        project.disturb("POST", "/v1/files", odd)
        ran = cli("file", "upload", "b.md", "--json")
        assert (ran.code, ran.error["code"]) == (1, "not_an_api")
        assert [path.name for path in (home / "data").glob("cache.*damaged*")] == []

    def test_wrong_key(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("a.md", "one")
        project.api_key = "another"
        assert cli("file", "upload", "a.md").code == 4

    def test_no_server(self, cli: Cli, write: Write) -> None:
        write("a.md", "one")
        ran = cli("file", "upload", "a.md")
        assert ran.code == 4
        assert "the embedded model has no files" in ran.stderr

    def test_lost_answer_makes_no_second_file(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        project.disturb("POST", "/v1/files", done=True)
        assert upload(cli, "a.md") == list(project.files)


class TestAfterTheCacheIsLost:
    @pytest.mark.parametrize("how", ["deleted", "garbage", "zero bytes"])
    def test_nothing_is_uploaded_again(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path, how: str
    ) -> None:
        for name in ("a.md", "b.md"):
            write(name, name)
        first = upload(cli, "a.md", "b.md")
        cache = home / "data" / "cache.sqlite3"
        if how == "deleted":
            new_machine(home)
        else:
            cache.write_bytes(b"garbage" * 999 if how == "garbage" else b"")
        ran = cli("file", "upload", "a.md", "b.md", "--json")
        assert [file["id"] for file in ran.json["files"]] == first
        assert contents(project) == [b"a.md", b"b.md"]
        assert ("and replaced" in ran.stderr) == (how != "deleted")

    def test_file_that_changed_since_is_not_taken_for_what_is_there(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path
    ) -> None:
        write("a.md", "one")
        upload(cli, "a.md")
        for stored in project.files.values():
            stored.about["created_at"] -= 60
        write("a.md", "two")
        new_machine(home)
        upload(cli, "a.md")
        assert contents(project) == [b"one", b"two"]

    def test_a_file_of_the_same_name_and_size_is_another(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path
    ) -> None:
        write("a.md", "one")
        (own,) = upload(cli, "a.md")
        other = on_server(project, b"two", "a.md")
        new_machine(home)
        assert upload(cli, "a.md") == [own]
        assert cli("file", "show", other, "--json").json["sha256"] is None


class TestList:
    def test_shows_local_paths_and_users(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        write("b.md", "two")
        cli("assistant", "create", "Writer", "-i", "DocWriter", "-f", "a.md")
        upload(cli, "b.md")
        foreign = on_server(project, b"three", "c.md")
        found = {entry["filename"]: entry for entry in entries(cli, "list")}
        assert found["a.md"]["used_by"] == ["Writer"]
        assert found["a.md"]["paths"] == [str(Path("a.md").absolute())]
        assert found["b.md"]["used_by"] == []
        assert found["b.md"]["paths"] == [str(Path("b.md").absolute())]
        assert (found["c.md"]["id"], found["c.md"]["sha256"]) == (foreign, None)
        assert cli("file", "list", "-q").lines == [entry["id"] for entry in entries(cli, "list")]

    def test_empty(self, cli: Cli, project: LoopbackServer) -> None:
        ran = cli("file", "list")
        assert (ran.code, ran.text) == (0, "")

    def test_files_and_vector_stores_are_read_at_the_same_time(
        self, cli: Cli, project: LoopbackServer
    ) -> None:
        on_server(project, b"one", "one.md")
        before = project.connections
        project.latency = 0.3  # seconds: long enough that no connection is free for the second one
        assert cli("file", "list").code == 0
        assert project.connections - before == 2

    def test_server_without_vector_stores(
        self, cli: Cli, project: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GPTASST_STORE", "local")
        missing = outcomes.http_error(404, message="Not Found")
        project.disturb("GET", "/v1/vector_stores", missing, times=9)
        write("a.md", "one")
        upload(cli, "a.md")
        assert [entry["filename"] for entry in entries(cli, "list")] == ["a.md"]


class TestShow:
    @pytest.mark.parametrize("by", ["id", "path", "name"])
    def test_by(self, cli: Cli, project: LoopbackServer, write: Write, by: str) -> None:
        write("docs/a.md", "one")
        (file_id,) = upload(cli, "docs/a.md")
        word = {"id": file_id, "path": "docs/a.md", "name": "a.md"}[by]
        ran = cli("file", "show", word, "--json")
        assert (ran.code, ran.json["id"]) == (0, file_id)
        assert cli("file", "show", word, "-q").lines == [file_id]
        assert f"id\t{file_id}" in cli("file", "show", word).lines

    def test_not_there(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("guide.md", "one")
        upload(cli, "guide.md")
        ran = cli("file", "show", "guise.md")
        assert ran.code == 3
        assert "did you mean `guide.md`?" in ran.stderr

    def test_name_of_several(self, cli: Cli, project: LoopbackServer) -> None:
        ids = [on_server(project, data, "x.md") for data in (b"one", b"two")]
        ran = cli("file", "show", "x.md")
        assert ran.code == 2
        assert all(file_id in ran.stderr for file_id in ids)


class TestDelete:
    def test_by_path_and_id(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        for name in ("a.md", "b.md", "c.md"):
            write(name, name)
        ids = upload(cli, "a.md", "b.md", "c.md")
        ran = cli("file", "delete", "a.md", ids[1], "--yes", "--json")
        assert {file["id"] for file in ran.json["files"]} == set(ids[:2])
        assert list(project.files) == [ids[2]]
        assert Path("a.md").exists()
        assert len(upload(cli, "a.md")) == 1
        assert contents(project) == [b"a.md", b"c.md"]

    def test_asks_first(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("a.md", "one")
        upload(cli, "a.md")
        ran = cli("file", "delete", "a.md")
        assert ran.code == 2
        assert "confirmation required" in ran.stderr
        assert len(project.files) == 1

    def test_those_that_fail_are_named(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        for name in ("a", "b", "c"):
            write(f"{name}.md", name)
        a, b, c = upload(cli, "a.md", "b.md", "c.md")
        project.disturb(
            "DELETE", f"/v1/files/{b}", outcomes.http_error(400, message="No."), times=2
        )
        ran = cli("file", "delete", "a.md", "b.md", "c.md", "-y", "--json")
        assert (ran.code, ran.error["code"]) == (6, "partly_done")
        assert f"1 of 3 files could not be deleted: `b.md` ({b}): " in ran.error["message"]
        assert [file["id"] for file in ran.json["files"]] == [a, c]
        assert list(project.files) == [b]
        assert cli("file", "delete", b, "-y").code == 1  # nothing was done
        assert ran.error["hint"] == f"`gptasst file delete {b}` tries again"
        assert cli("file", "delete", b, "-y").code == 0

    def test_says_who_uses_it(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("a.md", "one")
        cli("assistant", "create", "Writer", "-i", "DocWriter", "-f", "a.md")
        ran = cli("file", "delete", "a.md", "--dry-run")
        assert ran.code == 0
        assert "used by Writer" in ran.text
        assert len(project.files) == 1

    def test_nothing_goes_if_one_is_not_there(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        upload(cli, "a.md")
        assert cli("file", "delete", "a.md", "file-none", "-y").code == 3
        assert len(project.files) == 1


class TestPrune:
    def test_knowledge_that_no_assistant_holds_any_more(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        write("b.md", "three")
        cli("assistant", "create", "Gone", "-i", "DocWriter", "-f", "a.md")
        cli("assistant", "create", "Here", "-i", "DocWriter", "-f", "b.md")
        cli("assistant", "delete", "Gone", "--yes", "--keep-files")
        plan = cli("file", "prune", "--dry-run", "--json").json
        assert [(f["filename"], f["size"], f["reason"]) for f in plan["files"]] == [
            ("a.md", 3, "unused")
        ]
        assert plan["bytes"] == 3
        assert contents(project) == [b"one", b"three"]
        assert cli("file", "prune").code == 2
        ran = cli("file", "prune", "--yes")
        assert (ran.code, ran.stderr) == (0, "deleted 1 file (3 B)\n")
        assert contents(project) == [b"three"]
        assert cli("file", "prune", "--yes").stderr == "nothing to prune\n"

    def test_a_dry_run_changes_nothing_here_either(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        cli("file", "upload", "a.md")
        project.files.clear()
        cli("file", "prune", "--dry-run")
        assert cli("cache", "show", "--json").json["uploads"] == 1
        cli("file", "prune", "--yes")
        assert cli("cache", "show", "--json").json["uploads"] == 0

    def test_input_stays_while_its_file_is_on_disk(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        for name in ("stays.md", "goes.md", "changes.md"):
            write(name, name)
        upload(cli, "stays.md", "goes.md", "changes.md")
        Path("goes.md").unlink()
        write("changes.md", "something else")
        ran = cli("file", "prune", "-y", "--json")
        assert [f["filename"] for f in ran.json["files"]] == ["changes.md", "goes.md"]
        assert contents(project) == [b"stays.md"]

    def test_duplicates(self, cli: Cli, project: LoopbackServer, write: Write) -> None:
        write("a.md", "one")
        (short,) = upload(cli, "a.md", "--expires", "1h")
        (kept,) = upload(cli, "a.md")
        ran = cli("file", "prune", "-y", "--json")
        assert [(f["id"], f["reason"]) for f in ran.json["files"]] == [(short, "duplicate")]
        assert list(project.files) == [kept]

    def test_duplicate_of_what_is_in_use(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "one")
        write("b.md", "one")
        cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md", "b.md")
        cli("assistant", "files", "remove", "A", "b.md")
        (held,) = [i for store in project.stores.values() for i in store.files]
        uploaded = set(project.files)
        ran = cli("file", "prune", "-y", "--json")
        assert {f["id"] for f in ran.json["files"]} == uploaded - {held}
        assert list(project.files) == [held]

    def test_files_of_others_are_never_touched(
        self, cli: Cli, project: LoopbackServer, write: Write, home: Path
    ) -> None:
        write("mine.md", "mine")
        write("theirs.md", "theirs")
        upload(cli, "mine.md")
        foreign = on_server(project, b"theirs", "theirs.md")
        on_server(project, b"unknown", "unknown.md", "assistants")
        assert foreign not in upload(cli, "theirs.md")
        new_machine(home)
        assert foreign not in upload(cli, "theirs.md")
        cli("cache", "rebuild", ".")
        Path("theirs.md").unlink()
        Path("mine.md").unlink()
        assert cli("file", "prune", "-y", "--min-age", "0").stderr == "nothing to prune\n"
        assert len(project.files) == 4

    def test_what_another_vector_store_holds_is_in_use(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        from openai import OpenAI

        write("a.md", "one")
        (file_id,) = upload(cli, "a.md", "--purpose", "assistants")
        with OpenAI(base_url=project.base_url, api_key="x") as client:
            client.vector_stores.create(name="somebody's", file_ids=[file_id])
        assert cli("file", "prune", "-y").stderr == "nothing to prune\n"
        assert entries(cli, "list")[0]["used_by"] == ["vector store somebody's"]


def test_keys_of_the_documents(cli: Cli, project: LoopbackServer, write: Write) -> None:
    write("a.md", "one")
    uploaded = cli("file", "upload", "a.md", "--json").json
    assert set(uploaded) == {"files", "failed", "left_out"}
    assert set(uploaded["files"][0]) == {
        "path", "id", "filename", "size", "sha256", "purpose", "new"
    }  # fmt: skip
    shown = {
        "id", "filename", "size", "purpose", "created_at", "expires_at", "sha256", "paths",
        "used_by",
    }  # fmt: skip
    assert set(json.loads(cli("file", "show", "a.md", "--json").stdout)) == shown
    assert set(entries(cli, "list")[0]) == shown
    plan = cli("file", "delete", "a.md", "-n", "--json").json
    assert set(plan) == {"files", "bytes"}
    assert set(plan["files"][0]) == {"id", "filename", "size", "purpose", "used_by", "reason"}
    assert os.environ["OPENAI_API_KEY"] not in json.dumps([uploaded, plan])
