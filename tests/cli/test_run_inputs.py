"""`gptasst run`: files, patterns, text and standard input on their way to the model."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Sent, names, sent_parts
from tests.conftest import Cli, Write
from tests.knowledge import documents
from tests.loopback import LoopbackServer, outcomes
from tests.openapi import assert_valid_request
from tests.small_pdf import small_pdf

pytestmark = pytest.mark.usefixtures("local_store")

PDF = b"%PDF-1.7\n\xe2\xe3\xcf\xd3 not a real one"
TAKES_FILES = "[profiles.openai]\ninput_file = true\n"


def tagged(path: str, text: str) -> str:
    return f'<file path="{path}">\n{text}</file>'


@pytest.fixture
def takes_files(home: Path, server: LoopbackServer) -> None:
    config = home / "config" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(TAKES_FILES)


class TestStandardInput:
    @pytest.mark.parametrize("words", [["-"], [], ["-f", "-"]])
    def test_piped(self, cli: Cli, server: LoopbackServer, sent: Sent, words: list[str]) -> None:
        ran = cli("run", "DocWriter", *words, stdin=b"teh text\n")
        assert ran.code == 0
        assert sent() == [
            "Write the documentation of what is in these files.",
            tagged("stdin", "teh text\n"),
        ]

    def test_beside_files_and_text(
        self, cli: Cli, server: LoopbackServer, write: Write, sent: Sent
    ) -> None:
        write("a.md", "a\n")
        cli("run", "DocWriter", "-f", "a.md", "-", "-t", "Do it.", stdin=b"piped\n")
        assert sent() == ["Do it.", tagged("stdin", "piped\n"), tagged("a.md", "a\n")]

    def test_with_text_alone(self, cli: Cli, server: LoopbackServer, sent: Sent) -> None:
        cli("run", "DocWriter", "-t", "Do it.", stdin=b"piped\n")
        assert sent() == ["Do it.", tagged("stdin", "piped\n")]

    def test_never_unasked_beside_files(
        self, cli: Cli, server: LoopbackServer, write: Write, sent: Sent
    ) -> None:
        """It belongs to the loop of a shell that the command stands in."""
        write("a.md", "a\n")
        assert cli("run", "DocWriter", "a.md", stdin=b"b.md\nc.md\n").code == 0
        assert sent()[-1] == tagged("a.md", "a\n")
        assert len(sent()) == 2

    @pytest.mark.parametrize("words", [["-"], [], ["-t", "  "], ["-t", " \n", "-"]])
    def test_blank(self, cli: Cli, server: LoopbackServer, words: list[str]) -> None:
        ran = cli("run", "DocWriter", *words, stdin=b"  \n\n")
        assert ran.code == 2
        assert server.requests == []
        said = "standard input is empty" if "-" in words else "there is nothing to work on"
        assert said in ran.stderr

    def test_nothing_beside_a_text(self, cli: Cli, server: LoopbackServer, sent: Sent) -> None:
        assert cli("run", "DocWriter", "-t", "Do it.", stdin=b"\n").code == 0
        assert sent() == ["Do it."]

    def test_empty(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-", stdin=b"")
        assert (ran.code, ran.stderr) == (2, "error: standard input is empty\n")

    @pytest.mark.parametrize(
        ("content", "hint"),
        [
            (
                b"%PDF-1.7\n\0\xff",
                "if it is a PDF, name a file with that extension: -f FILE (.pdf)",
            ),
            (documents.docx(), "if it is an office document, name a file with that extension"),
        ],
    )
    def test_a_document(self, cli: Cli, server: LoopbackServer, content: bytes, hint: str) -> None:
        ran = cli("run", "DocWriter", stdin=content)
        assert (ran.code, server.requests) == (2, [])
        assert f"hint: {hint}" in ran.stderr

    def test_binary(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", stdin=b"\0\1\2")
        assert ran.code == 2
        assert "`stdin` is not text" in ran.stderr


class TestFiles:
    @pytest.mark.parametrize(
        "words",
        [
            ["-f", "c.md", "a.md", "b.md"],
            ["-f", "c.md", "-f", "a.md", "-f", "b.md"],
            ["--file", "c.md", "a.md", "--file=b.md"],
            ["c.md", "a.md", "b.md"],
            ["c.md", "-f", "a.md", "b.md"],
            ["-f", "c.md", "a.md", "b.md", "a.md"],
        ],
    )
    def test_all_in_order(
        self, cli: Cli, server: LoopbackServer, write: Write, sent: Sent, words: list[str]
    ) -> None:
        for name in "abc":
            write(f"{name}.md", name + "\n")
        assert cli("run", "DocWriter", *words).code == 0
        assert len(server.requests) == 1
        assert sent()[1:] == [tagged(f"{name}.md", f"{name}\n") for name in "cab"]

    @pytest.mark.parametrize(
        "name",
        ["two words.md", "Übergröße.md", "-x.md", "-fancy.md", "--json.md", "[1].md", "日本.md"],
    )
    def test_odd_names(
        self, cli: Cli, server: LoopbackServer, write: Write, sent: Sent, name: str
    ) -> None:
        write(name, "text\n")
        write("b.md", "b\n")
        assert cli("run", "DocWriter", "-f", "b.md", name).code == 0
        assert cli("run", "DocWriter", "-f", name, "b.md", "-o", "out.md").code == 0
        assert sent()[1] == tagged(name, "text\n")
        assert cli("run", "DocWriter", "-o", "out.md", "--", name).code == 0
        assert sent()[1:] == [tagged(name, "text\n")]

    def test_name_that_is_not_unicode(
        self, cli: Cli, server: LoopbackServer, write: Write, sent: Sent
    ) -> None:
        name = os.fsdecode(b"caf\xe9.md")
        write(name, "text\n")
        assert cli("run", "DocWriter", "-f", name, "-o", "out.md").code == 0
        assert sent()[1] == tagged("caf?.md", "text\n")

    def test_quotes_in_a_name(
        self, cli: Cli, server: LoopbackServer, write: Write, sent: Sent
    ) -> None:
        write('a"><b.md', "text\n")
        cli("run", "DocWriter", "-f", 'a"><b.md')
        assert sent()[1] == tagged("a&quot;&gt;&lt;b.md", "text\n")

    def test_pattern_and_directory(
        self, cli: Cli, server: LoopbackServer, write: Write, sent: Sent
    ) -> None:
        for name in ("docs/b.md", "docs/a/deep.md", "docs/a.md", "docs/no.txt"):
            write(name, "x\n")
        cli("run", "DocWriter", "-f", "docs/**/*.md")
        found = sent()[1:]
        assert found == [
            tagged(name, "x\n") for name in ("docs/a/deep.md", "docs/a.md", "docs/b.md")
        ]
        cli("run", "DocWriter", "docs")
        assert len(sent()) == 1 + 4

    @pytest.mark.parametrize(
        "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"]
    )
    def test_encodings(
        self, cli: Cli, server: LoopbackServer, write: Write, sent: Sent, encoding: str
    ) -> None:
        write("a.md", "Größe: 5 €\r\n".encode(encoding))
        assert cli("run", "DocWriter", "-f", "a.md").code == 0
        assert sent()[1] == tagged("a.md", "Größe: 5 €\r\n")


@pytest.mark.usefixtures("takes_files")
class TestDocuments:
    @pytest.mark.parametrize(
        ("name", "media_type"),
        [
            ("Ä b.pdf", "application/pdf"),
            ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ("a.XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ("a.rtf", "application/rtf"),
        ],
    )
    def test_inline(
        self, cli: Cli, server: LoopbackServer, write: Write, name: str, media_type: str
    ) -> None:
        write(name, PDF)
        ran = cli("run", "DocWriter", "-f", name)

        assert ran.code == 0, ran.stderr
        data = base64.b64encode(PDF).decode()
        assert sent_parts(server)[1] == {
            "type": "input_file",
            "filename": name,
            "file_data": f"data:{media_type};base64,{data}",
        }
        assert_valid_request(server.requests[0])

    def test_image(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.PNG", b"\x89PNG\r\n")
        assert cli("run", "DocWriter", "-f", "a.PNG").code == 0
        data = base64.b64encode(b"\x89PNG\r\n").decode()
        assert sent_parts(server)[1] == {
            "type": "input_image",
            "detail": "auto",
            "image_url": f"data:image/png;base64,{data}",
        }
        assert_valid_request(server.requests[0])

    @pytest.mark.parametrize("name", ["big.pdf", "big.png"])
    @pytest.mark.parametrize("outcome", [None, outcomes.failed()])
    def test_large_ones_are_uploaded_and_deleted(
        self,
        cli: Cli,
        server: LoopbackServer,
        write: Write,
        name: str,
        outcome: outcomes.Outcome | None,
    ) -> None:
        write(name, PDF + b"\0" * 8_000_000)
        if outcome:
            server.outcomes.append(outcome)
        assert cli("run", "DocWriter", "-f", name).code == (7 if outcome else 0)

        upload, run, delete = server.requests
        assert (upload.path, upload.method) == ("/v1/files", "POST")
        assert upload.body_size > 8_000_000
        file_id = run.json["input"][0]["content"][1]["file_id"]
        assert (delete.method, delete.path) == ("DELETE", f"/v1/files/{file_id}")
        assert server.files == {}
        for request in server.requests:
            assert_valid_request(request)

    def test_uploads_expire(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        """Should deleting fail, the server forgets the file by itself; the answer counts."""
        write("big.pdf", PDF + b"\0" * 8_000_000)
        server.disturb("DELETE", "/v1/files/*", outcomes.http_error(400))
        ran = cli("run", "DocWriter", "-f", "big.pdf", "-t", "Read it.")

        assert (ran.code, ran.text) == (0, "Read it.")
        (kept,) = (stored.about for stored in server.files.values())
        assert kept["expires_at"] - kept["created_at"] == 86_400
        assert (kept["purpose"], kept["filename"]) == ("user_data", "big.pdf")

    def test_uploads_to_what_is_no_api(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("big.pdf", PDF + b"\0" * 8_000_000)
        server.disturb("POST", "/v1/files", outcomes.http_error(200, body="<html>"))
        ran = cli("run", "DocWriter", "-f", "big.pdf", "--json")
        assert (ran.code, ran.error["code"]) == (1, "not_an_api")

    def test_dry_run_says_how(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.pdf", PDF)
        write("big.pdf", PDF + b"\0" * 8_000_000)
        ran = cli("run", "DocWriter", "-f", "a.pdf", "big.pdf", "-n", "--json")
        assert [i["sent_as"] for i in ran.json["inputs"]] == ["inline", "upload"]
        assert server.requests == []

    def test_too_much_together(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        for name in ("a.pdf", "b.pdf"):
            write(name, PDF + b"\0" * 26_000_000)
        ran = cli("run", "DocWriter", "-f", "a.pdf", "b.pdf")
        assert (ran.code, server.requests) == (2, [])
        assert "are 52,000,056 bytes together, a request takes 50,000,000" in ran.stderr


class TestWhatIsNotTaken:
    @pytest.mark.parametrize("name", ["a.doc", "a.xls"])
    def test_documents_that_have_no_text_here(
        self, cli: Cli, server: LoopbackServer, write: Write, name: str
    ) -> None:
        write(name, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
        ran = cli("run", "DocWriter", "-f", name, "-o", "out.md")
        assert (ran.code, server.requests, names()) == (2, [], [name])
        kind = name[2:]
        assert ran.stderr == (
            f"error: `{name}` can't be read as {kind.upper()}: it is in an older Office format\n"
            f"hint: save it as .{kind}x\n"
        )

    def test_images(self, cli: Cli, server: LoopbackServer, write: Write, home: Path) -> None:
        (home / "config").mkdir(parents=True)
        (home / "config" / "config.toml").write_text("[profiles.openai]\ninput_image = false")
        write("a.png", b"\x89PNG")
        ran = cli("run", "DocWriter", "-f", "a.png")
        assert (ran.code, server.requests) == (2, [])
        assert f"`a.png` is an image, which {server.base_url} does not take" in ran.stderr

    def test_by_the_embedded_model(self, cli: Cli, write: Write) -> None:
        write("a.png", b"\x89PNG")
        ran = cli("run", "DocWriter", "-f", "a.png")
        assert ran.code == 2
        assert "which the embedded model does not take" in ran.stderr


class TestDocumentsAsText:
    """For servers that take no documents, and documents that none takes."""

    def test_a_run(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.pdf", small_pdf(["The Ibex.", ""]))
        write("b.docx", documents.docx())
        ran = cli("run", "DocWriter", "-f", "a.pdf", "b.docx")
        assert ran.code == 0
        sent = server.requests[-1].json["input"][0]["content"]
        assert {part["type"] for part in sent} == {"input_text"}
        assert "[page 1]\nThe Ibex." in sent[1]["text"]
        assert "Per diem | 55 EUR" in sent[2]["text"]
        assert f"`a.pdf` is sent as text, as {server.base_url} takes no" in ran.stderr
        assert "1 of 2 pages have no text" in ran.stderr
        assert "`b.docx` is sent as text" in ran.stderr

    def test_each(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("in/a.pdf", small_pdf(["The Ibex."]))
        write("in/b.pdf", b"%PDF- no")
        ran = cli("run", "DocWriter", "--each", "-f", "in", "-o", "out/{stem}.md")
        assert ran.code == 6
        assert "sent as text: `in/a.pdf`, `in/b.pdf`" in ran.stderr
        assert "`in/b.pdf` can't be read as PDF" in ran.stderr
        assert Path("out/a.md").exists()

    def test_a_dry_run(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.epub", documents.epub())
        ran = cli("run", "DocWriter", "-f", "a.epub", "-n", "--json")
        assert [i["sent_as"] for i in ran.json["inputs"]] == ["text"]

    def test_a_mail_without_its_encoding(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        encoded = "Content-Transfer-Encoding: base64\n\nR3LDvMOfZSBhdXMgQmVybGlu\n"
        write("a.eml", f"Subject: x\nContent-Type: text/plain; charset=utf-8\n{encoded}")
        assert cli("run", "DocWriter", "-f", "a.eml").code == 0
        sent = server.requests[-1].json["input"][0]["content"]
        assert "Grüße aus Berlin" in sent[1]["text"]

    def test_a_secret_in_it_is_refused(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.pdf", small_pdf(["-----BEGIN RSA PRIVATE KEY-----"]))
        ran = cli("run", "DocWriter", "-f", "a.pdf")
        assert (ran.code, server.requests) == (2, [])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes on Windows")
class TestNamedPipes:
    def test_a_dry_run_takes_nothing_out_of_it(self, cli: Cli) -> None:
        os.mkfifo("pipe")
        ran = cli("run", "DocWriter", "-f", "pipe", "-n")
        assert (ran.code, ran.lines) == (2, [])
        assert "error: `pipe` is a named pipe, which a dry run does not read" in ran.stderr

    def test_one_that_nobody_writes_to_is_given_up(self, cli: Cli, server: LoopbackServer) -> None:
        os.mkfifo("pipe")
        ran = cli("run", "DocWriter", "-f", "pipe", "--timeout", "0.2")
        assert (ran.code, server.requests) == (2, [])
        assert "warning: waiting for the end of the pipe `pipe`" in ran.stderr
        assert "error: the pipe `pipe` did not end within" in ran.stderr

    def test_what_is_written_is_sent(self, cli: Cli, server: LoopbackServer, sent: Sent) -> None:
        os.mkfifo("pipe")
        writer = threading.Thread(target=lambda: Path("pipe").write_text("piped\n"))
        writer.start()
        assert cli("run", "DocWriter", "-f", "pipe").code == 0
        writer.join()
        assert sent()[-1] == tagged("pipe", "piped\n")
