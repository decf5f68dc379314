"""`tools.file_search` as a table: how knowledge is searched, on the server and here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.on_terminal import on_terminal

HELPER = """
instructions = "Help."
[tools.file_search]
max_results = 3
score_threshold = 0.2
filters = ["docs/", "!docs/old/"]
text_weight = 0.25
"""
TABLE = {
    "max_results": 3,
    "score_threshold": 0.2,
    "filters": ["docs/", "!docs/old/"],
    "text_weight": 0.25,
}


@pytest.fixture
def files(write: Write) -> None:
    write("instructions/Helper.toml", HELPER)
    write("docs/new.md", "Refunds take 12 days.\n")
    write("docs/old/old.md", "Refunds take 30 days.\n")
    write("notes.md", "Refunds take for ever.\n")


def create(cli: Cli) -> None:
    ran = cli("assistant", "create", "H", "-i", "Helper", "-f", "docs", "notes.md", "-y")
    assert ran.code == 0, ran.stderr


def asked(server: LoopbackServer) -> Any:
    return [r.json for r in server.requests if r.path == "/v1/responses"][-1]


class TestPlaces:
    """A server does not send where a passage is: its text is looked for in the file here."""

    @pytest.mark.parametrize(
        ("content", "place"),
        [
            ("# Refunds\r\n\r\nRefunds take 12 days.\r\n", "lines 1-3"),
            ("\ufeff# Refunds\n\nRefunds take 12 days.\n", "lines 1-3"),
            ("Intro.\n\n# Refunds\n\nRefunds take 12 days.\n\nEnd.\n", "lines 3-5"),
            ("# Refunds\n\nRefunds take 12 days.\n" * 2, ""),  # in two places
            ("# Refunds\n\nRefunds take 14 days.\n", ""),  # another content
            (b"\xff\xfe\0", ""),
            (None, ""),  # not here
        ],
    )
    def test_are_those_in_the_file_here(
        self, cli: Cli, project: LoopbackServer, write: Write, content: Any, place: str
    ) -> None:
        """Whatever the file is now: only where it has the text of the passage, once."""
        text = "# Refunds\n\nRefunds take 12 days.\n"
        path = write("docs/a.md", text)
        assert cli("assistant", "create", "H", "-i", "DocWriter", "-f", "docs").code == 0
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = cli("assistant", "search", "H", "refunds", "--json").json["passages"]
        assert [(passage["text"], passage["place"]) for passage in found] == [(text, place)]
        file_id = next(iter(project.files))
        cited = outcomes.answer("12 days", [(file_id, "a.md")])
        project.outcomes.append(cited)
        ran = cli("run", "H", "-t", "How long do refunds take?", "--json").json
        assert [passage["place"] for passage in ran["passages"]] == [place]
        assert [citation["place"] for citation in ran["citations"]] == [place]


class TestOnTheServer:
    def test_a_run_sends_them(self, cli: Cli, project: LoopbackServer, files: None) -> None:
        create(cli)
        ran = cli("run", "H", "-t", "How long do refunds take?", "--json")
        (tool,) = asked(project)["tools"]
        assert tool["max_num_results"] == 3
        assert tool["ranking_options"] == {
            "score_threshold": 0.2,
            "hybrid_search": {"embedding_weight": 0.75, "text_weight": 0.25},
        }
        assert tool["filters"] == {"type": "in", "key": "path", "value": ["docs/new.md"]}
        (passage,) = ran.json["passages"]
        assert (passage["path"], passage["text"]) == ("docs/new.md", "Refunds take 12 days.\n")
        assert 0 < passage["score"] <= 1
        assert passage["file_id"]

    def test_another_machine_knows_the_paths_too(
        self, cli: Cli, project: LoopbackServer, files: None
    ) -> None:
        create(cli)
        assert cli("cache", "clear", "-y").code == 0
        cli("run", "H", "-t", "How long do refunds take?")
        assert asked(project)["tools"][0]["filters"]["value"] == ["docs/new.md"]

    def test_a_server_that_weighs_nothing(
        self, cli: Cli, project: LoopbackServer, files: None
    ) -> None:
        create(cli)
        message = "The provider of vector store 'vs_1' does not support weighted hybrid search."
        project.outcomes.append(outcomes.failed("server_error", message))
        ran = cli("run", "H", "-t", "refunds", "--json")
        assert ran.code == 1
        assert "`text_weight`" in ran.error["hint"]

    def test_search_shows_what_a_run_finds(
        self, cli: Cli, project: LoopbackServer, files: None
    ) -> None:
        create(cli)
        assert cli("assistant", "search", "H", "refunds", "-q").text == "docs/new.md\n"

    def test_no_file_fits(self, cli: Cli, project: LoopbackServer, files: None) -> None:
        create(cli)
        assert cli("assistant", "files", "remove", "H", "docs/new.md").code == 0
        ran = cli("run", "H", "-t", "How long do refunds take?", "--json")
        assert ran.code == 0
        assert "tools" not in asked(project)
        assert "no knowledge file fits" in ran.json["warnings"][0]
        assert cli("assistant", "search", "H", "refunds", "-q").text == ""

    def test_without_a_table_nothing_is_said(
        self, cli: Cli, project: LoopbackServer, files: None
    ) -> None:
        assert cli("assistant", "create", "D", "-i", "DocWriter", "-f", "docs").code == 0
        cli("run", "D", "-t", "refunds")
        assert set(asked(project)["tools"][0]) == {"type", "vector_store_ids"}


class TestHere:
    def test_filters_and_results_count(
        self, cli: Cli, server: LoopbackServer, files: None, write: Write
    ) -> None:
        for number in range(6):
            write(f"docs/{number}.md", f"Refunds of kind {number}.\n")
        create(cli)
        plan = cli("run", "H", "-t", "refunds", "--dry-run", "--json").json
        paths = [excerpt["path"] for excerpt in plan["excerpts"]]
        assert len(paths) == 3
        assert not {"docs/old/old.md", "notes.md"} & set(paths)
        found = cli("assistant", "search", "H", "refunds", "-q").lines
        assert found == paths
        ran = cli("run", "H", "-t", "refunds", "--json")
        assert [passage["path"] for passage in ran.json["passages"]] == paths


class TestDefinition:
    def test_it_is_kept_shown_and_comes_back(
        self, cli: Cli, project: LoopbackServer, files: None
    ) -> None:
        create(cli)
        shown = cli("assistant", "show", "H", "--json").json["definition"]["tools"]
        assert (shown["file_search"], shown["search"]) == (True, TABLE)
        screen = on_terminal("assistant", "show", "H").screen
        assert "filters docs/ !docs/old/" in " ".join(screen.split())
        assert cli("assistant", "edit", "H", "--no-file-search").code == 0
        assert cli("assistant", "show", "H", "--json").json["definition"]["tools"]["search"] == {
            "max_results": None, "score_threshold": None, "filters": [], "text_weight": None,
        }  # fmt: skip
        assert cli("assistant", "rollback", "H", "1", "-y").code == 0
        assert cli("assistant", "export", "H", "-o", "h.toml").code == 0
        assert "[tools.file_search]" in Path("h.toml").read_text(encoding="utf-8")
        assert cli("assistant", "import", "h.toml", "--name", "H2").code == 0
        again = cli("assistant", "show", "H2", "--json").json["definition"]["tools"]
        assert again == shown

    def test_what_the_assistants_api_had_is_taken_over(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        ranking = {"ranker": "auto", "score_threshold": 0.5}
        tool = {"type": "file_search",
                "file_search": {"max_num_results": 7, "ranking_options": ranking}}  # fmt: skip
        saved = {"object": "assistant", "name": "Old", "instructions": "x", "tools": [tool]}
        write("old.json", json.dumps(saved))
        assert cli("assistant", "import", "old.json").code == 0
        search = cli("assistant", "show", "Old", "--json").json["definition"]["tools"]["search"]
        assert (search["max_results"], search["score_threshold"]) == (7, 0.5)


def test_an_earlier_run_of_many_files_is_not_asked_again(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    """The digest of a run without such settings is what it was before there were any."""
    from gptasst.definitions.types import Definition
    from gptasst.runs.types import basis_digest

    digest = basis_digest(
        Definition("N", "Do it."), model="m", task=None, schema=None, knowledge_sha256=""
    )
    assert digest == "2e93d6667522b693b05637ed0c422800ad76ae1a8ff4541aaa584467673d856a"
