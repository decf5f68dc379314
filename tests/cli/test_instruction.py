"""`gptasst instruction`: the library, its precedence, and what ships with the package."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.docs.pages import DOCS, ROOT, section

_FILES = sorted((ROOT / "instructions").glob("*.toml"))
SHIPPED = [path for path in _FILES if not path.name.endswith(".cases.toml")]


def _instruction(text: str) -> str:
    return f"description = '{text}'\ninstructions = 'Do it.'\n"


@pytest.fixture
def three_layers(home: Path, write: Write) -> None:
    """`Mine` in the project and with the user; `MarkdownLinter` of the user's own."""
    write("instructions/Mine.toml", _instruction("project"))
    write(str(home / "config/instructions/Mine.toml"), _instruction("user"))
    write(str(home / "config/instructions/MarkdownLinter.toml"), _instruction("user"))


class TestList:
    def test_what_ships(self, cli: Cli) -> None:
        ran = cli("instruction", "list", "--quiet")
        assert (ran.code, ran.stderr) == (0, "")
        assert ran.lines == [path.stem for path in SHIPPED]

    def test_the_nearest_of_a_name(self, cli: Cli, three_layers: None) -> None:
        listed = cli("instruction", "list", "--json").json["instructions"]
        origins = {i["definition"]["name"]: i["origin"] for i in listed}
        assert (origins["Mine"], origins["MarkdownLinter"]) == ("project", "user")
        assert origins["DocWriter"] == "shipped"

    def test_a_broken_one_is_named_and_the_others_listed(self, cli: Cli, write: Write) -> None:
        write("instructions/Broken.toml", "instructions = 1\n")
        ran = cli("instruction", "list", "--quiet")
        assert ran.code == 0
        assert ran.lines == [path.stem for path in SHIPPED]
        assert ran.stderr == (
            "warning: instructions/Broken.toml:1: key `instructions` must be a string\n"
        )

    def test_a_broken_one_hides_what_is_behind_it(self, cli: Cli, write: Write) -> None:
        """Falling back to another of the same name would run something else unseen."""
        write("instructions/DocWriter.toml", "instructions = 1\n")
        ran = cli("instruction", "show", "DocWriter")
        assert (ran.code, ran.text) == (2, "")
        assert "instructions/DocWriter.toml:1:" in ran.stderr


class TestShow:
    def test_is_the_file(self, cli: Cli) -> None:
        ran = cli("instruction", "show", "DocWriter")
        assert ran.text == (ROOT / "instructions/DocWriter.toml").read_text("utf-8")
        assert ran.stderr == f"# {ROOT / 'instructions/DocWriter.toml'}\n"

    def test_json(self, cli: Cli, three_layers: None) -> None:
        shown = cli("instruction", "show", "Mine", "--json").json
        assert (shown["origin"], shown["path"]) == ("project", "instructions/Mine.toml")
        assert shown["definition"]["description"] == "project"

    def test_by_path(self, cli: Cli, write: Write) -> None:
        write("sub/Other.toml", _instruction("a file"))
        shown = cli("instruction", "show", "sub/Other.toml", "--json").json
        assert (shown["origin"], shown["definition"]["name"]) == ("file", "Other")

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("markdownlintr", "did you mean `MarkdownLinter`?"),
            ("Xyz", "`gptasst instruction list` shows what there is"),
        ],
    )
    def test_not_there(self, cli: Cli, name: str, hint: str) -> None:
        ran = cli("instruction", "show", name, "--json")
        assert (ran.code, ran.error["code"], ran.error["hint"]) == (3, "not_found", hint)

    def test_no_such_file(self, cli: Cli) -> None:
        ran = cli("instruction", "show", "none.toml", "--json")
        assert (ran.code, ran.error["message"]) == (3, "no instruction file `none.toml`")

    def test_a_name_that_is_not_the_files(self, cli: Cli, write: Write) -> None:
        write("instructions/A.toml", "name = 'B'\n" + _instruction("x"))
        ran = cli("instruction", "show", "A", "--json")
        assert ran.code == 2
        assert ran.error["message"] == (
            "instructions/A.toml:1: the key `name` says `B`, the file `A`"
        )


