"""Knowledge that the server indexes late, never, in another order, or not at all."""

from __future__ import annotations

import pytest

from gptasst.assistants import project_knowledge as openai_knowledge
from tests.assistants.project import contents, knowledge, only_store, writes
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.indexing import status


@pytest.fixture
def docs(cli: Cli, project: LoopbackServer, write: Write) -> dict[str, bytes]:
    """An assistant `Docs`, and what its files hold after all of them were changed."""
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", f"old {name}\n")
    assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "docs").code == 0
    for name in ("a", "b", "c"):
        write(f"docs/{name}.md", f"new {name}\n")
    project.requests.clear()
    return {f"docs/{name}.md": f"new {name}\n".encode() for name in ("a", "b", "c")}


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_knowledge, "LONGEST_STALL", 0.1)


@pytest.mark.usefixtures("short_patience")
def test_never_ends(cli: Cli, project: LoopbackServer, docs: dict[str, bytes]) -> None:
    """Old and new stay until it is known which of them can be searched."""
    project.index_delay = 1e9
    ran = cli("assistant", "files", "sync", "Docs", "--json")
    assert (ran.code, ran.error["code"]) == (6, "partly_done")
    assert "`docs/a.md`: it is still being indexed after 0.1 s" in ran.error["message"]
    assert "the same command" in ran.error["hint"]
    assert len(contents(project)) == 6

    project.index_delay = 0.0
    project.requests.clear()
    assert cli("assistant", "files", "sync", "Docs").code == 0
    assert "POST /files" not in writes(project)
    assert knowledge(project, "Docs") == docs


def test_nothing_old_goes_before_the_last_is_done(
    cli: Cli, project: LoopbackServer, docs: dict[str, bytes]
) -> None:
    project.index_delays = {"a.md": 0.1}  # of those attached together, the first is the last
    seen: list[str] = []

    def look() -> None:
        attached = only_store(project, "Docs").files.values()
        seen.extend(status(project, attachment) for attachment in attached)

    project.meanwhile("DELETE", "*", look)
    assert cli("assistant", "files", "sync", "Docs").code == 0
    assert seen == ["completed"] * 6
    assert knowledge(project, "Docs") == docs


def test_some_fail(cli: Cli, project: LoopbackServer, docs: dict[str, bytes]) -> None:
    """One document tells of all: what was done, and what was not."""
    project.index_failures["b.md"] = ("invalid_file", "The file is broken.")
    ran = cli("assistant", "files", "sync", "Docs", "--json")
    assert (ran.code, ran.error["code"]) == (6, "partly_done")
    assert "`docs/b.md`: The file is broken." in ran.error["message"]
    assert ran.json["failed"] == [{"path": "docs/b.md", "reason": "The file is broken."}]
    assert knowledge(project, "Docs") == {**docs, "docs/b.md": b"old b\n"}


def test_a_failed_upload_and_the_others_are_one_document(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    refused = outcomes.http_error(400, message="Not this one.")
    project.disturb("POST", "/v1/files", refused)
    ran = cli("file", "upload", write("a.md", "a"), write("b.md", "b"), "--json")
    assert (ran.code, ran.error["code"]) == (6, "partly_done")
    assert (len(ran.json["files"]), len(ran.json["failed"])) == (1, 1)
