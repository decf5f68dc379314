"""An assistant of a project that other machines, and other programs, change as well."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.assistants.project import calls, contents, knowledge, new_machine, only_store
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.store_files import NO_ENTRY
from tests.loopback.world import Attachment, Store
from tests.uploads.test_proven_contents import attach, on_server


@pytest.fixture
def docs(cli: Cli, project: LoopbackServer, write: Write) -> LoopbackServer:
    """An assistant `Docs` that knows `a.md` and the directory `dir`."""
    write("a.md", "one")
    write("dir/b.md", "two")
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md", "dir").code == 0
    calls(project)
    return project


class TestUploadsThatNothingUsesAnyMore:
    @pytest.mark.parametrize(
        "words",
        [
            ("files", "remove", "Docs", "a.md"),
            ("files", "set", "Docs", "dir"),
            ("edit", "Docs", "-f", "dir"),
        ],
        ids=" ".join,
    )
    @pytest.mark.parametrize("keep", [False, True])
    def test_they_go_unless_kept(
        self, cli: Cli, docs: LoopbackServer, words: tuple[str, ...], keep: bool
    ) -> None:
        assert cli("assistant", *words, *(["--keep-files"] if keep else [])).code == 0
        assert knowledge(docs, "Docs") == {"dir/b.md": b"two"}
        assert contents(docs) == ([b"one", b"two"] if keep else [b"two"])

    def test_replaced_content_goes(self, cli: Cli, docs: LoopbackServer, write: Write) -> None:
        write("a.md", "new")
        assert cli("assistant", "files", "sync", "Docs").code == 0
        assert contents(docs) == [b"new", b"two"]

    def test_what_something_else_uses_stays(self, cli: Cli, docs: LoopbackServer) -> None:
        attach(docs, "a.md")()
        assert cli("assistant", "files", "remove", "Docs", "a.md").code == 0
        assert contents(docs) == [b"one", b"two"]

    def test_what_is_attached_at_the_last_moment_stays(
        self, cli: Cli, docs: LoopbackServer
    ) -> None:
        docs.meanwhile("DELETE", "/v1/vector_stores/*/files/*", attach(docs, "a.md"))
        assert cli("assistant", "files", "remove", "Docs", "a.md").code == 0
        assert contents(docs) == [b"one", b"two"]

    def test_files_of_others_in_the_store_stay(self, cli: Cli, docs: LoopbackServer) -> None:
        """Somebody put a file there and wrote attributes as gptasst does."""
        theirs = on_server(docs, b"theirs", "theirs.md")
        store = only_store(docs, "Docs")
        from openai import OpenAI

        with OpenAI(base_url=docs.base_url, api_key="x") as client:
            client.vector_stores.files.create(
                store.about["id"], file_id=theirs,
                attributes={"path": "theirs.md", "sha256": "0" * 64, "size": 6},
            )  # fmt: skip
        ran = cli("assistant", "files", "remove", "Docs", "theirs.md")
        assert "may belong to somebody else" in ran.stderr
        assert theirs in docs.files
        assert cli("assistant", "delete", "Docs", "-y").code == 0
        assert contents(docs) == [b"theirs"]

    def test_a_delete_takes_what_earlier_revisions_left_behind(
        self, cli: Cli, docs: LoopbackServer
    ) -> None:
        cli("assistant", "files", "set", "Docs", "dir", "--keep-files")
        assert contents(docs) == [b"one", b"two"]
        assert cli("assistant", "delete", "Docs", "-y").code == 0
        assert contents(docs) == []


class TestDelete:
    def test_what_another_machine_deleted_is_not_mentioned(
        self, cli: Cli, docs: LoopbackServer, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GPTASST_HOME", str(home.parent / "second"))
        cli("assistant", "create", "Mine", "-i", "DocWriter", "-f", "a.md")
        cli("assistant", "files", "set", "Mine", "dir")
        monkeypatch.setenv("GPTASST_HOME", str(home))
        cli("assistant", "files", "remove", "Docs", "a.md")
        monkeypatch.setenv("GPTASST_HOME", str(home.parent / "second"))
        assert cli("assistant", "delete", "Mine", "-y").stderr == "deleted `Mine`\n"

    def test_what_another_assistant_gets_at_the_last_moment_stays(
        self, cli: Cli, docs: LoopbackServer
    ) -> None:
        docs.meanwhile("DELETE", "/v1/conversations/*", attach(docs, "a.md"))
        assert cli("assistant", "delete", "Docs", "-y").code == 0
        assert contents(docs) == [b"one"]

    @pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
    def test_the_question_is_asked_again_if_it_is_not_true_any_more(
        self, docs: LoopbackServer, write: Write, cli: Cli
    ) -> None:
        from tests.on_terminal import on_terminal

        write("more.md", "three")
        # The second look, after the yes: somebody added a file meanwhile.
        docs.meanwhile(
            "GET", "/v1/vector_stores/vs_*",
            lambda: cli("assistant", "files", "add", "Docs", "more.md"), skip=1,
        )  # fmt: skip
        seen = on_terminal("assistant", "delete", "Docs", typed="y\nn\n", after="[y/N]")
        assert "with 2 knowledge files?" in seen.screen
        assert "with 3 knowledge files?" in seen.screen
        assert len(knowledge(docs, "Docs")) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_rollback_looks_again_after_the_yes(cli: Cli, docs: LoopbackServer) -> None:
    from tests.on_terminal import on_terminal

    def edit() -> None:
        assert cli("assistant", "edit", "Docs", "--description", "theirs").code == 0

    assert cli("assistant", "edit", "Docs", "--description", "ours").code == 0
    docs.requests.clear()
    assert cli("assistant", "rollback", "Docs", "1").code == 2  # nobody is there to be asked
    docs.meanwhile("*", "*", edit, skip=len(docs.requests))  # at the second look
    seen = on_terminal("assistant", "rollback", "Docs", "1", typed="y\nn\n", after="[y/N]")
    assert "(revision 2) with that of revision 1?" in seen.screen
    assert "(revision 3) with that of revision 1?" in seen.screen
    shown = cli("assistant", "show", "Docs", "--json").json
    assert (shown["revision"], shown["definition"]["description"]) == (3, "theirs")


class TestKnowledgeThatWasDeletedOnTheServer:
    def test_show_and_sync_notice_it_and_sync_heals_it(
        self, cli: Cli, docs: LoopbackServer
    ) -> None:
        (gone,) = [i for i, stored in docs.files.items() if stored.name == "a.md"]
        assert cli("file", "delete", gone, "-y").code == 0
        shown = cli("assistant", "show", "Docs", "--json")
        assert (shown.json["complete"], shown.json["gone"]) == (False, ["a.md"])
        assert "`a.md` was deleted on the server" in shown.stderr
        ran = cli("assistant", "files", "sync", "Docs")
        assert (ran.code, "1 added, 1 unchanged" in ran.stderr) == (0, True)
        assert knowledge(docs, "Docs") == {"a.md": b"one", "dir/b.md": b"two"}
        assert cli("assistant", "show", "Docs", "--json").json["complete"] is True

    @pytest.mark.parametrize("more", [0, 30])
    def test_also_where_the_vector_store_goes_on_listing_it(
        self, cli: Cli, docs: LoopbackServer, write: Write, home: Path, more: int
    ) -> None:
        docs.keeps_entries = True
        for number in range(more):
            write(f"dir/{number}.md", f"text {number}")
        assert cli("assistant", "files", "sync", "Docs").code == 0
        (gone,) = [i for i, stored in docs.files.items() if stored.name == "a.md"]
        del docs.files[gone]
        new_machine(home)
        calls(docs)
        shown = cli("assistant", "show", "Docs", "--json")
        assert len(calls(docs)) < 10
        assert (shown.json["complete"], shown.json["gone"]) == (False, ["a.md"])
        assert [f["path"] for f in shown.json["knowledge"] if f["status"] == "gone"] == ["a.md"]
        messages = [one["message"] for one in cli("doctor", "--json").json["findings"]]
        assert "`a.md` was deleted on the server in the knowledge of `Docs`" in messages
        ran = cli("assistant", "files", "sync", "Docs")
        assert (ran.code, "1 replaced" in ran.stderr) == (0, True)
        assert "`a.md` was deleted on the server" in ran.stderr
        assert cli("assistant", "show", "Docs", "--json").json["complete"] is True
        assert len(knowledge(docs, "Docs")) == more + 2

    def test_an_upload_that_is_remembered_and_gone_is_sent_anew(
        self, cli: Cli, docs: LoopbackServer, write: Write
    ) -> None:
        docs.keeps_entries = True
        write("c.md", "three")
        (gone,) = cli("file", "upload", "c.md", "--purpose", "assistants", "-q").lines
        del docs.files[gone]
        assert cli("assistant", "files", "add", "Docs", "c.md").code == 0
        assert knowledge(docs, "Docs")["c.md"] == b"three"
        assert contents(docs) == [b"one", b"three", b"two"]

    def test_another_machine_says_that_it_does_not_know_which(
        self, cli: Cli, docs: LoopbackServer, home: Path
    ) -> None:
        for name in ("a.md", "b.md"):
            (gone,) = [i for i, stored in docs.files.items() if stored.name == name]
            cli("file", "delete", gone, "-y")
        new_machine(home)
        ran = cli("assistant", "files", "sync", "Docs")
        assert "by other programs" in ran.stderr
        assert knowledge(docs, "Docs") == {"dir/b.md": b"two"}


class TestLostEntries:
    """OGX loses one when two machines detach, attach or change the metadata at the same instant."""

    @pytest.fixture
    def lost(self, docs: LoopbackServer) -> LoopbackServer:
        store = only_store(docs, "Docs")
        (file_id,) = [i for i, a in store.files.items() if a.attributes["path"] == "a.md"]
        del store.files[file_id]
        store.lost.add(file_id)
        return docs

    def test_the_rest_is_read_and_the_lost_file_comes_back(
        self, cli: Cli, lost: LoopbackServer, home: Path
    ) -> None:
        new_machine(home)
        shown = cli("assistant", "show", "Docs", "--json").json
        assert [file["path"] for file in shown["knowledge"]] == ["dir/b.md"]
        assert shown["complete"] is False
        assert cli("assistant", "files", "add", "Docs", "a.md").code == 0
        assert cli("assistant", "files", "sync", "Docs").code == 0
        assert knowledge(lost, "Docs") == {"a.md": b"one", "dir/b.md": b"two"}
        assert cli("assistant", "show", "Docs", "--json").json["complete"] is True

    def test_others_are_made_changed_and_deleted(
        self, cli: Cli, lost: LoopbackServer, write: Write
    ) -> None:
        assert cli("assistant", "create", "More", "-i", "DocWriter", "-f", "dir").code == 0
        write("dir/b.md", "new")
        assert cli("assistant", "files", "sync", "More").code == 0
        assert knowledge(lost, "Docs") == {"dir/b.md": b"two"}
        for name in ("More", "Docs"):
            assert cli("assistant", "delete", name, "-y").code == 0
        assert not lost.stores
        cli("file", "prune", "-y")
        assert contents(lost) == []

    @pytest.mark.parametrize("purpose", ["assistants", "user_data"])
    def test_the_other_files_of_another_program_s_store_stay(
        self, cli: Cli, lost: LoopbackServer, write: Write, purpose: str
    ) -> None:
        path = write("c.md", "three")
        ident = cli("file", "upload", "c.md", "--purpose", purpose, "--json").json["files"][0]["id"]
        path.unlink()
        theirs = Store({**only_store(lost, "Docs").about, "id": "vs_theirs", "metadata": {}})
        theirs.files[ident] = Attachment(lost.files[ident], "vs_theirs", {}, 0)
        theirs.lost.add("file-gone")
        lost.stores["vs_theirs"] = theirs
        assert cli("file", "prune", "-y").code == 0
        assert ident in lost.files

    def test_an_entry_that_is_missing_for_a_moment(self, cli: Cli, docs: LoopbackServer) -> None:
        """Another machine detaches a file while the list is read."""
        answer = outcomes.http_error(400, message=NO_ENTRY)
        docs.disturb("GET", "/v1/vector_stores/*/files", answer)
        assert len(cli("assistant", "files", "list", "Docs", "-q").lines) == 2
        assert calls(docs) == ["GET /vector_stores/*", *["GET /vector_stores/*/files"] * 2]

    def test_another_machine_detached_it_at_the_same_instant(
        self, cli: Cli, docs: LoopbackServer
    ) -> None:
        store = only_store(docs, "Docs")
        (file_id,) = [i for i, a in store.files.items() if a.attributes["path"] == "a.md"]

        def lose() -> None:
            del store.files[file_id]
            store.lost.add(file_id)

        docs.meanwhile("DELETE", "/v1/vector_stores/*/files/*", lose)
        assert cli("assistant", "files", "remove", "Docs", "a.md").code == 0
        assert knowledge(docs, "Docs") == {"dir/b.md": b"two"}


def test_what_another_machine_uploaded_is_not_uploaded_again(
    cli: Cli, docs: LoopbackServer, write: Write, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_HOME", str(home.parent / "second"))
    assert cli("assistant", "create", "Mine", "-i", "DocWriter", "-f", "a.md").code == 0
    assert contents(docs) == [b"one", b"two"]
    monkeypatch.setenv("GPTASST_HOME", str(home))
    for name in ("c", "d", "e"):
        write(f"more/{name}.md", name)
    assert cli("assistant", "files", "add", "Docs", "more").code == 0
    monkeypatch.setenv("GPTASST_HOME", str(home.parent / "second"))
    calls(docs)
    for words in (["create", "Next", "-i", "DocWriter", "-f", "more"],
                  ["files", "add", "Mine", "more"]):  # fmt: skip
        assert cli("assistant", *words).code == 0
    assert "POST /files" not in calls(docs)
    assert knowledge(docs, "Next") == {f"more/{n}.md": n.encode() for n in "cde"}


def test_the_hint_of_a_create_whose_files_failed_can_be_followed(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    write("it's bad.md", "bad")
    write("good.md", "good")
    project.index_failures["it's bad.md"] = ("invalid_file", "The file is broken.")
    words = ("assistant", "create", "My Docs", "-i", "DocWriter", "-f", "good.md", "it's bad.md")
    ran = cli(*words)
    assert ran.code == 6
    project.index_failures.clear()
    (printed,) = re.findall(r"`gptasst ([^`]+)`", ran.stderr.splitlines()[-1])
    assert cli(*shlex.split(printed)).code == 0
    assert set(knowledge(project, "My Docs")) == {"good.md", "it's bad.md"}


@pytest.mark.parametrize("name", ["two\nlines", "bell\x07", "\u202eodd", "-y", " blank"])
def test_an_odd_name_is_one_line_and_addressed_by_its_id(
    cli: Cli, docs: LoopbackServer, name: str
) -> None:
    store = only_store(docs, "Docs")
    store.about["name"] = name
    ident = store.about["id"]
    assert cli("assistant", "list", "-q").lines == [ident]
    assert len(cli("assistant", "list").lines) == 1
    assert cli("assistant", "show", ident, "-q").lines == [ident]
    ran = cli("assistant", "delete", ident, "-y", "-q")
    assert (ran.code, ran.lines) == (0, [ident])
    assert docs.stores == {}


class TestDeletionThatWasCut:
    """Its conversation is gone, and its vector store is still there."""

    @pytest.fixture
    def cut(self, cli: Cli, docs: LoopbackServer) -> LoopbackServer:
        docs.disturb("DELETE", "/v1/vector_stores/*", outcomes.http_error(500), times=9)
        assert cli("assistant", "delete", "Docs", "-y").code == 1
        docs.disturbances.clear()
        return docs

    @pytest.mark.parametrize("machine", ["this one", "another"])
    @pytest.mark.parametrize(
        "line",
        [
            "assistant show Docs",
            "assistant files add Docs a.md",
            "assistant history Docs",
            "assistant create Docs -i DocWriter",
            "assistant edit Other --rename Docs",
            "run Docs -t hello",
        ],
    )
    def test_every_command_says_how_to_finish_it(
        self, cli: Cli, cut: LoopbackServer, home: Path, line: str, machine: str
    ) -> None:
        assert cli("assistant", "create", "Other", "-i", "DocWriter").code == 0
        if machine == "another":
            new_machine(home)
        ran = cli(*line.split(), "--json")
        assert (ran.code, ran.error["code"]) == (1, "bad_store")
        (fix,) = re.findall(r"`(gptasst [^`]*)`", ran.error["hint"])
        assert cli(*shlex.split(fix)[1:]).code == 0
        assert [store.about["name"] for store in cut.stores.values()] == ["Other"]

    def test_list_and_doctor_say_so(self, cli: Cli, cut: LoopbackServer) -> None:
        listed = cli("assistant", "list", "--json")
        assert listed.json["assistants"][0]["state"] == "deleting"
        assert "`gptasst assistant delete Docs -y` finishes it" in listed.stderr
        (found,) = [
            finding
            for finding in cli("doctor", "--json").json["findings"]
            if "deletion of `Docs`" in finding["message"]
        ]
        assert cli(*shlex.split(found["fix"])[1:]).code == 0
        assert not cut.stores

    def test_a_refused_one_leaves_it_usable(self, cli: Cli, docs: LoopbackServer) -> None:
        docs.disturb("DELETE", "/v1/conversations/*", outcomes.http_error(403), times=9)
        assert cli("assistant", "delete", "Docs", "-y").code == 4
        docs.disturbances.clear()
        assert cli("assistant", "show", "Docs").code == 0


@pytest.mark.parametrize("damage", ["newer", "damaged"])
def test_one_that_can_not_be_read_hides_no_other(
    cli: Cli, project: LoopbackServer, write: Write, damage: str
) -> None:
    """A colleague may have a newer gptasst, and another program may have written the metadata."""
    write("a.md", "alpha\n")
    cli("assistant", "create", "Good", "-i", "DocWriter", "-f", "a.md")
    cli("assistant", "create", "Odd", "-i", "DocWriter")
    odd = only_store(project, "Odd").about
    if damage == "newer":
        odd["metadata"]["gptasst"] = "99"
    else:
        del odd["metadata"]["revision"]
    ran = cli("assistant", "list", "-q")
    assert (ran.code, sorted(ran.lines)) == (0, ["Good", "Odd"])
    ran = cli("assistant", "list")
    assert f"`Odd` ({odd['id']}) can't be read: " in ran.stderr
    ran = cli("doctor", "--json")
    messages = [f["message"] for f in ran.json["findings"] if f["topic"] == "assistants"]
    assert any("`Odd`" in message for message in messages)
    assert cli("run", "Good", "-t", "x").code == 0
    assert cli("cache", "rebuild").code == 0
    assert cli("file", "prune", "-n").code == 0
    assert cli("assistant", "files", "add", "Good", "a.md").code == 0
    assert cli("assistant", "create", "New", "-i", "DocWriter").code == 0
    ran = cli("assistant", "show", "Odd", "--json")
    assert (ran.code, ran.error["code"] in ("newer_store", "bad_store")) == (1, True)
