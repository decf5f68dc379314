"""The local store's SQLite file, and what a run quotes from it."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.knowledge import documents
from tests.loopback import LoopbackServer
from tests.processes import processes
from tests.small_pdf import small_pdf


def _create(cli: Cli, *files: str) -> None:
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", *files).code == 0


def _texts(server: LoopbackServer) -> list[str]:
    asked = [request.json for request in server.requests if request.method == "POST"]
    content = asked[-1]["input"][-1]["content"]
    return [part["text"] for part in content]


def _excerpt(path: str, text: str) -> str:
    return f'<excerpt source="{path}" place="lines 1-3">\n{text}\n</excerpt>'


def _excerpts(server: LoopbackServer) -> list[str]:
    return [text for text in _texts(server) if text.startswith("<excerpt ")]


class TestSearch:
    def test_the_best_excerpts_come_first_with_their_names(
        self, cli: Cli, write: Write, server: LoopbackServer
    ) -> None:
        write("cats.md", "# Cats\n\nCats purr, and cats sleep.\n")
        write("dogs.md", "# Dogs\n\nDogs bark at a cat.\n")
        write("fish & chips.md", "Fish swim.\n")
        _create(cli, "cats.md", "dogs.md", "fish & chips.md")
        server.answer = "Purr."
        ran = cli("run", "W", "-t", "Why does a cat purr?", "--json")
        assert _excerpts(server) == [
            _excerpt("cats.md", "# Cats\n\nCats purr, and cats sleep."),
            _excerpt("dogs.md", "# Dogs\n\nDogs bark at a cat."),
        ]
        assert [(c["path"], c["place"]) for c in ran.json["citations"]] == [
            ("cats.md", "lines 1-3"),
            ("dogs.md", "lines 1-3"),
        ]
        assert ran.json["citations"][0]["quote"] == "# Cats\n\nCats purr, and cats sleep."

    def test_from_a_long_file_only_what_fits(
        self, cli: Cli, write: Write, server: LoopbackServer
    ) -> None:
        chapters = [f"## Chapter {n}\n\n{f'Filler of {n}. ' * 60}\n" for n in range(60)]
        chapters[37] += "\nThe zeppelin leaves at noon.\n"
        write("long.md", "\n".join(chapters))
        _create(cli, "long.md")
        cli("run", "W", "-t", "When does the ZEPPELIN leave?")
        excerpts = _excerpts(server)
        assert "The zeppelin leaves at noon." in excerpts[0]
        assert sum(len(text) for text in excerpts) < 25_000

    def test_any_words_are_a_task(self, cli: Cli, write: Write, server: LoopbackServer) -> None:
        """FTS5's own syntax, other scripts, and no word at all."""
        write("a.md", "Ein Zug fährt. 電車が走る. NOT AND OR NEAR.\n")
        _create(cli, "a.md")
        found = ("NEAR(a b", "Not?", "b* OR ^zug -c", "fahrt", "電車が走る")
        for task in (*found, '"', "?!", "x" * 3000):
            assert cli("run", "W", "-t", task).code == 0
            assert len(_excerpts(server)) == (1 if task in found else 0)

    def test_the_input_is_searched_for_too(
        self, cli: Cli, write: Write, server: LoopbackServer
    ) -> None:
        write("invoices.md", "Invoices are due in 30 days.\n")
        write("other.md", "Something else.\n")
        write("in.py", "def invoices(): ...\n")
        _create(cli, "invoices.md", "other.md")
        cli("run", "W", "-f", "in.py")
        assert ['source="invoices.md"' in text for text in _excerpts(server)] == [True]

    def test_only_its_own_knowledge(self, cli: Cli, write: Write, server: LoopbackServer) -> None:
        write("a.md", "secret of a\n")
        write("b.md", "something of b\n")
        cli("assistant", "create", "A", "-i", "DocWriter", "-f", "a.md")
        cli("assistant", "create", "B", "-i", "DocWriter", "-f", "b.md")
        cli("run", "B", "-t", "secret of whom?")
        assert _excerpts(server) == []
        cli("run", "B", "-t", "secret or something?")
        assert ['source="b.md"' in text for text in _excerpts(server)] == [True]

    def test_changed_and_removed_knowledge_is_forgotten(
        self, cli: Cli, write: Write, server: LoopbackServer
    ) -> None:
        write("a.md", "an old zebra\n")
        write("b.md", "a zebra in b\n")
        _create(cli, "a.md", "b.md")
        write("a.md", "a new horse\n")
        cli("assistant", "files", "add", "W", "a.md")
        cli("assistant", "files", "remove", "W", "b.md")
        cli("run", "W", "-t", "zebra or horse")
        assert _excerpts(server) == [
            '<excerpt source="a.md" place="line 1">\na new horse\n</excerpt>'
        ]

    def test_switched_off(self, cli: Cli, write: Write, server: LoopbackServer) -> None:
        write("a.md", "one\n")
        _create(cli, "a.md")
        cli("assistant", "edit", "W", "--no-file-search")
        ran = cli("run", "W", "-t", "one", "--json")
        assert (_excerpts(server), ran.json["citations"]) == ([], [])

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "windows-1252"])
    def test_any_encoding(
        self, cli: Cli, write: Write, server: LoopbackServer, encoding: str
    ) -> None:
        write("a.txt", "Größe in Zoll".encode(encoding))
        _create(cli, "a.txt")
        cli("run", "W", "-t", "groesse größe")
        assert "\nGröße in Zoll\n" in _excerpts(server)[0]


