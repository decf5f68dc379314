"""Knowledge that a server does not read as it is goes there as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.knowledge import documents
from tests.loopback import LoopbackServer
from tests.small_pdf import small_pdf

RTF = r"{\rtf1\ansi The ibis pays 50 euros.}"
MAIL = "Subject: Prices\nContent-Transfer-Encoding: base64\nContent-Type: text/plain\n\nVGFwaXI=\n"
CYRILLIC = "Барсук платит 70 рублей.\n"


def knowledge(server: LoopbackServer) -> dict[str, tuple[str, str, bytes]]:
    """By path: the name on the server, what was sent of it, and that."""
    found = {}
    for store in server.stores.values():
        for attachment in store.files.values():
            about = attachment.attributes
            sent = attachment.file.data
            found[about["path"]] = (attachment.file.name, about.get("sent_sha256", ""), sent)
    return found


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.xlsx", documents.xlsx(), b"[sheet"),
        ("t.odt", documents.odt(), b""),
        ("t.ods", documents.odt(), b"[sheet"),
        ("t.epub", documents.epub(), b""),
        ("t.rtf", RTF.encode(), b"The ibis pays 50 euros."),
        ("t.eml", MAIL.encode(), b"Tapir"),
        ("t.ipynb", documents.ipynb(), b"Axolotl"),
    ],
)
def test_a_format_that_is_not_searched_goes_as_text(
    cli: Cli, write: Write, project: LoopbackServer, name: str, content: bytes, words: bytes
) -> None:
    write(f"kb/{name}", content)
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb")
    assert ran.code == 0, ran.stderr
    assert f"the server gets the text of `kb/{name}`" in ran.stderr
    sent_name, sent_sha256, sent = knowledge(project)[f"kb/{name}"]
    assert sent_name == f"{name}.txt"
    assert len(sent_sha256) == 64
    assert words in sent
    assert b"\0" not in sent
    assert cli("assistant", "files", "sync", "W", "-n", "-q").text == ""
    assert cli("assistant", "files", "list", "W", "-q").lines == [f"kb/{name}"]


def test_a_citation_names_the_file_itself(cli: Cli, write: Write, project: LoopbackServer) -> None:
    write("kb/price.rtf", RTF)
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb").code == 0
    found = cli("run", "W", "-t", "What does the ibis pay?", "--json").json["passages"]
    assert [(each["path"], each["text"].strip()) for each in found] == [
        ("kb/price.rtf", "The ibis pays 50 euros.")
    ]
    assert cli("assistant", "search", "W", "ibis", "-q").text == "kb/price.rtf\n"


@pytest.mark.parametrize("error", ["unsupported_file", "server_error", "invalid_file"])
def test_what_a_server_can_not_read_goes_as_text(
    cli: Cli, write: Write, project: LoopbackServer, error: str
) -> None:
    """OGX reads no office documents and no JSON."""
    contents: dict[str, str | bytes] = {
        "d.docx": documents.docx(),
        "p.pptx": documents.pptx(),
        "j.json": '{"gnu": 80}',
    }
    for name, content in contents.items():
        write(f"kb/{name}", content)
        project.index_failures[name] = (error, "File type is not supported")
    write("kb/a.md", "alpha\n")
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb")
    assert ran.code == 0, ran.stderr
    assert "the server gets the text of" in ran.stderr
    names = {path: name for path, (name, _, _) in knowledge(project).items()}
    assert names == {f"kb/{name}": f"{name}.txt" for name in contents} | {"kb/a.md": "a.md"}
    assert len(project.files) == 4  # nothing is left of the first attempt
    assert cli("assistant", "files", "sync", "W", "-n", "-q").text == ""


def test_what_has_no_text_is_left_out_with_the_reason(
    cli: Cli, write: Write, project: LoopbackServer
) -> None:
    write("kb/scan.pdf", small_pdf([""]))
    write("kb/broken.xlsx", b"no spreadsheet")
    write("kb/a.md", "alpha\n")
    project.index_failures["scan.pdf"] = ("server_error", "No chunks were generated")
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb")
    assert ran.code == 6
    assert (
        "`kb/scan.pdf`: No chunks were generated (there is no text in `kb/scan.pdf`" in ran.stderr
    )
    assert "left out: `kb/broken.xlsx` can't be read as XLSX" in ran.stderr
    assert list(knowledge(project)) == ["kb/a.md"]


def test_it_goes_up_once_and_is_found_again(
    cli: Cli, write: Write, project: LoopbackServer
) -> None:
    write("kb/price.rtf", RTF)
    for name in ("W", "V"):
        assert cli("assistant", "create", name, "-i", "DocWriter", "-f", "kb").code == 0
    assert len(project.files) == 1
    assert cli("cache", "rebuild").code == 0
    assert cli("assistant", "create", "U", "-i", "DocWriter", "-f", "kb").code == 0
    assert len(project.files) == 1
    assert not list(Path().rglob("texts-*"))


def test_the_text_of_a_file_is_not_taken_for_the_file(
    cli: Cli, write: Write, project: LoopbackServer
) -> None:
    """UTF-8 that was read as something else must not become the knowledge of the next one."""
    write("kb/a.txt", "größer\n")
    wrong = ("assistant", "create", "W", "-i", "DocWriter", "-f", "kb", "--encoding", "latin-1")
    assert cli(*wrong).code == 0
    assert knowledge(project)["kb/a.txt"][2].decode() == "grÃ¶ÃŸer\n".replace("ÃŸ", "Ã\x9f")
    assert cli("assistant", "files", "list", "W", "-q").lines == ["kb/a.txt"]
    assert cli("assistant", "create", "V", "-i", "DocWriter", "-f", "kb").code == 0
    assert {file.data.decode() for file in project.files.values()} >= {"größer\n"}
    assert cli("cache", "clear", "-y").code == 0
    assert cli("assistant", "create", "U", "-i", "DocWriter", "-f", "kb").code == 0
    assert len(project.files) == 2  # two assistants have the file, one the text


def test_an_export_says_that_only_the_text_is_there(
    cli: Cli, write: Write, project: LoopbackServer
) -> None:
    project.gives_files = True
    write("kb/price.rtf", RTF)
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb").code == 0
    Path("kb/price.rtf").unlink()
    ran = cli("assistant", "export", "W", "-o", "w.toml", "--with-files", "saved")
    assert ran.code == 6
    assert "the server has only the text of `kb/price.rtf`" in ran.stderr


class TestEncoding:
    @pytest.fixture(autouse=True, params=["local", "openai"])
    def store(
        self,
        request: pytest.FixtureRequest,
        server: LoopbackServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> str:
        monkeypatch.setenv("GPTASST_STORE", request.param)
        return str(request.param)

    def test_it_is_named(self, cli: Cli, write: Write, server: LoopbackServer) -> None:
        write("kb/price.txt", CYRILLIC.encode("koi8-r"))
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb/price.txt")
        assert ran.code == 2
        named = ("-f", "kb/price.txt", "--encoding", "koi8-r")
        assert cli("assistant", "create", "W", "-i", "DocWriter", *named).code == 0
        (found,) = cli("assistant", "search", "W", "барсук", "--json").json["passages"]
        assert found["text"].strip() == CYRILLIC.strip()

    def test_it_is_named_later(self, cli: Cli, write: Write, server: LoopbackServer) -> None:
        write("kb/price.txt", "Der Dachs zahlt 70 Euro: größer.\n".encode("mac-roman"))
        assert cli("assistant", "create", "W", "-i", "DocWriter").code == 0
        first = cli("assistant", "files", "add", "W", "kb/price.txt", "--encoding", "latin-1")
        assert first.code == 0
        ran = cli("assistant", "files", "add", "W", "kb/price.txt", "--encoding", "mac-roman")
        assert "1 replaced" in ran.stderr
        (found,) = cli("assistant", "search", "W", "Dachs", "--json").json["passages"]
        assert "größer" in found["text"]

    def test_a_sync_reads_what_is_new_in_it(
        self, cli: Cli, write: Write, server: LoopbackServer
    ) -> None:
        write("kb/price.txt", CYRILLIC.encode("koi8-r"))
        named = ("--encoding", "koi8-r")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb", *named).code == 0
        assert "1 unchanged" in cli("assistant", "files", "sync", "W", *named).stderr
        write("kb/price.txt", ("Новый " + CYRILLIC).encode("koi8-r"))
        assert "1 replaced" in cli("assistant", "files", "sync", "W", *named).stderr
        (found,) = cli("assistant", "search", "W", "новый", "--json").json["passages"]
        assert found["text"].startswith("Новый")

    def test_windows_1252_is_read_and_reported(
        self, cli: Cli, write: Write, server: LoopbackServer
    ) -> None:
        write("kb/price.txt", "Der Dachs zahlt 70 Euro: größer, “ja”.\n".encode("cp1252"))
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb")
        assert ran.code == 0
        assert "`kb/price.txt`: read as windows-1252" in ran.stderr
        (found,) = cli("assistant", "search", "W", "Dachs", "--json").json["passages"]
        assert "größer, “ja”" in found["text"]

    def test_documents_are_left_alone(self, cli: Cli, write: Write, server: LoopbackServer) -> None:
        write("kb/t.docx", documents.docx())
        named = ("--encoding", "koi8-r")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "kb", *named).code == 0
        assert "1 unchanged" in cli("assistant", "files", "add", "W", "kb", *named).stderr

    def test_there_is_no_such_encoding(self, cli: Cli, write: Write) -> None:
        write("a.txt", "alpha\n")
        ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.txt", "--encoding", "x")
        assert (ran.code, "unknown encoding `x`" in ran.stderr) == (2, True)
