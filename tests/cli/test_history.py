"""A long history is printed while it is read, and what came is not lost."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.on_terminal import on_terminal

COUNT = 250


@pytest.fixture
def long(cli: Cli, server: LoopbackServer, project: object) -> str:
    """An assistant with many revisions; the last one is current."""
    assert cli("assistant", "create", "Long", "-i", "DocWriter").code == 0
    (conversation,) = server.conversations.values()
    (last,) = conversation.items
    earlier = [{**last, "id": f"msg_{number}"} for number in range(1, COUNT)]
    conversation.items = [*earlier, last]
    (store,) = server.stores.values()
    store.about["metadata"]["revision"] = str(COUNT)
    server.requests.clear()
    return "Long"


def break_a_page(server: LoopbackServer) -> None:
    """The first page is all that arrives."""
    (store,) = server.stores.values()
    store.about["metadata"]["revision"] = "1"  # so that it is read from one end
    broken = outcomes.http_error(403, message="not for you")
    server.disturb("GET", "/v1/conversations/*/items*", broken, skip=1, times=99)


@pytest.mark.parametrize("words", [(), ("-q",)])
def test_every_revision_oldest_first(cli: Cli, long: str, words: tuple[str, ...]) -> None:
    lines = cli("assistant", "history", long, *words).lines
    assert [line.split("\t")[0] for line in lines] == [str(n) for n in range(1, COUNT + 1)]


def test_as_one_document(cli: Cli, long: str) -> None:
    revisions = cli("assistant", "history", long, "--json").json["revisions"]
    assert [each["number"] for each in revisions] == list(range(1, COUNT + 1))
    assert [each["number"] for each in revisions if each["current"]] == [COUNT]


def test_a_broken_page_leaves_what_came(cli: Cli, server: LoopbackServer, long: str) -> None:
    break_a_page(server)
    ran = cli("assistant", "history", long, "-q")
    assert ran.code == 4
    assert ran.lines == [str(number) for number in range(1, 101)]
    assert "not for you" in ran.stderr


def test_a_broken_page_in_a_document(cli: Cli, server: LoopbackServer, long: str) -> None:
    break_a_page(server)
    ran = cli("assistant", "history", long, "--json")
    assert ran.code == 4
    found = json.loads(ran.text)
    assert len(found["revisions"]) == 100
    assert "not for you" in found["error"]["message"]


@pytest.mark.parametrize("store", ["local", "openai"])
def test_what_each_revision_changed(
    cli: Cli, project: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setenv("GPTASST_STORE", store)
    write("a.md", "alpha\n")
    cli("assistant", "create", "W", "-i", "DocWriter")
    cli("assistant", "edit", "W", "--description", "ours")
    cli("assistant", "edit", "W", "-m", "gpt-6.2-sol", "--web-search", "--rename", "New")
    cli("assistant", "files", "add", "New", "a.md")  # no directory, so the definition stays
    cli("assistant", "rollback", "New", "1", "-y")
    changed = [line.split("\t")[-1] for line in cli("assistant", "history", "New").lines]
    assert changed == [
        "", "description", "name, model, tools.web_search", "description, model, tools.web_search",
    ]  # fmt: skip
    revisions = cli("assistant", "history", "New", "--json").json["revisions"]
    assert [", ".join(each["changed"]) for each in revisions] == changed


@pytest.mark.usefixtures("long")
class TestOnATerminal:
    def test_one_head_over_all_pages(self) -> None:
        lines = on_terminal("assistant", "history", "Long", NO_COLOR="1").screen.splitlines()
        assert lines[0].split()[:2] == ["revision", "current"]
        assert sum("revision  " in line for line in lines) == 1
        numbers = [line.split()[0] for line in lines[1:-1]]
        assert numbers == [str(number) for number in range(1, COUNT + 1)]
        assert lines[-1] == "250 revisions"
        (current,) = [line for line in lines if " * " in line]
        assert current.split()[0] == str(COUNT)

    def test_through_a_pager(self) -> None:
        seen = on_terminal("assistant", "history", "Long", NO_COLOR="1", PAGER="head -3")
        assert seen.code == 0
        assert [line.split()[0] for line in seen.screen.splitlines()] == ["revision", "1", "2"]

    def test_a_broken_page_below_what_came(self, server: LoopbackServer) -> None:
        break_a_page(server)
        seen = on_terminal("assistant", "history", "Long", NO_COLOR="1", PAGER="cat -")
        assert seen.code == 4
        lines = seen.screen.splitlines()
        assert lines[100].split()[0] == "100"
        assert lines[101].startswith("error: ")