class TestPdf:
    def test_pages_are_cited(self, cli: Cli, write: Write, server: LoopbackServer) -> None:
        write("handbook.pdf", small_pdf(["Holidays are in July.", "Invoices are due at once."]))
        _create(cli, "handbook.pdf")
        ran = cli("run", "W", "-t", "When is an invoice due?", "--json")
        (cited,) = ran.json["citations"]
        assert (cited["path"], cited["place"]) == ("handbook.pdf", "page 2")
        assert "Invoices are due at once." in _excerpts(server)[0]

    def test_without_text(self, cli: Cli, write: Write) -> None:
        write("scan.pdf", small_pdf(["", ""]))
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "scan.pdf", "--json")
        assert (ran.code, ran.error["code"]) == (2, "not_knowledge")

    @pytest.mark.parametrize("damage", [slice(0, 200), slice(0, 9)], ids=["half", "head"])
    def test_damaged(self, cli: Cli, write: Write, damage: slice) -> None:
        write("broken.pdf", small_pdf(["Some text."])[damage])
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "broken.pdf", "--json")
        assert ran.code == 2
        assert ran.error["message"].startswith("`broken.pdf` can't be read as PDF: ")
        assert ran.stderr == ""


class TestDatabase:
    @pytest.fixture
    def database(self, cli: Cli, home: Path) -> Path:
        assert cli("assistant", "create", "W", "-i", "DocWriter").code == 0
        return home / "data/assistants.sqlite3"

    def test_is_the_owners_alone(self, database: Path) -> None:
        assert stat.S_IMODE(database.stat().st_mode) == 0o600
        assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700

    @pytest.mark.parametrize("words", [["list"], ["create", "X", "-i", "DocWriter"]], ids=str)
    def test_damaged(self, cli: Cli, database: Path, words: list[str]) -> None:
        database.write_bytes(b"this is not a database, whatever its name says\n" * 100)
        ran = cli("assistant", *words, "--json")
        assert (ran.code, ran.error["code"]) == (1, "bad_store")
        assert str(database) in ran.error["message"]

    def test_in_use_is_not_taken_for_damaged(
        self, cli: Cli, database: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gptasst.storage.database._BUSY_SECONDS", 0.05)
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            ran = cli("assistant", "create", "X", "-i", "DocWriter", "--json")
        assert (ran.code, ran.error["code"]) == (1, "bad_store")
        assert "try again" in ran.error["hint"]
        assert "move it away" not in ran.error["hint"]

    def test_of_a_newer_version(self, cli: Cli, database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA user_version = 99")
        ran = cli("assistant", "list")
        assert ran.code == 1
        assert ran.stderr.splitlines() == [
            f"error: the local store `{database}` was written by a newer gptasst",
            "hint: pip install -U gptasst",
        ]

    def test_an_empty_file_is_an_empty_store(self, cli: Cli, database: Path) -> None:
        for path in database.parent.glob("assistants.sqlite3*"):
            path.unlink()
        database.touch()
        assert cli("assistant", "list", "--json").json == {"assistants": []}

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_not_writable(self, cli: Cli, home: Path) -> None:
        home.mkdir(mode=0o500)
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "--json")
        assert (ran.code, ran.error["code"]) == (1, "state_error")

    def test_a_file_where_its_directory_should_be(self, cli: Cli, home: Path) -> None:
        home.mkdir()
        (home / "data").write_text("in the way")
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "--json")
        assert (ran.code, ran.error["code"]) == (1, "state_error")

    def test_many_processes_at_once(self, cli: Cli) -> None:
        with processes() as start:
            running = [start("assistant", "create", "-i", "DocWriter", f"W{n}") for n in range(4)]
            assert [process.wait() for process in running] == [0] * 4
        assert cli("assistant", "list", "-q").lines == [f"W{n}" for n in range(4)]


