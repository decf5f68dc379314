"""Changes that wait for their cases, and revisions by name, on both stores."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes
from tests.on_terminal import on_terminal

CASES = """\
[[case]]
name = "greets"
text = "Greet."
contains = "Hello"

[[case]]
name = "refunds"
text = "How long do refunds take?"
cites = "know/refunds.md"
"""


@pytest.fixture(params=["local", "openai"], autouse=True)
def _desk(
    request: pytest.FixtureRequest,
    server: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,
    write: Write,
) -> None:
    monkeypatch.setenv("GPTASST_STORE", request.param)
    server.answer = lambda body: "Hello" if "greet" in str(body["instructions"]) else "Nope"
    write("Desk.toml", "instructions = 'You greet.'\n")
    write("Desk.cases.toml", CASES)
    write("Rude.toml", "instructions = 'You are rude.'\n")
    write("know/refunds.md", "Refunds take ten days.\n")
    write("know/hours.md", "We open at nine.\n")
    assert cli("assistant", "create", "Desk", "-i", "Desk.toml", "-f", "know").code == 0


def revisions(cli: Cli) -> list[tuple[str, str]]:
    """Number and mark of each revision."""
    return [tuple(line.split("\t")[:2]) for line in cli("assistant", "history", "Desk").lines]  # type: ignore[misc]


def knowledge(cli: Cli) -> list[str]:
    return cli("assistant", "files", "list", "Desk", "-q").lines


def test_a_bad_edit_is_held_back(cli: Cli) -> None:
    ran = cli("assistant", "edit", "Desk", "-i", "Rude.toml", "--tested")
    assert ran.code == 6
    assert "FAIL   Desk@2: greets" in ran.text
    assert "expected: Hello\n    got:      Nope\n" in ran.text
    assert "error: 1 of 2 cases failed: `greets`; `Desk` stays at revision 1\n" in ran.stderr
    assert "hint: `gptasst run Desk@2 FILE…` tries revision 2\n" in ran.stderr
    assert revisions(cli) == [("1", "*"), ("2", "")]
    assert cli("run", "Desk", "-t", "x").text == "Hello"
    assert cli("run", "Desk@2", "-t", "x").text == "Nope"


def test_a_good_edit_counts_once_its_cases_hold(cli: Cli) -> None:
    ran = cli("assistant", "edit", "Desk", "-m", "gpt-6.2-sol", "--tested")
    assert (ran.code, revisions(cli)) == (0, [("1", ""), ("2", "*")])
    assert ran.lines[0].startswith("ok     Desk@2: greets")
    assert ran.stderr.endswith("changed `Desk` (revision 2)\n")


def test_a_revision_that_was_held_back_can_be_had(cli: Cli) -> None:
    cli("assistant", "edit", "Desk", "-i", "Rude.toml", "--tested")
    assert cli("assistant", "edit", "Desk", "-i", "Rude.toml").code == 0
    assert revisions(cli) == [("1", ""), ("2", "*")]  # the same one


def test_names_of_revisions(cli: Cli) -> None:
    cli("assistant", "edit", "Desk", "-i", "Rude.toml", "--tested")
    assert "You are rude." in cli("assistant", "export", "Desk@2").text
    shown = cli("assistant", "show", "Desk@2", "--json").json
    assert (shown["revision"], shown["definition"]["instructions"]) == (2, "You are rude.")
    assert cli("test", "Desk@2", "--case", "greets").code == 6
    assert cli("chat", "Desk@2", stdin=b"hello\n").text == "Nope\n"
    ran = cli("run", "Desk@7", "-t", "x")
    assert (ran.code, "error: `Desk` has no revision 7\n" in ran.stderr) == (3, True)
    assert cli("run", "Nobody@2", "-t", "x").code == 3
    assert cli("assistant", "files", "add", "Desk@2", "Rude.toml").code == 3
    assert cli("assistant", "delete", "Desk@2", "-y").code == 3


def test_an_edit_of_an_earlier_revision(cli: Cli) -> None:
    cli("assistant", "edit", "Desk", "-i", "Rude.toml")
    assert cli("assistant", "edit", "Desk@1", "-m", "gpt-6.2-sol", "--tested").code == 0
    exported = cli("assistant", "export", "Desk").text
    assert ("You greet." in exported, "gpt-6.2-sol" in exported) == (True, True)
    assert revisions(cli)[-1] == ("3", "*")


def test_a_rollback_waits_for_its_cases(cli: Cli, write: Write) -> None:
    write("strict.toml", '[[case]]\nname = "rude"\ntext = "Greet."\ncontains = "Nope"\n')
    cli("assistant", "edit", "Desk", "-i", "Rude.toml", "--cases", "strict.toml", "--tested")
    assert revisions(cli)[-1] == ("2", "*")
    assert cli("assistant", "rollback", "Desk", "1", "-y", "--tested").code == 0
    assert revisions(cli)[-1] == ("3", "*")
    assert cli("test", "Desk", "--case", "greets").code == 0  # the cases of revision 1


def test_knowledge_that_fails_is_not_taken(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("other/berlin.md", "We moved to Berlin.\n")
    before = (sorted(server.files), len(server.stores))
    ran = cli("assistant", "files", "set", "Desk", "other/berlin.md", "--tested")
    assert ran.code == 6
    assert "`Desk` stays at revision 1 with its knowledge as it was" in ran.stderr
    assert knowledge(cli) == ["know/hours.md", "know/refunds.md"]
    assert (sorted(server.files), len(server.stores)) == before
    assert revisions(cli) == [("1", "*")]


def test_knowledge_that_holds_is_taken(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("other/berlin.md", "We moved to Berlin.\n")
    stores = len(server.stores)
    assert cli("assistant", "files", "add", "Desk", "other/berlin.md", "--tested").code == 0
    assert knowledge(cli) == ["know/hours.md", "know/refunds.md", "other/berlin.md"]
    write("know/hours.md", "We open at ten.\n")
    assert cli("assistant", "files", "sync", "Desk", "--tested").code == 0
    assert len(server.stores) == stores
    Path("know/refunds.md").unlink()
    assert cli("assistant", "files", "sync", "Desk", "--tested").code == 6
    assert "know/refunds.md" in knowledge(cli)


def test_what_a_killed_test_left_is_removed(cli: Cli, write: Write, home: Path) -> None:
    left = next(home.rglob("cache.sqlite3")).parent / "trial-killed"
    left.mkdir()
    os.utime(left, (0, 0))
    write("other/berlin.md", "We moved to Berlin.\n")
    assert cli("assistant", "files", "add", "Desk", "other/berlin.md", "--tested").code == 0
    is_local = os.environ["GPTASST_STORE"] == "local"  # the other store makes no copy
    assert left.exists() != is_local


def test_without_cases_nothing_is_tested_and_nothing_changed(cli: Cli) -> None:
    assert cli("assistant", "create", "Bare", "-i", "Rude.toml").code == 0
    ran = cli("assistant", "edit", "Bare", "-m", "gpt-6.2-sol", "--tested")
    assert (ran.code, "`Bare` has no cases to test it with" in ran.stderr) == (3, True)
    assert len(cli("assistant", "history", "Bare").lines) == 1
    assert cli("assistant", "edit", "Bare", "--cases", "Desk.cases.toml").code == 0
    ran = cli("assistant", "edit", "Bare", "-m", "gpt-6.2-sol", "--tested", "--json")
    assert (ran.code, ran.error["code"]) == (6, "cases_failed")
    assert ran.json["summary"]["failed"] == 2


def test_a_server_that_fails_changes_nothing(cli: Cli, server: LoopbackServer) -> None:
    server.outcomes.extend([outcomes.http_error(401)] * 2)
    ran = cli("assistant", "edit", "Desk", "-m", "gpt-6.2-sol", "--tested")
    assert (ran.code, "`Desk` stays at revision 1" in ran.stderr) == (4, True)
    assert revisions(cli)[0] == ("1", "*")


def test_somebody_else_edits_while_cases_run(cli: Cli, server: LoopbackServer) -> None:
    begun: list[int] = []

    def answer(_: object) -> str:
        if not begun:
            begun.append(1)
            assert cli("assistant", "edit", "Desk", "--description", "theirs").code == 0
        return "Hello"

    server.answer = answer
    ran = cli("assistant", "edit", "Desk", "-m", "gpt-6.2-sol", "--tested")
    assert (ran.code, "was changed by somebody else" in ran.stderr) == (2, True)
    assert "theirs" in cli("assistant", "show", "Desk").text


def test_nothing_to_change_is_nothing_to_test(cli: Cli, server: LoopbackServer) -> None:
    asked = sum("/responses" in record.path for record in server.requests)
    assert cli("assistant", "files", "sync", "Desk", "--tested").code == 0
    assert sum("/responses" in record.path for record in server.requests) == asked


def test_apply_waits_for_the_cases_of_each(cli: Cli, write: Write) -> None:
    for name in ("Good", "Bad"):
        write(f"code/{name}.toml", f'name = "{name}"\ninstructions = "You greet."\n')
        write(f"code/{name}.cases.toml", CASES.partition("\n[[case]]")[0] + "\n")
    assert cli("apply", "code", "-y", "--tested").code == 0
    write("code/Good.toml", 'name = "Good"\ninstructions = "You greet well."\n')
    write("code/Bad.toml", 'name = "Bad"\ninstructions = "You are rude."\n')
    write("code/New.toml", 'name = "New"\ninstructions = "You are rude."\n')
    write("code/New.cases.toml", CASES.partition("\n[[case]]")[0] + "\n")
    ran = cli("apply", "code", "-y", "--tested")
    assert ran.code == 6
    assert "`Bad` stays at revision 1" in ran.stderr
    assert "`New` is not created" in ran.stderr
    assert "hint: `gptasst run Bad@2 FILE…` tries revision 2\n" in ran.stderr
    assert "You greet well." in cli("assistant", "export", "Good").text
    assert "You greet." in cli("assistant", "export", "Bad").text
    assert cli("assistant", "show", "New").code == 3


def test_two_revisions_side_by_side(cli: Cli, server: LoopbackServer, write: Write) -> None:
    cli("assistant", "edit", "Desk", "-i", "Rude.toml")
    ran = cli("test", "Desk", "--compare", "1")
    assert ran.code == 6  # the cases of the new one
    assert ran.lines[0] == "CHANGED  greets  passed -> failed"
    assert "    --- Desk@1\n    +++ Desk\n" in ran.text
    assert "    -Hello\n" in ran.text
    assert "    +Nope\n" in ran.text
    assert "2 answers of 2 changed from `Desk@1` to `Desk`\n" in ran.stderr

    write("in/a.md", "Some text.\n")
    ran = cli("test", "Desk", "--compare", "1", "-f", "in")
    assert (ran.code, ran.lines[0]) == (0, "CHANGED  in/a.md")
    assert cli("test", "Desk", "--compare", "1", "-f", "in", "-q").text == "in/a.md\n"
    ran = cli("test", "Desk@1", "--compare", "Desk.toml", "-f", "in/a.md", "--json")
    assert (ran.code, ran.json["compared"][0]["changed"]) == (0, False)
    server.answer = ""
    write("in/b.md", "Other text.\n")
    ran = cli("test", "Desk", "--compare", "1", "-f", "in/b.md")
    assert (ran.code, "error: " in ran.stderr) == (6, True)  # nothing to compare is no success
    assert cli("test", "Desk", "--compare", "9").code == 3
    assert cli("test", "Desk.toml", "--compare", "1").code == 2
    assert cli("test", "Desk", "-f", "in").code == 2


def test_show_lists_the_cases() -> None:
    screen = on_terminal("assistant", "show", "Desk", NO_COLOR="1").screen
    assert re.search(r"^cases +greets$", screen, re.MULTILINE)
