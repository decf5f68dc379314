"""Assistants in a project: making, finding, changing and deleting them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gptasst.api import retries
from gptasst.context import AppContext
from gptasst.definitions.types import DefinitionChanges
from gptasst.errors import UsageError
from gptasst.inputs.screening import SCREENED
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

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def docs(write: Write) -> Path:
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", f"# Guide {name}\n")
    return Path("docs")


def test_create_makes_one_marked_store_whose_files_are_searchable(
    cli: Cli, project: LoopbackServer, docs: Path
) -> None:
    project.index_delay = 0.4
    ran = cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", docs)
    assert (ran.code, ran.text) == (0, "")
    assert ran.stderr == "created `Docs` with 3 files\n"
    store = only_store(project, "Docs")
    metadata = store.about["metadata"]
    assert metadata["gptasst"] == "1"
    assert (metadata["instruction"], metadata["revision"]) == ("DocWriter", "1")
    assert store.about["expires_after"] is None
    assert knowledge(project, "Docs") == {
        f"docs/{name}.md": f"# Guide {name}\n".encode() for name in "abc"
    }
    shown = cli("assistant", "show", "Docs", "--json").json
    assert {file["status"] for file in shown["knowledge"]} == {"completed"}
    assert shown["definition"]["knowledge"] == ["docs"]


def test_the_definition_is_an_item_of_the_assistants_conversation(
    cli: Cli, project: LoopbackServer
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter", "--description", "ours")
    metadata = only_store(project, "Docs").about["metadata"]
    (item,) = project.conversations[metadata["conversation"]].items
    assert item["id"] == metadata["definition_item"]
    assert 'description = "ours"' in item["content"][0]["text"]


def test_a_name_that_is_taken_is_refused_before_anything_is_sent(
    cli: Cli, project: LoopbackServer, docs: Path
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    calls(project)
    ran = cli("assistant", "create", "Docs", "-i", "MarkdownLinter", "-f", docs, "--json")
    assert (ran.code, ran.error["code"]) == (2, "name_taken")
    assert writes(project) == []


def test_stores_of_others_are_never_listed_or_touched(cli: Cli, project: LoopbackServer) -> None:
    gateway = AppContext(os.environ).gateway
    gateway.vector_stores.create("Theirs", {"team": "x"})
    gateway.close()
    cli("assistant", "create", "Ours", "-i", "DocWriter")
    before = only_store(project, "Theirs").about
    assert cli("assistant", "list", "-q").lines == ["Ours"]
    assert cli("assistant", "show", "Theirs").code == 3
    assert cli("assistant", "delete", "Theirs", "-y").code == 3
    assert cli("assistant", "create", "Theirs", "-i", "DocWriter").code == 0
    assert before in [store.about for store in stores(project, "Theirs")]


def test_two_assistants_of_one_name_are_an_error_that_names_both(
    cli: Cli, project: LoopbackServer, home: Path
) -> None:
    cli("assistant", "create", "One", "-i", "DocWriter")
    cli("assistant", "create", "Two", "-i", "DocWriter")
    for store in stores(project, "Two"):
        store.about["name"] = "One"
    new_machine(home)
    ran = cli("assistant", "show", "One")
    ids = [store.about["id"] for store in stores(project, "One")]
    assert ran.code == 2
    assert all(store_id in ran.stderr for store_id in ids)
    assert cli("assistant", "edit", ids[0], "--rename", "Three").code == 0
    assert cli("assistant", "show", "One").code == 0


def test_a_quiet_list_has_what_the_next_command_takes(cli: Cli, project: LoopbackServer) -> None:
    for name in ("One", "Two", "Three"):
        cli("assistant", "create", name, "-i", "DocWriter")
    for name in ("One", "Two"):
        only_store(project, name).about["name"] = "Same"
    listed = cli("assistant", "list", "-q").lines
    ids = [store.about["id"] for store in stores(project, "Same")]
    assert sorted(listed) == sorted([*ids, "Three"])
    for word in listed:
        assert cli("assistant", "export", word).code == 0


def test_list_takes_one_pass_over_the_stores(cli: Cli, project: LoopbackServer, docs: Path) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-m", "gpt-6.2-sol", "-f", docs)
    cli("assistant", "create", "Lint", "-i", "MarkdownLinter")
    calls(project)
    listed = cli("assistant", "list", "--json").json["assistants"]
    assert calls(project) == ["GET /vector_stores"]
    assert [(a["name"], a["model"], a["instruction"], a["files"]) for a in listed] == [
        ("Docs", "gpt-6.2-sol", "DocWriter", 3),
        ("Lint", None, "MarkdownLinter", 0),
    ]


def test_a_second_machine_runs_and_edits_what_the_first_made(
    cli: Cli, project: LoopbackServer, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", docs)
    monkeypatch.setenv("GPTASST_HOME", str(tmp_path / "second"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-key-of-the-project")
    calls(project)
    assert cli("run", "Docs", "-t", "hello").text == "hello"
    assert cli("assistant", "edit", "Docs", "-m", "gpt-6.2-astra").code == 0
    assert cli("assistant", "files", "sync", "Docs").code == 0
    assert cli("assistant", "create", "Docs2", "-i", "DocWriter", "-f", docs).code == 0
    assert "POST /files" not in calls(project)
    assert knowledge(project, "Docs2") == knowledge(project, "Docs")


def test_an_edit_appends_then_moves_the_pointer(cli: Cli, project: LoopbackServer) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    calls(project)
    ran = cli("assistant", "edit", "Docs", "-m", "gpt-6.2-sol")
    assert (ran.code, ran.stderr) == (0, "changed `Docs` (revision 2)\n")
    assert writes(project) == ["POST /conversations/*/items", "POST /vector_stores/*"]
    history = cli("assistant", "history", "Docs", "--json").json["revisions"]
    assert [(r["number"], r["current"], r["definition"]["model"]) for r in history] == [
        (1, False, None),
        (2, True, "gpt-6.2-sol"),
    ]
    assert cli("assistant", "rollback", "Docs", "1", "-y").code == 0
    shown = cli("assistant", "show", "Docs", "--json").json
    assert (shown["revision"], shown["definition"]["model"]) == (3, None)


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_an_edit_keeps_metadata_of_others(
    cli: Cli, project: LoopbackServer, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "metadata_mode", mode)
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    only_store(project, "Docs").about["metadata"]["team"] = "writers"
    cli("assistant", "edit", "Docs", "--rename", "Guides")
    metadata = only_store(project, "Guides").about["metadata"]
    assert (metadata["team"], metadata["revision"]) == ("writers", "2")


def test_of_two_edits_at_once_both_are_kept_and_one_is_told(
    cli: Cli, project: LoopbackServer
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    with AppContext(os.environ) as mine:
        read = mine.store.get("Docs")
        cli("assistant", "edit", "Docs", "-m", "gpt-6.2-sol")
        with pytest.raises(UsageError, match="changed by somebody else"):
            mine.store.update(read, read.definition)
    history = cli("assistant", "history", "Docs", "--json").json["revisions"]
    assert [r["current"] for r in history] == [False, True]


@pytest.mark.parametrize("hours", [-1, 1])
def test_an_edit_that_was_cut_delays_no_other_whatever_clock_its_machine_has(
    cli: Cli, project: LoopbackServer, hours: int
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    (conversation,) = project.conversations.values()
    (first,) = conversation.items
    moment = datetime.now(UTC) + timedelta(hours=hours)
    text = first["content"][0]["text"].partition("\n")[2]
    cut = {"type": "input_text", "text": f"# revision of {moment.isoformat()}\n{text}"}
    conversation.items.append({**first, "id": "msg_cut", "content": [cut]})
    assert cli("assistant", "edit", "Docs", "--description", "ours").code == 0
    assert cli("assistant", "show", "Docs", "--json").json["revision"] == 3


@pytest.mark.parametrize("latency", [0.0, 0.05])
def test_of_many_edits_at_once_none_is_lost_unnoticed(
    cli: Cli, project: LoopbackServer, latency: float
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    project.latency = latency

    def edit(number: int) -> str | None:
        with AppContext(os.environ) as mine:
            try:
                changes = DefinitionChanges(description=f"edit {number}")
                mine.assistants.edit("Docs", changes, None, SCREENED)
            except UsageError as error:
                return error.code
        return None

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(edit, range(4)))
    assert set(told) <= {None, "edit_conflict"}
    shown = cli("assistant", "show", "Docs", "--json").json
    winner = int(shown["definition"]["description"].removeprefix("edit "))
    assert told[winner] is None
    history = cli("assistant", "history", "Docs", "--json").json["revisions"]
    pointed = history[shown["revision"] - 1]
    assert pointed["current"]
    assert pointed["definition"]["description"] == f"edit {winner}"


def test_rename_refuses_a_name_that_is_taken(cli: Cli, project: LoopbackServer) -> None:
    cli("assistant", "create", "One", "-i", "DocWriter")
    cli("assistant", "create", "Two", "-i", "DocWriter")
    ran = cli("assistant", "edit", "Two", "--rename", "One", "--json")
    assert (ran.code, ran.error["code"]) == (2, "name_taken")
    assert cli("assistant", "list", "-q").lines == ["One", "Two"]


def test_delete_removes_all_that_is_its_own(
    cli: Cli, project: LoopbackServer, docs: Path, write: Write
) -> None:
    write("own.md", "only here\n")
    cli("assistant", "create", "One", "-i", "DocWriter", "-f", docs, "own.md")
    cli("assistant", "create", "Two", "-i", "DocWriter", "-f", docs)
    cli("assistant", "edit", "One", "-m", "gpt-6.2-sol")
    shared = list(knowledge(project, "Two").values())
    ran = cli("assistant", "delete", "One", "-y")
    assert (ran.code, ran.stderr) == (0, "deleted `One`\n")
    assert list(stores(project, "One")) == []
    assert len(project.conversations) == 1
    assert contents(project) == sorted(shared)
    assert knowledge(project, "Two")


def test_delete_asks_and_can_keep_files(cli: Cli, project: LoopbackServer, docs: Path) -> None:
    cli("assistant", "create", "One", "-i", "DocWriter", "-f", docs)
    ran = cli("assistant", "delete", "One", "--json")
    assert (ran.code, ran.error["code"]) == (2, "needs_confirmation")
    assert only_store(project, "One")
    assert cli("assistant", "delete", "One", "--keep-files", "-y").code == 0
    assert len(project.files) == 3


def test_an_export_comes_back_as_the_same_definition(cli: Cli, project: LoopbackServer) -> None:
    cli("assistant", "create", "One", "-i", "CodeReviewer", "--web-search")
    cli("assistant", "export", "One", "-o", "one.toml")
    assert cli("assistant", "import", "one.toml", "--name", "Two").code == 0
    one = cli("assistant", "show", "One", "--json").json["definition"]
    two = cli("assistant", "show", "Two", "--json").json["definition"]
    assert {**one, "name": "Two"} == two


def test_a_run_finds_its_assistant_in_one_request(
    cli: Cli, project: LoopbackServer, docs: Path
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-m", "gpt-6.2-sol", "-f", docs)
    store_id = only_store(project, "Docs").about["id"]
    cli("run", "Docs", "-t", "hello")  # once, it is asked which tools the server has
    calls(project)
    assert cli("run", "Docs", "-t", "hello").text == "hello"
    body = project.requests[-1].json
    assert calls(project) == ["GET /vector_stores/*", "POST /responses"]
    assert body["tools"] == [{"type": "file_search", "vector_store_ids": [store_id]}]
    assert (body["model"], body["store"]) == ("gpt-6.2-sol", False)
    assert body["instructions"].startswith("You write documentation")


def test_a_remembered_id_that_is_gone_or_renamed_is_forgotten(
    cli: Cli, project: LoopbackServer
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    first = only_store(project, "Docs")
    first.about["name"] = "Renamed"
    assert cli("run", "Docs", "-t", "x").code == 3
    assert cli("run", "Renamed", "-t", "x").text == "x"
    del project.stores[first.about["id"]]
    ran = cli("run", "Renamed", "-t", "x")
    assert (ran.code, "no assistant or instruction `Renamed`" in ran.stderr) == (3, True)


def test_citations_name_the_file_on_disk_and_stay_out_of_the_answer(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    write("conf/sheep.yaml", "sheep: 3\n")
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "conf/sheep.yaml")
    (file_id,) = project.files
    assert project.files[file_id].name == "sheep.yaml.txt"
    project.outcomes += [outcomes.answer("three", [(file_id, "sheep.yaml.txt")])] * 2
    assert cli("run", "Docs", "-t", "how many sheep").text == "three"
    ran = cli("run", "Docs", "-t", "how many sheep", "--json").json
    assert [(c["path"], c["quote"]) for c in ran["citations"]] == [
        ("conf/sheep.yaml", "sheep: 3\n")
    ]


def test_a_server_without_vector_stores_says_so_and_still_runs_instructions(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    missing = outcomes.http_error(404, message="Invalid URL (GET /v1/vector_stores)")
    project.disturb("GET", "/v1/vector_stores", missing, times=9)
    ran = cli("assistant", "list", "--json")
    assert (ran.code, ran.error["code"]) == (1, "no_vector_stores")
    assert "GPTASST_STORE=local" in ran.error["hint"]
    write("x.md", "text\n")
    assert cli("run", "MarkdownLinter", "-f", "x.md").code == 0
    ran = cli("run", "Nobody", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (3, "not_found")
    assert "GPTASST_STORE=local" in ran.error["hint"]
    assert "MarkdownLinter" in cli("run", "MarkdownLintr", "-t", "x", "--json").error["hint"]


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_a_server_that_fails_to_list_vector_stores_still_runs_instructions(
    cli: Cli,
    project: LoopbackServer,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    """LiteLLM's proxy asks somebody else for them, and answers 500."""
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.001)
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    project.disturb("GET", "/v1/vector_stores", outcomes.http_error(status), times=99)
    write("x.md", "text\n")
    write("y.md", "text\n")
    ran = cli("run", "MarkdownLinter", "-f", "x.md")
    assert (ran.code, ran.stderr.count("`MarkdownLinter` is taken for the instruction")) == (0, 1)
    assert "GPTASST_STORE=local" in ran.stderr
    ran = cli("run", "MarkdownLinter", "x.md", "y.md", "--each", "--check")
    assert ran.stderr.count("is taken for the instruction") == 1
    ran = cli("run", "Nobody", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (1, "no_list")
    # What is known to be an assistant is never taken for anything else.
    assert cli("run", "Docs", "-t", "x").code == 0
    one = "/v1/vector_stores/" + only_store(project, "Docs").about["id"]
    project.disturb("GET", one, outcomes.http_error(status), times=99)
    cli("assistant", "edit", "Docs", "--rename", "DocWriter")
    assert cli("run", "Docs", "-t", "x").code == (4 if status == 403 else 1)


def test_a_list_for_which_no_key_is_set_still_runs_instructions(
    cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server wants one only for what it keeps."""
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("GPTASST_BASE_URL", project.base_url)
    project.disturb("GET", "/v1/vector_stores", outcomes.http_error(401, message="Sign in"))
    ran = cli("run", "CommitMessage", "-t", "x")
    assert ran.code == 0
    assert "`CommitMessage` is taken for the instruction, as " in ran.stderr
    assert "Sign in" in ran.stderr


def test_a_damaged_definition_is_said_and_can_be_deleted(
    cli: Cli, project: LoopbackServer, home: Path
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    conversation = only_store(project, "Docs").about["metadata"]["conversation"]
    project.conversations[conversation].items.clear()
    new_machine(home)
    ran = cli("assistant", "show", "Docs", "--json")
    assert (ran.code, ran.error["code"]) == (1, "bad_store")
    assert "delete" not in ran.error["hint"]
    store_id = only_store(project, "Docs").about["id"]
    assert cli("assistant", "delete", store_id, "-y").code == 0
    assert not project.stores


def test_a_definition_that_is_not_what_was_written_is_no_reason_to_delete(
    cli: Cli, project: LoopbackServer, home: Path
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    conversation = only_store(project, "Docs").about["metadata"]["conversation"]
    project.conversations[conversation].items[0]["content"][0]["text"] += "# odd"
    new_machine(home)
    ran = cli("assistant", "show", "Docs", "--json")
    assert (ran.code, ran.error["code"]) == (1, "bad_store")
    assert "is not what its metadata says" in ran.error["message"]
    assert "delete" not in ran.error["hint"]


@pytest.mark.parametrize("kept_as", ["parts", "string"])
def test_on_a_server_that_keeps_content_as_sent_all_machines_read_it(
    cli: Cli, project: LoopbackServer, home: Path, kept_as: str
) -> None:
    """OGX 1.5 does. An earlier gptasst sent definitions as strings."""
    project.keeps_content = True
    cli("assistant", "create", "Docs", "-i", "DocWriter")
    (conversation,) = project.conversations.values()
    if kept_as == "string":
        conversation.items[0]["content"] = conversation.items[0]["content"][0]["text"]
    new_machine(home)
    assert cli("assistant", "show", "Docs").code == 0
    assert cli("assistant", "edit", "Docs", "--description", "second").code == 0
    new_machine(home)
    history = cli("assistant", "history", "Docs", "--json").json["revisions"]
    assert [revision["definition"]["description"] for revision in history][1:] == ["second"]
    assert cli("assistant", "rollback", "Docs", "1", "-y").code == 0


def test_files_that_a_server_keeps_for_a_year_are_not_uploaded_again(
    cli: Cli, project: LoopbackServer, docs: Path
) -> None:
    """OGX 1.5 gives every file an end."""
    project.file_lifetime = 365 * 86_400
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", docs)
    cli("assistant", "create", "More", "-i", "DocWriter", "-f", docs)
    assert len(project.files) == 3
    for _ in range(2):
        assert cli("file", "upload", docs / "a.md").code == 0
    assert len(project.files) == 4
