"""Assistants that `apply` can't change are named, and the others are done."""

from __future__ import annotations

from typing import Any

import pytest

from gptasst.cli.session import Session
from tests.apply.code import apply, definition, names
from tests.assistants.project import only_store
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import http_error


@pytest.fixture
def broken(cli: Cli, store: str, server: LoopbackServer, write: Write) -> Any:
    """Three assistants from files: `Gone` is half deleted, `Newer` in a format of tomorrow."""
    if store == "local":
        pytest.skip("a local store is newer or older as a whole")
    for name in ("Gone", "Newer", "Well"):
        write(f"assistants/{name}.toml", definition(name))
    apply(cli)
    only_store(server, "Gone").about["metadata"]["state"] = "deleting"
    only_store(server, "Newer").about["metadata"]["gptasst"] = "99"
    write("assistants/Well.toml", definition("Well", 'model = "m"'))
    return server


@pytest.mark.usefixtures("broken")
def test_the_others_are_done(cli: Cli) -> None:
    ran = cli("apply", "assistants", "-y")
    assert ran.code == 6
    assert "changed `Well`" in ran.stderr
    error = ran.stderr.split("error: ")[1].splitlines()
    assert error[0] == "2 of 3 assistants failed:"
    assert error[1].startswith("  `Gone`: the deletion of the assistant `Gone` (")
    assert error[2].startswith("  `Newer`: the assistant `Newer` (")
    assert "hint: `gptasst assistant delete Gone -y` finishes it; " in ran.stderr
    assert cli("assistant", "show", "Well", "--json").json["definition"]["model"] == "m"
    again = cli("apply", "assistants", "-y", "--json")
    assert [(one["name"], one["action"], one["status"]) for one in again.json["assistants"]] == [
        ("Gone", "blocked", "failed"),
        ("Newer", "blocked", "failed"),
        ("Well", "unchanged", "done"),
    ]
    assert again.json["assistants"][0]["problem"]["code"] == "bad_store"
    assert cli("assistant", "delete", "Gone", "-y").code == 0
    assert "created `Gone`" in apply(cli, code=6)
    assert names(cli) == ["Gone", "Newer", "Well"]


def test_the_plan_has_them(cli: Cli, broken: LoopbackServer) -> None:
    ran = cli("apply", "assistants", "-n")
    assert (ran.code, ran.lines[0], ran.lines[3]) == (6, "blocked Gone", "blocked Newer")
    assert "plan: 1 to change, 2 blocked" in ran.stderr
    assert "the rest is done" not in ran.stderr
    ran = cli("apply", "assistants", "--check", "--json")
    assert (ran.code, ran.error["code"]) == (6, "would_change")
    question = cli("apply", "assistants")
    assert (question.code, "change 1 assistant?" in question.stderr) == (2, True)
    assert cli("apply", "assistants", "-y").code == 6
    ran = cli("apply", "assistants", "--check")
    assert (ran.code, "2 of 3 assistants failed" in ran.stderr) == (6, True)
    ran = cli("apply", "assistants")  # nothing to confirm
    assert (ran.code, "2 of 3 assistants failed" in ran.stderr) == (6, True)


def test_knowledge_that_can_not_be_embedded_stops_no_other(
    cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stored; a server without embeddings is no reason to leave out the rest."""
    monkeypatch.setenv("GPTASST_STORE", "local")
    monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "embed")
    lacks = http_error(501, message="This server does not support embeddings.")
    server.disturb("POST", "/v1/embeddings", lacks, times=99)
    write("kb/a.md", "alpha\n")
    for name in ("A", "B"):
        write(f"assistants/{name}.toml", definition(name, 'knowledge = ["../kb"]'))
    write("assistants/C.toml", definition("C"))
    said = apply(cli, code=6)
    assert "2 of 3 assistants failed:" in said
    assert "has no embeddings" in said
    assert names(cli) == ["A", "B", "C"]
    assert cli("assistant", "search", "B", "alpha", "-q").lines == ["kb/a.md"]


def test_many_failures_are_one_line_each_and_not_all_of_them(
    cli: Cli, store: str, server: LoopbackServer, write: Write
) -> None:
    if store == "local":
        pytest.skip("the same on both")
    for number in range(25):
        write(f"assistants/{number:02}.toml", definition(f"A{number:02}"))
    apply(cli)
    for one in server.stores.values():
        one.about["metadata"]["gptasst"] = "99"
    ran = cli("apply", "assistants", "-y")
    assert ran.code == 6
    lines = ran.stderr.splitlines()
    first = lines.index("error: 25 of 25 assistants failed:")
    assert lines[first + 20].startswith("  `A19`: ")
    assert lines[first + 21] == "  and 5 more"
    assert len(cli("apply", "assistants", "-y", "--json").json["assistants"]) == 25


@pytest.mark.usefixtures("broken")
def test_a_yes_is_asked_for_once(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(Session, "confirm", lambda _, question, **__: asked.append(question))
    assert cli("apply", "assistants").code == 6
    assert asked == ["change 1 assistant?"]