class TestNew:
    def test_makes_a_valid_file(self, cli: Cli, home: Path) -> None:
        ran = cli("instruction", "new", "House Style")
        path = home / "config/instructions/House Style.toml"
        assert ran.lines == [str(path)]
        assert cli("instruction", "validate", "House Style").lines == [f"{path}: ok"]

    def test_in_the_project(self, cli: Cli) -> None:
        ran = cli("instruction", "new", "Mine", "--project", "--json")
        assert (ran.json["name"], ran.json["path"]) == ("Mine", "instructions/Mine.toml")
        assert Path("instructions/Mine.toml").is_file()

    def test_from_another(self, cli: Cli) -> None:
        cli("instruction", "new", "Mine", "--from", "DocWriter", "--project")
        assert Path("instructions/Mine.toml").read_bytes() == (
            (ROOT / "instructions/DocWriter.toml").read_bytes()
        )

    def test_from_one_that_says_its_name(self, cli: Cli, write: Write) -> None:
        write("A.toml", "# kept\nname = 'A'\ninstructions = '''\nname = 'A'\n'''\n")
        assert cli("instruction", "new", "B", "--from", "A.toml", "--project").code == 0
        made = cli("instruction", "show", "B", "--json").json["definition"]
        assert (made["name"], made["instructions"]) == ("B", "name = 'A'\n")
        assert "# kept" in cli("instruction", "show", "B").text

    @pytest.mark.parametrize("name", ["a/b", "..\\b", " a", "-a", "a\nb", "x" * 201, "a\x1b[31m"])
    def test_a_name_that_can_not_be(self, cli: Cli, home: Path, name: str) -> None:
        ran = cli("instruction", "new", "--json", "--", name)
        assert (ran.code, ran.error["code"]) == (2, "bad_name")
        assert not home.exists()

    def test_does_not_replace(self, cli: Cli, write: Write) -> None:
        path = write("instructions/Mine.toml", _instruction("old"))
        ran = cli("instruction", "new", "Mine", "--project", "--json")
        assert (ran.code, ran.error["code"]) == (2, "name_taken")
        assert ran.error["hint"] == "`gptasst instruction edit Mine` changes it"
        assert path.read_text() == _instruction("old")

    def test_from_nothing(self, cli: Cli, home: Path) -> None:
        assert cli("instruction", "new", "X", "--from", "Nothing").code == 3
        assert not home.exists()


class TestEdit:
    @pytest.fixture
    def editor(self, monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
        """An editor that puts the content of `new.txt` into the file."""
        write(
            "an editor.py",
            "import pathlib, sys\n"
            "pathlib.Path(sys.argv[-1]).write_bytes(pathlib.Path('new.txt').read_bytes())\n",
        )
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"{sys.executable} 'an editor.py' --wait")

    def test_own(self, cli: Cli, write: Write, editor: None) -> None:
        path = write("instructions/Mine.toml", _instruction("old"))
        write("new.txt", _instruction("new"))
        ran = cli("instruction", "edit", "Mine")
        assert (ran.code, ran.stderr) == (0, "`instructions/Mine.toml` is valid\n")
        assert path.read_text() == _instruction("new")

    def test_shipped_becomes_the_users(
        self, cli: Cli, home: Path, write: Write, editor: None
    ) -> None:
        before = (ROOT / "instructions/DocWriter.toml").read_bytes()
        write("new.txt", _instruction("new"))
        ran = cli("instruction", "edit", "DocWriter", "--json")
        copy = home / "config/instructions/DocWriter.toml"
        assert (ran.json["path"], ran.json["origin"]) == (str(copy), "user")
        assert copy.read_text() == _instruction("new")
        assert (ROOT / "instructions/DocWriter.toml").read_bytes() == before

    def test_what_is_wrong_is_said_and_kept(self, cli: Cli, write: Write, editor: None) -> None:
        path = write("instructions/Mine.toml", _instruction("old"))
        write("new.txt", "instructons = ''\n")
        ran = cli("instruction", "edit", "Mine")
        assert ran.code == 2
        assert ran.stderr.startswith("error: instructions/Mine.toml:1: unknown key `instructons`")
        assert path.read_text() == "instructons = ''\n"

    @pytest.mark.parametrize(
        ("editor_command", "problem"),
        [
            ("", "no editor is set"),
            ("/no/such/editor", "the editor `/no/such/editor` can't be started"),
            ("'unclosed", "the editor `'unclosed` can't be started"),
            (f"{sys.executable} -c 'raise SystemExit(3)'", "ended with exit code 3"),
        ],
    )
    def test_no_editor_changes_nothing(
        self,
        cli: Cli,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        editor_command: str,
        problem: str,
    ) -> None:
        monkeypatch.setenv("VISUAL", editor_command)
        monkeypatch.setenv("EDITOR", "")
        ran = cli("instruction", "edit", "DocWriter")
        assert (ran.code, problem in ran.stderr) == (2, True)
        assert not (home / "config/instructions/DocWriter.toml").exists()


