"""A directory from a project, and what `assistant show` says of files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.apply.code import apply, paths_of, settled
from tests.assistants.project import new_machine
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer


@pytest.fixture
def by_hand(cli: Cli, write: Write, tmp_path: Path) -> None:
    """Assistants with odd names and knowledge, made by hand."""
    for path in ("docs/a.md", "docs/sub/b.py", "one.md", "src/x.py", "[1].md"):
        write(path, f"This is {path}.\n")
    (tmp_path / "far.md").write_text("far away\n")
    words = ("docs", "one.md", "src/*.py", "[1].md", str(tmp_path / "far.md"))
    for name, files in (
        ("Docs", words),
        ("docs", ("one.md",)),
        ("What? *: \N{SNOWMAN}", ()),
        (".hidden", ()),
        ("a.cases", ()),
        ("con", ()),
    ):
        more = ["-f", *files] if files else []
        assert cli("assistant", "create", name, "-i", "DocWriter", *more).code == 0


@pytest.mark.usefixtures("by_hand")
def test_applying_what_was_exported_changes_nothing(cli: Cli, server: LoopbackServer) -> None:
    ran = cli("assistant", "export", "--all", "-o", "code")
    assert ran.code == 0, ran.stderr
    assert "wrote 6 assistants to `code`" in ran.stderr
    assert "knowledge" not in Path("code/Docs.toml").read_text()
    settled(cli, server, "code")


@pytest.mark.usefixtures("by_hand")
def test_with_its_knowledge(cli: Cli, server: LoopbackServer, tmp_path: Path) -> None:
    ran = cli("assistant", "export", "--all", "-o", "code", "--with-files", "code/files", "--json")
    assert (ran.code, ran.json["failed"], ran.json["notes"]) == (0, [], [])
    assert sorted(one["files"] for one in ran.json["assistants"]) == [0, 0, 0, 0, 1, 6]
    settled(cli, server, "code")
    shutil.copytree("code", "elsewhere")
    for gone in ("docs", "src", "one.md"):
        path = Path(gone)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    settled(cli, server, "elsewhere")
    known = paths_of(cli, "Docs")
    assert (tmp_path / "far.md").as_posix() in known
    cli("assistant", "delete", "Docs", "-y")
    apply(cli, "elsewhere")
    assert paths_of(cli, "Docs") == known


def test_what_can_not_be_written_is_left_alone(
    cli: Cli, server: LoopbackServer, write: Write, home: Path
) -> None:
    write("a.md", "a\n")
    write(".env", "KEY=1\n")
    made = ("assistant", "create", "A", "-i", "DocWriter", "-f")
    assert cli(*made, "a.md", ".env", "--allow-secrets").code == 0
    ran = cli("assistant", "export", "--all", "-o", "code", "--with-files", "files")
    assert ran.code == 0
    assert "`A`: its knowledge is left alone: `code" not in ran.stderr
    assert "counts as secret" in ran.stderr
    settled(cli, server, "code")


@pytest.mark.parametrize(
    "words", [("A", "--all", "-o", "x"), ("--all",), ("--all", "-o", "full"), ()]
)
def test_what_does_not_fit(cli: Cli, write: Write, words: tuple[str, ...]) -> None:
    write("full/a.md", "a")
    assert cli("assistant", "export", *words).code == 2
    assert [path.name for path in Path("full").iterdir()] == ["a.md"]


@pytest.mark.usefixtures("repository")
def test_show_tells_whether_an_assistant_differs_from_its_file(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apply(cli)
    assert (
        "# from assistants/writer.toml, which says the same"
        in cli("assistant", "show", "Writer").lines
    )
    assert cli("assistant", "show", "Writer", "--json").json["differs"] == []
    cli("assistant", "edit", "Writer", "-m", "gpt-6.2-sol")
    shown = cli("assistant", "show", "Writer")
    assert "# from assistants/writer.toml, which differs in model" in shown.lines
    assert "`gptasst apply assistants/writer.toml` changes it" in shown.stderr
    monkeypatch.chdir("docs")
    assert cli("assistant", "show", "Writer", "--json").json["file"] == "../assistants/writer.toml"
    write("../assistants/writer.toml", "name = 1")
    broken = cli("assistant", "show", "Writer")
    assert "../assistants/writer.toml:1: key `name` must be a string" in broken.stderr
    monkeypatch.chdir(tmp_path)
    elsewhere = cli("assistant", "show", "Writer")
    assert "# from github.com/acme/docs//assistants//writer.toml" in elsewhere.lines
    assert "file" not in cli("assistant", "show", "Writer", "--json").json


def test_files_that_the_server_does_not_give_out(
    cli: Cli, server: LoopbackServer, store: str, write: Write, home: Path
) -> None:
    """On OpenAI knowledge can't be downloaded; the local store has only its text."""
    write("a.md", "a\n")
    assert cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md").code == 0
    Path("a.md").unlink()
    if store == "project":
        new_machine(home)
        for stored in server.files.values():
            stored.data = b"other\n"
    ran = cli("assistant", "export", "--all", "-o", "code", "--with-files", "files")
    assert ran.code == 6
    assert "`a.md`: `A`:" in ran.stderr
    settled(cli, server, "code")
