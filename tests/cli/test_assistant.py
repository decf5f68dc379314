"""`gptasst assistant` in the local store."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.on_terminal import on_terminal


@pytest.fixture
def writer(cli: Cli, write: Write) -> str:
    """An assistant with one knowledge file."""
    write("style.md", "# Style\n\nShort sentences.\n")
    assert cli("assistant", "create", "Writer 1", "-i", "DocWriter", "-f", "style.md").code == 0
    return "Writer 1"


class TestCreate:
    def test_from_an_instruction(self, cli: Cli, write: Write) -> None:
        write("a.md", "one")
        write("docs/b.md", "two")
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-m", "m1", "-f", "a.md", "docs")
        assert (ran.code, ran.text) == (0, "")
        assert ran.stderr == "created `W` with 2 files\n"
        made = cli("assistant", "show", "W", "--json").json
        template = cli("instruction", "show", "DocWriter", "--json").json["definition"]
        assert made["definition"] == template | {
            "name": "W",
            "model": "m1",
            "instruction": "DocWriter",
            "knowledge": ["docs"],
        }
        assert [(f["path"], f["size"]) for f in made["knowledge"]] == [
            ("a.md", 3),
            ("docs/b.md", 3),
        ]

    def test_with_every_switch(self, cli: Cli, write: Write) -> None:
        write("s.json", '{"type": "object"}')
        made = cli(
            "assistant", "create", "W", "-i", "DocWriter", "--json", "--description", "what",
            "--no-file-search", "--code-interpreter", "--web-search",
            "--reasoning-effort", "high", "--schema", "s.json",
        ).json["assistant"]["definition"]  # fmt: skip
        assert made["description"] == "what"
        switches = {
            name: made["tools"][name] for name in ("file_search", "code_interpreter", "web_search")
        }
        assert switches == {"file_search": False, "code_interpreter": True, "web_search": True}
        assert made["settings"]["reasoning_effort"] == "high"
        assert made["schema"] == {"type": "object"}

    def test_quiet_says_the_name(self, cli: Cli) -> None:
        ran = cli("-q", "assistant", "create", "W", "-i", "DocWriter")
        assert (ran.lines, ran.stderr) == (["W"], "")

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (["Writer 1", "-i", "DocWriter"], 2, "there is an assistant `Writer 1` already"),
            (["X", "-i", "DocWrite"], 3, "no instruction `DocWrite`"),
            (["a/b", "-i", "DocWriter"], 2, "the name `a/b` has a slash"),
            (["X", "-i", "DocWriter", "-f", "none.md"], 2, "no such file: `none.md`"),
            (["X", "-i", "DocWriter", "-f", "empty.md"], 2, "`empty.md` is empty"),
            (["X", "-i", "DocWriter", "-f", "style.md", "b.bin"], 2, "`b.bin` is not text"),
            (["X", "-i", "DocWriter", "-f", "bad.pdf"], 2, "`bad.pdf` can't be read as PDF"),
            (["X", "-i", "DocWriter", "--reasoning-effort", "big"], 2, "--reasoning-effort `big`"),
            (["X", "-i", "DocWriter", "--schema", "style.md"], 2, "schema `style.md` is not JSON"),
            (["X"], 2, "missing option '--instruction' / '-i'"),
        ],
    )
    def test_refused_whole(
        self, cli: Cli, write: Write, writer: str, words: list[str], code: int, message: str
    ) -> None:
        write("empty.md", "")
        write("b.bin", bytes(range(256)))
        write("bad.pdf", b"%PDF-1.4\nnothing of the kind")
        ran = cli("assistant", "create", *words, "--json")
        assert (ran.code, ran.stderr) == (code, "")
        assert ran.error["message"].startswith(message)
        assert cli("assistant", "list", "-q").lines == ["Writer 1"]


class TestListAndShow:
    def test_nothing_yet_leaves_no_file(self, cli: Cli, home: Path) -> None:
        ran = cli("assistant", "list", "--json")
        assert (ran.code, ran.json) == (0, {"assistants": []})
        assert not home.exists()

    def test_list(self, cli: Cli, writer: str) -> None:
        cli("assistant", "create", "alpha", "-i", "MarkdownLinter", "-m", "m")
        first, second = (line.split("\t") for line in cli("assistant", "list").lines)
        assert first[:5] == ["alpha", "m", "MarkdownLinter", "0", "0 B"]
        assert second[:5] == ["Writer 1", "", "DocWriter", "1", "26 B"]
        listed = cli("assistant", "list", "--json").json["assistants"][1]
        assert (listed["name"], listed["files"], listed["size"]) == ("Writer 1", 1, 26)

    def test_show_by_name_and_id(self, cli: Cli, writer: str) -> None:
        by_name = cli("assistant", "show", writer, "--json").json
        assert cli("assistant", "show", by_name["id"], "--json").json == by_name

    def test_show_in_a_pipe_is_toml(self, cli: Cli, writer: str) -> None:
        shown = cli("assistant", "show", writer)
        assert tomllib.loads(shown.text)["instruction"] == "DocWriter"
        assert "# knowledge: style.md (26 B, completed)" in shown.lines
        assert shown.text.endswith(cli("assistant", "export", writer).text)

    def test_show_on_a_terminal(self, cli: Cli, writer: str) -> None:
        folded = on_terminal("assistant", "show", writer, NO_COLOR="1").screen.splitlines()
        assert folded[0] == writer
        assert [line.split()[0] for line in folded if line.startswith("style.md")] == ["style.md"]
        assert "1 file, 26 B" in folded
        assert folded[-1].endswith("more lines; --full shows them")
        whole = on_terminal("assistant", "show", writer, "--full", NO_COLOR="1").screen
        instructions = cli("assistant", "show", writer, "--json").json["definition"]["instructions"]
        assert " ".join(whole.partition("instructions\n")[2].split()) == " ".join(
            instructions.split()
        )

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("writer1", "did you mean `Writer 1`?"),
            ("zzz", "`gptasst assistant list` shows them"),
        ],
    )
    @pytest.mark.parametrize(
        "words",
        [
            ["show"],
            ["delete", "-y"],
            ["export"],
            ["history"],
            ["files", "list"],
            ["edit", "-m", "x"],
        ],
        ids=lambda words: words[0],
    )
    def test_unknown(self, cli: Cli, writer: str, words: list[str], name: str, hint: str) -> None:
        ran = cli("assistant", *words, "--json", name)
        assert (ran.code, ran.error["code"], ran.error["hint"]) == (3, "not_found", hint)


class TestEdit:
    def test_only_what_is_named_changes(self, cli: Cli, writer: str) -> None:
        before = cli("assistant", "show", writer, "--json").json
        ran = cli("assistant", "edit", writer, "-m", "m2", "--web-search", "--rename", "W2")
        assert ran.stderr == "changed `W2` (revision 2)\n"
        after = cli("assistant", "show", "W2", "--json").json
        expected = before["definition"] | {
            "name": "W2",
            "model": "m2",
            "tools": before["definition"]["tools"] | {"web_search": True},
        }
        assert (after["definition"], after["revision"]) == (expected, 2)
        assert (after["id"], after["knowledge"]) == (before["id"], before["knowledge"])
        assert cli("assistant", "show", writer).code == 3

    def test_another_instruction_keeps_name_model_and_knowledge(
        self, cli: Cli, writer: str
    ) -> None:
        cli("assistant", "edit", writer, "-m", "m2")
        cli("assistant", "edit", writer, "-i", "MarkdownLinter")
        after = cli("assistant", "show", writer, "--json").json
        definition = after["definition"]
        assert (definition["instruction"], definition["model"]) == ("MarkdownLinter", "m2")
        assert definition["unwrap_fence"] is True
        assert [file["path"] for file in after["knowledge"]] == ["style.md"]

    def test_files_replace_the_whole_knowledge(self, cli: Cli, write: Write, writer: str) -> None:
        write("a.md", "one")
        write("b.md", "two")
        assert cli("assistant", "edit", writer, "-f", "a.md", "b.md").code == 0
        assert cli("assistant", "files", "list", writer, "-q").lines == ["a.md", "b.md"]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ([], "there is nothing to change"),
            (["--rename", "Other"], "there is an assistant `Other` already"),
            (["--rename", " x"], "the name ` x` is blank or has blanks around it"),
            (["-m", "m2", "-f", "none.md"], "no such file: `none.md`"),
            (["-m", "m2", "-f", "b.bin"], "`b.bin` is not text: it holds binary data"),
        ],
    )
    def test_refused_whole(
        self, cli: Cli, write: Write, writer: str, words: list[str], message: str
    ) -> None:
        cli("assistant", "create", "Other", "-i", "DocWriter")
        write("b.bin", bytes(range(256)))
        before = cli("assistant", "show", writer, "--json").json
        ran = cli("assistant", "edit", writer, *words, "--json")
        assert (ran.code, ran.error["message"]) == (2, message)
        assert cli("assistant", "show", writer, "--json").json == before


class TestDelete:
    def test_asks_and_refuses_where_nobody_answers(self, cli: Cli, writer: str) -> None:
        ran = cli("assistant", "delete", writer, "--json")
        assert (ran.code, ran.error["code"]) == (2, "needs_confirmation")
        assert "delete assistant `Writer 1` with 1 knowledge file?" in ran.error["message"]
        assert cli("assistant", "list", "-q").lines == [writer]

    def test_with_yes(self, cli: Cli, writer: str) -> None:
        assert cli("assistant", "delete", writer, "-y").stderr == "deleted `Writer 1`\n"
        assert cli("assistant", "list", "-q").lines == []
        assert Path("style.md").exists()

    def test_the_name_is_free_again(self, cli: Cli, writer: str) -> None:
        cli("assistant", "delete", writer, "--yes")
        assert cli("assistant", "create", writer, "-i", "MarkdownLinter").code == 0
        assert cli("assistant", "show", writer, "--json").json["knowledge"] == []


class TestHistory:
    def test_every_revision(self, cli: Cli, writer: str) -> None:
        cli("assistant", "edit", writer, "-m", "m2")
        cli("assistant", "edit", writer, "-m", "m2")  # no change, no revision
        cli("assistant", "edit", writer, "-i", "MarkdownLinter")
        rows = [line.split("\t") for line in cli("assistant", "history", writer).lines]
        assert [(r[0], r[1], r[4], r[5]) for r in rows] == [
            ("1", "", "", "DocWriter"),
            ("2", "", "m2", "DocWriter"),
            ("3", "*", "m2", "MarkdownLinter"),
        ]

    def test_rollback_appends(self, cli: Cli, writer: str) -> None:
        first = cli("assistant", "show", writer, "--json").json["definition"]
        cli("assistant", "edit", writer, "-m", "m2", "--rename", "W2")
        ran = cli("assistant", "rollback", "W2", "1", "--yes")
        assert ran.stderr == "`W2` is as in revision 1 again (now revision 3)\n"
        assert cli("assistant", "show", "W2", "--json").json["definition"] == first | {"name": "W2"}
        assert len(cli("assistant", "history", "W2", "-q").lines) == 3

    def test_rollback_to_what_is_there_asks_nothing(self, cli: Cli, writer: str) -> None:
        cli("assistant", "edit", writer, "-m", "m2")
        ran = cli("assistant", "rollback", writer, "2")
        said = "nothing to do: revision 2 of `Writer 1` is the current one\n"
        assert (ran.code, ran.stderr) == (0, said)
        cli("assistant", "rollback", writer, "1", "-y")
        ran = cli("assistant", "rollback", writer, "1", "--json")
        assert (ran.code, ran.json["revision"]) == (0, 3)
        ran = cli("assistant", "rollback", writer, "1", "--tested")  # it has no cases
        assert "1 of `Writer 1` has the same definition as the current one, 3\n" in ran.stderr
        assert (ran.code, len(cli("assistant", "history", writer, "-q").lines)) == (0, 3)

    def test_no_such_revision(self, cli: Cli, writer: str) -> None:
        ran = cli("assistant", "rollback", writer, "7", "--yes", "--json")
        assert ran.code == 3
        assert ran.error["hint"] == "`gptasst assistant history 'Writer 1'` lists its revisions"

    def test_rollback_refuses_where_nobody_answers(self, cli: Cli, writer: str) -> None:
        cli("assistant", "edit", writer, "-m", "m2")
        assert cli("assistant", "rollback", writer, "1").code == 2
        assert cli("assistant", "show", writer, "--json").json["revision"] == 2


class TestExportAndImport:
    def test_there_and_back(self, cli: Cli, writer: str) -> None:
        cli("assistant", "edit", writer, "-m", "m2", "--web-search")
        ran = cli("assistant", "export", writer, "-o", "writer.toml")
        assert (ran.text, ran.stderr) == ("", "wrote `writer.toml`\n")
        assert cli("assistant", "export", writer).text == Path("writer.toml").read_text("utf-8")
        for words in (["-o", "-"], ["-q"]):
            text = cli("assistant", "export", writer, *words).text
            assert text == Path("writer.toml").read_text("utf-8")
        assert not Path("-").exists()
        assert cli("assistant", "import", "writer.toml", "--name", "Copy").code == 0
        one, two = (cli("assistant", "show", n, "--json").json for n in (writer, "Copy"))
        assert two["definition"] == one["definition"] | {"name": "Copy"}
        assert two["knowledge"] == []

    def test_an_instruction_is_imported_under_its_files_name(self, cli: Cli, write: Write) -> None:
        write("Mine.toml", "instructions = 'Do it.'\n")
        assert cli("assistant", "import", "Mine.toml", "-q").lines == ["Mine"]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["writer.toml"], "there is an assistant `Writer 1` already"),
            (["wrong.toml"], "wrong.toml:1: unknown key `instruction_`"),
            (["none.toml"], "no such file: `none.toml`"),
            (["writer.toml", "--name", "a/b"], "the name `a/b` has a slash"),
        ],
    )
    def test_import_refused(
        self, cli: Cli, write: Write, writer: str, words: list[str], message: str
    ) -> None:
        cli("assistant", "export", writer, "-o", "writer.toml")
        write("wrong.toml", "instruction_ = 'x'\n")
        ran = cli("assistant", "import", *words, "--json")
        assert (ran.code, ran.error["message"]) == (2, message)

    def test_export_leaves_a_file_that_it_can_not_replace(self, cli: Cli, writer: str) -> None:
        Path("there").mkdir()
        ran = cli("assistant", "export", writer, "-o", "there")
        assert (ran.code, ran.text) == (2, "")
        assert ran.stderr.startswith("error: output `there` is a directory")


class TestFiles:
    def test_list(self, cli: Cli, writer: str) -> None:
        (line,) = (line.split("\t") for line in cli("assistant", "files", "list", writer).lines)
        assert line[:3] == ["style.md", "26 B", "completed"]

    def test_add_remove_set(self, cli: Cli, write: Write, writer: str) -> None:
        for name in ("docs/a.md", "docs/b.md", "docs/sub/c.md", "d e.txt"):
            write(name, name)
        ran = cli("assistant", "files", "add", writer, "docs", "d e.txt")
        assert ran.stderr == "`Writer 1`: 4 added, 1 unchanged\n"
        cli("assistant", "files", "remove", writer, "docs/sub", "d*.txt", "./style.md")
        assert cli("assistant", "files", "list", writer, "-q").lines == ["docs/a.md", "docs/b.md"]
        cli("assistant", "files", "set", writer, "style.md", "docs/b.md")
        assert cli("assistant", "files", "list", writer, "-q").lines == ["docs/b.md", "style.md"]

    def test_remove_by_id(self, cli: Cli, writer: str) -> None:
        (file,) = cli("assistant", "files", "list", writer, "--json").json["files"]
        assert cli("assistant", "files", "remove", writer, file["id"]).code == 0
        assert cli("assistant", "files", "list", writer, "-q").lines == []

    def test_the_same_again_changes_nothing(self, cli: Cli, writer: str) -> None:
        before = cli("assistant", "show", writer, "--json").json
        cli("assistant", "files", "add", writer, "style.md")
        cli("assistant", "files", "set", writer, "style.md")
        assert cli("assistant", "show", writer, "--json").json == before

    def test_new_content_replaces_the_old(self, cli: Cli, write: Write, writer: str) -> None:
        write("style.md", "New.")
        cli("assistant", "files", "add", writer, "style.md")
        (file,) = cli("assistant", "show", writer, "--json").json["knowledge"]
        assert (file["path"], file["size"]) == ("style.md", 4)

    @pytest.mark.parametrize(
        ("words", "code", "message", "hint"),
        [
            (
                ["remove", "stile.md"],
                3,
                "`Writer 1` has no file `stile.md`",
                "did you mean `style.md`?",
            ),
            (["remove", "*.pdf"], 3, "`Writer 1` has no file `*.pdf`", None),
            (["add", "stile.md"], 2, "no such file: `stile.md`", "did you mean `style.md`?"),
            (["add", "b.bin", "style.md"], 2, "`b.bin` is not text: it holds binary data", None),
            (["set", "*.none"], 2, "no file matches `*.none`", None),
        ],
    )
    def test_refused_whole(
        self,
        cli: Cli,
        write: Write,
        writer: str,
        words: list[str],
        code: int,
        message: str,
        hint: str | None,
    ) -> None:
        write("b.bin", bytes(range(256)))
        before = cli("assistant", "show", writer, "--json").json
        action, *files = words
        ran = cli("assistant", "files", action, writer, *files, "--json")
        assert (ran.code, ran.error["message"]) == (code, message)
        assert hint is None or ran.error["hint"] == hint
        assert cli("assistant", "show", writer, "--json").json == before


@pytest.mark.parametrize(
    "words",
    [
        ["assistant", "create", "Writer 1", "-i", "DocWriter"],
        ["assistant", "files", "remove", "Writer 1", "nothing-like-it.pdf"],
        ["assistant", "files", "sync", "Writer 1"],
        ["assistant", "files", "list", "Without Files"],
        ["instruction", "new", "House Style"],
    ],
)
def test_commands_that_are_advised_can_be_typed(cli: Cli, writer: str, words: list[str]) -> None:
    """A name of two words is one word in them."""
    Path("style.md").unlink()
    assert cli("assistant", "create", "Without Files", "-i", "DocWriter").code == 0
    said = cli(*words).stderr
    (advised,) = [text for text in said.split("`") if text.startswith("gptasst ")]
    assert {writer, "Without Files", "House Style"} & set(shlex.split(advised))
