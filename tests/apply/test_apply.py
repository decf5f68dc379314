"""`gptasst apply` on both stores."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.apply.code import apply, definition, names, paths_of, settled
from tests.assistants.project import knowledge, only_store, writes
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer


@pytest.mark.usefixtures("repository")
def test_what_a_directory_has_is_made(cli: Cli, server: LoopbackServer) -> None:
    shown = cli("apply", "assistants", "--dry-run")
    assert names(cli) == []
    assert shown.lines == [
        "create  Linter",
        "        from assistants/linter.toml",
        "        turns on web_search",
        "create  Writer",
        "        from assistants/writer.toml",
        "        + docs/a.md",
        "        + docs/b.md",
    ]
    assert "plan: 2 to create" in shown.stderr
    assert "2 assistants: 2 created" in apply(cli)
    assert names(cli) == ["Linter", "Writer"]
    assert paths_of(cli, "Writer") == ["docs/a.md", "docs/b.md"]
    settled(cli, server)


@pytest.mark.usefixtures("repository")
def test_nothing_is_done_without_a_yes(cli: Cli) -> None:
    ran = cli("apply", "assistants")
    assert (ran.code, names(cli)) == (2, [])
    assert "confirmation required: create 2 assistants?" in ran.stderr


@pytest.mark.usefixtures("repository")
def test_changes_are_shown_with_their_difference(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    apply(cli)
    write("assistants/writer.toml", definition("Writer", 'model = "m"', 'knowledge = ["../docs"]'))
    write("docs/a.md", "new\n")
    write("docs/c.md", "gamma\n")
    Path("docs/b.md").unlink()
    checked = cli("apply", "assistants", "--check")
    assert checked.code == 6
    assert "1 of 2 assistants would change: `Writer`" in checked.stderr.splitlines()[-2]
    assert checked.lines[0] == "change  Writer: model"
    assert {"        ~ docs/a.md", "        + docs/c.md", "        - docs/b.md"} <= set(
        checked.lines
    )
    assert '        +model = "m"' in checked.lines
    apply(cli)
    assert paths_of(cli, "Writer") == ["docs/a.md", "docs/c.md"]
    assert cli("assistant", "show", "Writer", "--json").json["revision"] == 2
    settled(cli, server)


@pytest.mark.usefixtures("repository")
def test_drift_by_hand_is_found_and_undone(cli: Cli, server: LoopbackServer, write: Write) -> None:
    apply(cli)
    write("more.md", "more\n")
    cli("assistant", "edit", "Linter", "-m", "gpt-6.2-sol")
    cli("assistant", "files", "add", "Writer", "more.md")
    checked = cli("apply", "assistants", "--check", "--json")
    assert checked.code == 6
    assert checked.error["code"] == "would_change"
    linter, writer = checked.json["assistants"]
    assert (linter["action"], linter["keys"], linter["taken_from"]) == ("change", ["model"], None)
    assert writer["knowledge"]["remove"] == ["more.md"]
    apply(cli)
    assert cli("assistant", "show", "Linter", "--json").json["definition"]["model"] is None
    settled(cli, server)


@pytest.mark.usefixtures("repository")
def test_a_new_name_in_a_file_renames(cli: Cli, server: LoopbackServer, write: Write) -> None:
    apply(cli)
    ids = {n: cli("assistant", "show", n, "--json").json["id"] for n in names(cli)}
    write("assistants/linter.toml", definition("Checker"))
    assert "rename  Linter -> Checker: name, tools.web_search" in apply(cli)
    assert names(cli) == ["Checker", "Writer"]
    assert cli("assistant", "show", "Checker", "--json").json["id"] == ids["Linter"]
    settled(cli, server)


def test_names_may_move_along_a_chain_and_around_a_circle(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    for file, name in (("a", "A"), ("b", "B"), ("c", "C")):
        write(f"assistants/{file}.toml", definition(name, instructions=file))
    apply(cli)
    ids = {n: cli("assistant", "show", n, "--json").json["id"] for n in "ABC"}
    for file, name in (("a", "B"), ("b", "C"), ("c", "D")):
        write(f"assistants/{file}.toml", definition(name, instructions=file))
    apply(cli)
    now = {n: cli("assistant", "show", n, "--json").json["id"] for n in "BCD"}
    assert now == {"B": ids["A"], "C": ids["B"], "D": ids["C"]}
    settled(cli, server)
    for file, name in (("a", "C"), ("b", "B"), ("c", "D")):
        write(f"assistants/{file}.toml", definition(name, instructions=file))
    apply(cli)
    told = {n: cli("assistant", "show", n, "--json").json["definition"] for n in "BCD"}
    assert {n: d["instructions"] for n, d in told.items()} == {"B": "b", "C": "a", "D": "c"}
    settled(cli, server)


@pytest.mark.usefixtures("repository")
def test_another_file_of_the_same_assistant_is_written_down(
    cli: Cli, server: LoopbackServer
) -> None:
    apply(cli)
    Path("assistants/linter.toml").rename("assistants/checks.toml")
    assert "change  Linter: source" in apply(cli)
    assert cli("assistant", "show", "Linter", "--json").json["revision"] == 1
    settled(cli, server)
    assert cli("apply", "assistants", "--prune", "--check").code == 0


@pytest.mark.usefixtures("repository")
def test_prune_deletes_what_came_from_the_directory_and_nothing_else(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    cli("assistant", "create", "Mine", "-i", "DocWriter")
    write("other/own.toml", definition("Own"))
    apply(cli)
    apply(cli, "other")
    Path("assistants/linter.toml").unlink()
    kept = cli("apply", "assistants", "-y")
    assert "`Linter` came from there and has no file any more; `--prune`" in kept.stderr
    assert names(cli) == ["Linter", "Mine", "Own", "Writer"]
    checked = cli("apply", "assistants", "--prune", "--check").stderr
    assert "hint: `gptasst apply assistants --prune` changes them" in checked
    told = cli("apply", "assistants", "--prune", "-n").lines
    assert told[0] == "delete  Linter"
    assert "deleted `Linter`" in apply(cli, "assistants", "--prune")
    assert names(cli) == ["Mine", "Own", "Writer"]
    settled(cli, server, "assistants", "--prune")
    assert cli("apply", "assistants/writer.toml", "--prune", "-y").code == 2


@pytest.mark.usefixtures("repository")
def test_one_made_by_hand_is_taken_over_where_that_is_shown(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    write("linter.toml", definition("Linter", 'model = "m"'))
    cli("assistant", "import", "linter.toml")
    shown = cli("apply", "assistants", "-n").text
    assert "takes over an assistant that was made by hand" in shown
    apply(cli)
    settled(cli, server)
    Path("assistants/linter.toml").unlink()
    assert "deleted `Linter`" in apply(cli, "assistants", "--prune")


@pytest.mark.usefixtures("repository")
def test_one_that_is_the_same_is_left_as_it_is(cli: Cli, server: LoopbackServer) -> None:
    """Nothing is written only to say that it now comes from a file."""
    cli("assistant", "import", "assistants/linter.toml")
    settled(cli, server, "assistants/linter.toml")


@pytest.mark.usefixtures("repository")
def test_all_definitions_have_to_be_right_before_anything_is_done(
    cli: Cli, write: Write, server: LoopbackServer
) -> None:
    write("assistants/a.toml", 'name = "A"\ninstructions = "x"\nmodle = "m"\n')
    write("assistants/z.toml", definition("Z", 'knowledge = ["../gone"]'))
    server.requests.clear()
    ran = cli("apply", "assistants", "-y")
    assert ran.code == 2
    assert "assistants/a.toml:3: unknown key `modle`" in ran.stderr
    assert "assistants/z.toml:3: key `knowledge`: no such file: `gone`" in ran.stderr
    both = cli("apply", "assistants", "--json").error["message"]
    assert "a.toml:3: unknown key `modle`; assistants/z.toml:3: key" in both
    assert writes(server) == []
    assert names(cli) == []


def test_a_name_that_two_files_have_is_refused(cli: Cli, write: Write) -> None:
    write("a.toml", definition("A"))
    write("b.toml", "# mine\n" + definition("A"))
    ran = cli("apply", ".", "-y")
    assert (ran.code, names(cli)) == (2, [])
    assert "b.toml:2: the name `A` is that of `a.toml`, too" in ran.stderr


def test_files_without_a_name_are_no_assistants(cli: Cli, write: Write) -> None:
    write("a.toml", definition("A"))
    write("base.toml", 'instructions = "x"\n')
    ran = cli("apply", ".", "-y")
    assert (ran.code, names(cli)) == (0, ["A"])
    assert "`base.toml` has no `name`" in ran.stderr
    write("a.toml", 'name = "A"\nextends = "base"\n')
    assert "base.toml" not in cli("apply", ".", "-y").stderr


def test_an_assistant_has_the_cases_beside_its_definition(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    write("code/a.toml", definition("A"))
    write("code/a.cases.toml", '[[case]]\nname = "c"\ninput = "x"\nequals = "x"\n')
    apply(cli, "code")
    assert names(cli) == ["A"]
    assert "case" in cli("assistant", "export", "A").text
    settled(cli, server, "code")
    write("code/a.cases.toml", '[[case]]\nname = "c"\ninput = "x"\nequals = "y"\n')
    assert "change  A: case" in apply(cli, "code")
    write("code/a.cases.toml", '[[case]]\nname = "c"\nfile = "../../x"\nequals = "y"\n')
    ran = cli("apply", "code", "-y")
    assert ran.code == 2
    assert "code/a.cases.toml: case `c`: `../../x` lies outside" in ran.stderr


def test_a_definition_may_extend_another(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("code/base.toml", 'model = "m"\ninstructions = "Be brief."\n')
    write("code/a.toml", 'name = "A"\nextends = "base"\ninstructions_append = "Be kind."\n')
    apply(cli, "code")
    kept = cli("assistant", "show", "A", "--json").json["definition"]
    assert (kept["model"], kept["instructions"].split()) == ("m", "Be brief. Be kind.".split())
    settled(cli, server, "code")


@pytest.mark.parametrize("words", [("nowhere",), (".",)])
def test_nothing_to_apply_is_an_error(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli("apply", *words).code == 2


@pytest.mark.usefixtures("repository")
def test_knowledge_is_left_alone_where_the_file_says_nothing(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    apply(cli)
    cli("assistant", "files", "add", "Linter", "docs")
    settled(cli, server)
    write("assistants/linter.toml", definition("Linter", 'model = "m"'))
    apply(cli)
    assert paths_of(cli, "Linter") == ["docs/a.md", "docs/b.md"]
    write("assistants/linter.toml", definition("Linter", "knowledge = []"))
    apply(cli)
    assert paths_of(cli, "Linter") == []
    settled(cli, server)


@pytest.mark.usefixtures("repository")
def test_it_is_the_same_from_wherever_it_is_called(
    cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(cli)
    monkeypatch.chdir("assistants")
    settled(cli, server, ".")
    settled(cli, server, "writer.toml", "linter.toml")
    monkeypatch.chdir("..")
    assert cli("assistant", "files", "sync", "Writer", "-n", "-q").text == ""


def test_what_a_file_is_known_by(cli: Cli, server: LoopbackServer, write: Write) -> None:
    for path in ("style.md", "docs/x/a.md", "code/own.md", "code/kept/docs/k.md", "code/[1].md"):
        write(path, path)
    words = '"../style.md", "../docs/**/*.md", "own.md", "kept/./docs", "[[]1].md"'
    write("code/a.toml", definition("A", f"knowledge = [{words}]"))
    apply(cli, "code")
    assert paths_of(cli, "A") == ["[1].md", "docs/k.md", "docs/x/a.md", "own.md", "style.md"]
    settled(cli, server, "code")


def test_two_files_of_one_path_are_refused(cli: Cli, write: Write) -> None:
    write("docs/a.md", "1")
    write("code/docs/a.md", "2")
    write("code/a.toml", definition("A", 'knowledge = ["../docs", "docs"]'))
    ran = cli("apply", "code", "-y")
    assert (ran.code, names(cli)) == (2, [])
    assert "would both be known as `docs/a.md`" in ran.stderr


class TestStrangers:
    """Somebody else wrote the directory."""

    def test_what_lies_outside_is_shown_and_asked_about(
        self, cli: Cli, write: Write, tmp_path: Path
    ) -> None:
        (tmp_path / "private.md").write_text("mine\n")
        write("code/a.toml", definition("A", 'knowledge = ["../../private.md"]'))
        ran = cli("apply", "code")
        assert "outside of the repository and would be sent" in ran.stderr
        assert "send 1 file from outside of the repository, and create 1 assistant?" in ran.stderr
        assert names(cli) == []

    def test_the_working_directory_does_not_make_a_repository_larger(
        self, cli: Cli, write: Write
    ) -> None:
        write("private.md", "mine\n")
        write("theirs/code/a.toml", definition("A", 'knowledge = ["../../private.md"]'))
        assert cli("apply", "theirs/code", "-n", "--json").json["assistants"][0]["outside"] == []
        write("theirs/.git/config", "")
        planned = cli("apply", "theirs/code", "-n", "--json").json["assistants"][0]
        assert planned["outside"] == ["private.md"]
        write("theirs/code/a.toml", definition("A"))
        write(
            "theirs/code/a.cases.toml",
            '[[case]]\nname = "c"\nfile = "../../private.md"\nequals = "y"\n',
        )
        ran = cli("apply", "theirs/code", "-y")  # it would become part of the assistant
        assert (ran.code, names(cli)) == (2, [])
        assert "a.cases.toml: case `c`: `../../private.md` lies outside of" in ran.stderr

    def test_what_a_server_of_tools_would_get_is_shown(self, cli: Cli, write: Write) -> None:
        server = '[[tools.mcp]]\nlabel = "l"\nurl = "https://a.example/mcp"\nkey_env = "MY_KEY"'
        write("code/a.toml", definition("A", server))
        told = "turns on mcp:l at https://a.example/mcp with the key in MY_KEY"
        assert told in apply(cli, "code")
        write("code/a.toml", definition("A", server.replace("a.ex", "b.ex")))
        assert told.replace("a.ex", "b.ex") in cli("apply", "code", "-n").text

    @pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of any bytes")
    def test_a_name_that_is_no_text_is_refused(self, cli: Cli, write: Write) -> None:
        write("code/a\udcff.toml", definition("A"))
        ran = cli("apply", "code", "-y")
        assert (ran.code, names(cli)) == (2, [])
        assert "has characters that can't be kept" in ran.stderr

    @pytest.mark.skipif(sys.platform == "win32", reason="links")
    def test_what_editors_leave_behind_is_passed_over(self, cli: Cli, write: Write) -> None:
        write("code/a.toml", definition("A"))
        Path("code/.#a.toml").symlink_to("me@machine.123")
        assert cli("apply", "code", "-y").code == 0

    @pytest.mark.skipif(sys.platform == "win32", reason="links")
    def test_links_do_not_lead_out(self, cli: Cli, write: Write, tmp_path: Path) -> None:
        (tmp_path / "private.md").write_text("mine\n")
        (tmp_path / "private.toml").write_text(definition("Private"))
        write("code/a.toml", definition("A", 'knowledge = ["docs", "named.md"]'))
        write("code/docs/a.md", "a")
        Path("code/docs/link.md").symlink_to(tmp_path / "private.md")
        Path("code/named.md").symlink_to(tmp_path / "private.md")
        ran = cli("apply", "code", "-n", "--json")
        (planned,) = ran.json["assistants"]
        assert planned["knowledge"]["add"] == ["docs/a.md", "named.md"]
        assert planned["outside"] == ["code/named.md"]
        assert "leads out of `code/docs`" in planned["knowledge"]["refused"][0]["reason"]
        Path("code/b.toml").symlink_to(tmp_path / "private.toml")
        ran = cli("apply", "code", "-y")
        assert (ran.code, names(cli)) == (2, [])
        assert "it is a link that leads out of" in ran.stderr

    @pytest.mark.parametrize("word", [".git/config", "../.git/config", "../.git", "keys/id_rsa"])
    def test_secrets_and_version_control_are_refused(
        self, cli: Cli, write: Write, word: str
    ) -> None:
        for path in ("code/.git/config", ".git/config", "code/keys/id_rsa"):
            write(path, "x\n")
        write("code/a.toml", definition("A", f'knowledge = ["{word}"]'))
        ran = cli("apply", "code", "-y")
        assert (ran.code, names(cli)) == (2, [])
        assert "code/a.toml:3: key `knowledge`: " in ran.stderr


@pytest.mark.usefixtures("repository")
def test_two_checkouts_and_homes_agree(
    cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write: Write
) -> None:
    """Neither where a checkout lies nor how it was fetched counts, and no password is kept."""
    import shutil

    apply(cli)
    shutil.copytree(".", tmp_path / "elsewhere" / "clone")
    monkeypatch.chdir(tmp_path / "elsewhere" / "clone")
    monkeypatch.setenv("GPTASST_HOME", str(tmp_path / "second"))
    write(".git/config", '[remote "origin"]\nurl = https://me:pass@github.com:443/acme/docs\n')
    settled(cli, project)
    write("assistants/linter.toml", definition("Checker"))
    assert "rename  Linter -> Checker" in apply(cli)
    source = only_store(project, "Checker").about["metadata"]["source"]
    assert source == "github.com/acme/docs//assistants//linter.toml"
    assert knowledge(project, "Writer") == {"docs/a.md": b"alpha\n", "docs/b.md": b"beta\n"}


@pytest.mark.usefixtures("repository")
def test_what_others_change_in_the_meantime_is_not_overwritten(cli: Cli, write: Write) -> None:
    """The others are done, and the next apply does the rest."""
    from gptasst.context import AppContext
    from gptasst.errors import PartlyDone
    from gptasst.inputs.screening import Screening

    apply(cli)
    write("assistants/linter.toml", definition("Linter", 'model = "m"'))
    write("assistants/writer.toml", definition("Writer", 'model = "m"'))
    write("assistants/new.toml", definition("New"))
    with AppContext(os.environ) as context:
        plan = context.assistants_as_code.plan(["assistants"], Screening())
        cli("assistant", "edit", "Linter", "--description", "theirs")
        cli("assistant", "create", "New", "-i", "DocWriter")
        with pytest.raises(PartlyDone) as raised:
            context.assistants_as_code.apply(plan)
        done = raised.value.done.assistants  # type: ignore[attr-defined]
    assert [(one.name, one.status, one.problem and one.problem.code) for one in done] == [
        ("Linter", "failed", "edit_conflict"),
        ("New", "failed", "name_taken"),
        ("Writer", "done", None),
    ]
    kept = cli("assistant", "show", "Linter", "--json").json["definition"]
    assert (kept["description"], kept["model"]) == ("theirs", None)
    apply(cli)
    assert cli("apply", "assistants", "--check").code == 0


def test_cases_without_a_definition_are_noticed(cli: Cli, write: Write) -> None:
    write("assistants/a.toml", definition("A"))
    write("assistants/b.cases.toml", '[[case]]\nname = "x"\ninput = "x"\nequals = "x"\n')
    ran = cli("apply", "assistants", "-y")
    assert ran.code == 0
    assert "warning: `assistants/b.cases.toml` has no definition beside it" in ran.stderr
    assert cli("apply", "assistants", "--json").json["passed_over"] == ["assistants/b.cases.toml"]
    Path("assistants/a.toml").unlink()
    assert "1 without" not in cli("apply", "assistants", "-n").stderr


def sources(project: LoopbackServer) -> dict[str, str]:
    stores = (store.about for store in project.stores.values())
    return {about["name"]: about["metadata"]["source"] for about in stores}


def test_equal_paths_on_two_machines_are_two_directories(
    cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write: Write
) -> None:
    write("code/a.toml", definition("A"))
    write("code/b.toml", definition("B"))
    apply(cli, "code")
    assert cli("assistant", "show", "A").text.count("code/a.toml, which says the same") == 1
    monkeypatch.setenv("GPTASST_HOME", str(tmp_path / "second"))
    write("code/b.toml", definition("C"))
    ran = cli("apply", "code", "--prune", "-y", "--json")
    actions = [(one["name"], one["action"]) for one in ran.json["assistants"]]
    assert sorted(actions) == [("A", "unchanged"), ("C", "create")]
    assert names(cli) == ["A", "B", "C"]
    assert "code/a.toml" not in cli("assistant", "show", "A").text


def test_what_earlier_versions_wrote_is_found(
    cli: Cli, project: LoopbackServer, write: Write
) -> None:
    """They left out the machine."""
    for name in ("A", "B", "Gone"):
        write(f"code/{name}.toml", definition(name))
    apply(cli, "code")
    now = sources(project)
    for store in project.stores.values():
        about = store.about
        about["metadata"]["source"] = re.sub("^machine-[^:]*:", "", about["metadata"]["source"])
    assert "code/A.toml, which says the same" in cli("assistant", "show", "A").text
    write("code/B.toml", definition("New"))
    Path("code/Gone.toml").unlink()
    ran = cli("apply", "code", "--prune", "-y")
    assert ran.code == 0
    assert "changed `A`" in ran.stderr
    assert "renamed `B` to `New`" in ran.stderr
    assert "`Gone` came from a directory of this path, here or on another machine" in ran.stderr
    assert names(cli) == ["A", "Gone", "New"]
    assert {**sources(project), "Gone": now["Gone"]} == {
        "A": now["A"],
        "New": now["B"],
        "Gone": now["Gone"],
    }
    settled(cli, project, "code")