class TestValidate:
    def test_everything_that_ships(self, cli: Cli) -> None:
        ran = cli("instruction", "validate")
        assert (ran.code, ran.stderr) == (0, "")
        assert ran.lines == [f"{path}: ok" for path in SHIPPED]

    def test_all_errors_at_once(self, cli: Cli, write: Write) -> None:
        write("instructions/A.toml", "instructions = 1\n")
        write("instructions/B.toml", _instruction("right"))
        write("C.toml", "nothing = 1\n")
        ran = cli("instruction", "validate", "A", "B", "C.toml", "Nope")
        assert (ran.code, ran.lines) == (3, ["instructions/B.toml: ok"])
        assert [line for line in ran.stderr.splitlines() if line.startswith("error")] == [
            "error: instructions/A.toml:1: key `instructions` must be a string",
            "error: C.toml:1: unknown key `nothing`",
            "error: no instruction `Nope`",
        ]

    def test_json(self, cli: Cli, write: Write) -> None:
        write("A.toml", "instructions = 1\n")
        ran = cli("instruction", "validate", "A.toml", "DocWriter", "--json")
        assert (ran.code, ran.stderr) == (2, "")
        assert ran.json == {
            "valid": [str(ROOT / "instructions/DocWriter.toml")],
            "errors": [
                {
                    "code": "invalid_definition",
                    "message": "A.toml:1: key `instructions` must be a string",
                    "hint": None,
                }
            ],
            "notes": [],
        }


class TestShipped:
    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
    def test_says_what_it_is(self, cli: Cli, path: Path) -> None:
        definition = cli("instruction", "show", path.stem, "--json").json["definition"]
        assert 20 <= len(definition["description"]) <= 110
        assert definition["default_text"]
        assert len(definition["instructions"]) > 400
        assert definition["model"] is None

    def test_the_page_has_them_all(self) -> None:
        table = section(DOCS / "definitions.md", "Instructions")
        names = re.findall(r"^\| `(\w+)` \| \w.* \|$", table, flags=re.MULTILINE)
        assert sorted(names) == [path.stem for path in SHIPPED]


def test_a_copy_has_the_cases(cli: Cli, write: Write) -> None:
    cases = '[[case]]\nname = "c"\ninput = "x"\ncontains = "x"\n'
    write("instructions/A.toml", 'instructions = "Do."\n')
    write("instructions/A.cases.toml", cases)
    ran = cli("instruction", "new", "B", "--from", "A", "--project")
    assert (ran.code, ran.lines) == (0, ["instructions/B.toml"])
    assert "copied its cases: instructions/B.cases.toml" in ran.stderr
    assert Path("instructions/B.cases.toml").read_text() == cases
    assert cli("instruction", "validate", "B").code == 0

    write("instructions/D.cases.toml", "mine")
    ran = cli("instruction", "new", "D", "--from", "A", "--project")
    assert (ran.code, Path("instructions/D.toml").exists()) == (2, False)
    assert Path("instructions/D.cases.toml").read_text() == "mine"


FILE_CASE = '[[case]]\nname = "c"\nfile = "x.md"\ncontains = "x"\n'


def test_a_copy_beside_it_has_the_cases_that_name_files(cli: Cli, write: Write) -> None:
    own = FILE_CASE.replace('"c"', '"own"')
    write("instructions/A.toml", f'instructions = "Do."\n{own}')
    write("instructions/A.cases.toml", FILE_CASE)
    write("instructions/x.md", "x")
    ran = cli("instruction", "new", "B", "--from", "A", "--project", "--json")
    assert ran.json["notes"] == []
    assert Path(ran.json["cases_path"]).read_text() == FILE_CASE


@pytest.mark.usefixtures("server")
def test_a_copy_elsewhere_says_which_cases_it_lacks(cli: Cli, write: Write) -> None:
    """The command that is printed runs them on the copy."""
    write("instructions/A.toml", f'instructions = "Do."\n{FILE_CASE.replace("x.md", "y.md")}')
    write("instructions/A.cases.toml", FILE_CASE.replace('"c"', '"beside"'))
    write("instructions/x.md", "x")
    ran = cli("instruction", "new", "B", "--from", "A")
    assert ran.code == 0
    assert "case `c` names `y.md`, which is not beside the copy\n" in ran.stderr
    said = "`instructions/A.cases.toml` is not copied, because its cases name files beside it; "
    command = "gptasst test B --cases instructions/A.cases.toml"
    assert f"{said}`{command}` runs them on the copy\n" in ran.stderr
    assert not Path(ran.lines[0]).with_name("B.cases.toml").exists()
    assert cli(*command.split()[1:]).code == 0