def test_an_edit_of_definition_and_files_is_one_step(cli: Cli, write: Write, home: Path) -> None:
    write("a.md", "one")
    cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md")
    before = cli("assistant", "show", "W", "--json").json
    write("b.md", "two")
    with closing(sqlite3.connect(home / "data" / "assistants.sqlite3")) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON passages BEGIN"
            " SELECT RAISE(ABORT, 'the disk is full'); END"
        )
        database.commit()
    ran = cli("assistant", "edit", "W", "-m", "m2", "-f", "b.md")
    assert (ran.code, "the disk is full" in ran.stderr) == (1, True)
    assert cli("assistant", "show", "W", "--json").json == before


def test_documents_are_knowledge_and_each_answers_for_itself(cli: Cli, write: Write) -> None:
    write("kb/travel.docx", documents.docx())
    write("kb/prices.xlsx", documents.xlsx())
    write("kb/mixed.pdf", small_pdf(["", "Only this page has text: Okapi."]))
    write("kb/broken.pptx", documents.pptx()[:500])
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb")
    assert ran.code == 0
    assert "left out: `kb/broken.pptx` can't be read as PPTX" in ran.stderr
    assert "`kb/mixed.pdf`: 1 of 2 pages have no text" in ran.stderr
    for question, path, place in (
        ("Who approves a taxi?", "kb/travel.docx", "section Travel > Taxis"),
        ("price of the Quokka widget", "kb/prices.xlsx", "sheet Prices, rows 2-3"),
        ("Okapi", "kb/mixed.pdf", "page 2"),
    ):
        excerpts = cli("run", "W", "-t", question, "-n", "--json").json["excerpts"]
        assert (excerpts[0]["path"], excerpts[0]["place"]) == (path, place)


def test_a_named_document_without_the_extra(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("travel.docx", documents.docx())
    write("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    monkeypatch.setitem(sys.modules, "docx", None)
    for name, told in (
        ("travel.docx", "install 'gptasst[documents]'`"),
        ("old.xls", "save it as .xlsx"),
    ):
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", name)
        assert (ran.code, told in ran.stderr) == (2, True)


@pytest.mark.parametrize(
    ("name", "documents"),
    [("kb/huge.txt", 9000), ("kb/huge.docx", 2000), ("kb/huge.csv", 9000), ("kb/huge.html", 9000)],
)
def test_a_file_that_is_too_large_is_not_read_whole(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch, name: str, documents: int
) -> None:
    write("kb/a.md", "alpha\n")
    write(name, "x" * 2001)
    monkeypatch.setattr("gptasst.knowledge.formats._MAX_BYTES", documents)
    monkeypatch.setattr("gptasst.knowledge.formats.limits.MAX_CHARACTERS", 500)
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb")
    assert (ran.code, ran.stderr) == (
        0,
        f"warning: left out: `{name}` is larger than 2,000 bytes\ncreated `W` with 1 file\n",
    )


def test_one_content_under_two_endings_is_read_as_each(cli: Cli, write: Write) -> None:
    content = "animal,days\nQuokka,17\n"
    write("kb/a.csv", content)
    write("kb/b.txt", content)
    cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb")
    found = cli("assistant", "search", "W", "Quokka", "--json").json["passages"]
    assert {passage["path"]: passage["place"] for passage in found} == {
        "kb/a.csv": "row 2",
        "kb/b.txt": "lines 1-2",
    }
