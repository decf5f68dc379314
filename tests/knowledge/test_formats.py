"""Text and places out of every format."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from gptasst.errors import InvalidInput
from gptasst.knowledge.formats import read_document
from gptasst.knowledge.formats.documents import joined_lines
from gptasst.knowledge.passages import PASSAGE_SIZE, passages_of
from tests.knowledge import documents
from tests.small_pdf import small_pdf

Found = list[tuple[str, str, str]]


def found(content: bytes, name: str) -> Found:
    return [(p.place, p.heading, p.text) for p in passages_of(content, name)]


def test_docx() -> None:
    text = "Taxis\nAbove 40 euros a Zephyr approval.\nPer diem | 55 EUR"
    assert found(documents.docx(), "a.docx") == [
        ("section Travel", "Travel", "Travel"),
        ("section Travel > Taxis", "Travel > Taxis", text),
        ("section Travel > Trains", "Travel > Trains", "Trains\nSecond class."),
    ]


def test_pptx() -> None:
    assert found(documents.pptx(), "a.pptx") == [
        ("slide 1", "Roadmap", "Roadmap\nNarwhal ships in Q3"),
        ("slide 2", "Risks", "Risks\nNone\nNotes: Ask the Walrus."),
    ]


def test_xlsx_has_sheets_rows_and_the_head_over_each_passage() -> None:
    passages = found(documents.xlsx(rows=200), "a.xlsx")
    assert len(passages) > 2
    assert passages[0][0].startswith("sheet Prices, rows 2-")
    assert all(text.startswith("item | price\n") for _, _, text in passages)
    assert passages[-1] == ("sheet Prices, row 1000", "Prices", "item | price\nFar away")
    assert all(len(text) <= PASSAGE_SIZE for _, _, text in passages)


def test_odt() -> None:
    text = "Travel\nA Zephyr approval.\nPer diem | 55 EUR"
    assert found(documents.odt(), "a.odt") == [("section Travel", "Travel", text)]


def test_epub_is_read_in_the_order_of_its_spine() -> None:
    assert found(documents.epub(), "a.epub") == [
        ("chapter 1, section One", "One", "One\nThe Ibex."),
        ("chapter 2", "", "The Lynx."),
    ]


def test_ipynb_has_cells_and_what_they_printed_but_no_images() -> None:
    assert found(documents.ipynb(), "a.ipynb") == [
        ("cell 1", "Churn", "# Churn\nThe Axolotl model"),
        ("cell 2", "Churn", "fit(axolotl)\nAUC 0.91"),
    ]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (
            "<style>.a{}</style><script>var Tapir</script><p>Fran&ccedil;ois signs.",
            "François signs.",
        ),
        ("<nav>Home</nav><main><p>Refund</p></main><footer>Imprint</footer>", "Refund"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a | b\nc"),
        ("<p>one<br>two <b>three</b></p>", "one\ntwo three"),
        ("<div>" * 50_000 + "deep", "deep"),
        ("a < b &amp; c &unknown; <!-- no -->", "a < b & c &unknown;"),
        ("<head><title>T</title><body>open head", "open head"),
    ],
)
def test_html(page: str, text: str) -> None:
    assert read_document(page.encode(), "a.html").text == text


def test_html_in_the_encoding_that_it_names() -> None:
    page = '<meta charset="windows-1251"><h2>Возврат</h2><p>семь дней'.encode("windows-1251")
    assert found(page, "a.html") == [("section Возврат", "Возврат", "Возврат\nсемь дней")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'animal,days\nQuokka,17\n\n"Tapir, young",12\n'),
        ("a.csv", 'animal;days\nQuokka;17\n\n"Tapir, young";12\n'),
        ("a.tsv", "animal\tdays\nQuokka\t17\n\nTapir, young\t12\n"),
    ],
)
def test_delimited(name: str, content: str) -> None:
    assert found(content.encode(), name) == [
        ("row 2", "", "animal | days\nQuokka | 17"),
        ("row 4", "", "animal | days\nTapir, young | 12"),
    ]


def test_eml() -> None:
    mail = (
        "From: a@example.com\nSubject: =?utf-8?q?R=C3=BCckgabe?=\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/html\n\n'
        "<p>In <b>12</b> days\n--x\nContent-Type: application/pdf\n"
        'Content-Disposition: attachment; filename="t.pdf"\n\nJVBERi0=\n--x--\n'
    )
    document = read_document(mail.encode(), "a.eml")
    assert document.notes == ("1 attachments were not read",)
    assert [(part.place, part.text) for part in document.parts] == [
        ("head of the mail", "From: a@example.com\nSubject: Rückgabe\nAttachment: t.pdf"),
        ("body of the mail", "In 12 days"),
    ]


def test_rtf() -> None:
    assert found(rb"{\rtf1\ansi\ansicpg1252 Stra\'dfe\par Ger\'e4t}", "a.rtf") == [
        ("paragraphs 1-2", "", "Straße\nGerät")
    ]


class TestPdf:
    def test_pages(self) -> None:
        content = small_pdf(["The Ibex.", "The Lynx."])
        assert found(content, "x") == [("page 1", "", "The Ibex."), ("page 2", "", "The Lynx.")]

    def test_pages_without_text_are_counted(self) -> None:
        document = read_document(small_pdf(["", "Okapi", ""]), "a.pdf")
        assert document.notes == ("2 of 3 pages have no text: are they scanned?",)

    def test_an_empty_password_opens_it(self) -> None:
        content = documents.encrypted_pdf(small_pdf(["The Ibex."]), "")
        assert read_document(content, "a.pdf").text == "[page 1]\nThe Ibex."

    def test_another_password_is_an_error_of_this_file(self) -> None:
        content = documents.encrypted_pdf(small_pdf(["The Ibex."]), "secret")
        with pytest.raises(InvalidInput, match=r"`a.pdf` can't be read as PDF") as caught:
            read_document(content, "a.pdf")
        assert "password" in str(caught.value.hint)

    @pytest.mark.parametrize(
        ("text", "joined"),
        [
            ("confi-\ndentiality", "confidentiality"),
            ("Haupt-\nund Nebensatz", "Haupt-\nund Nebensatz"),
            ("Franco-\nGerman", "Franco-\nGerman"),
            ("5-\nfold", "5-\nfold"),
        ],
    )
    def test_words_cut_at_a_line_end(self, text: str, joined: str) -> None:
        assert joined_lines(text) == joined


def test_markdown_knows_its_headings_and_lines() -> None:
    filler = "Words of some length.\n" * 30
    text = f"# Setup\n{filler}## Linux\n```sh\n# a comment\n```\n{filler}# Use\n{filler}"
    assert [(p.place, p.heading) for p in passages_of(text.encode(), "a.md")] == [
        ("lines 1-31", "Setup"),
        ("lines 32-65", "Setup > Linux"),
        ("lines 66-96", "Use"),
    ]
    assert [place for place, _, _ in found(b"# A\n\none\n\n## B\n\ntwo\n", "a.md")] == ["lines 1-7"]


class TestDamagedAndHostile:
    @pytest.mark.parametrize(
        "name", ["a.docx", "a.pptx", "a.xlsx", "a.odt", "a.epub", "a.pdf", "a.ipynb"]
    )
    @pytest.mark.parametrize(
        "content",
        [
            b"PK\x03\x04 no zip",
            b"plain",
            documents.zipped(other_txt="x"),
            documents.docx()[:2000],
            b"\x00\xff" * 50,
        ],
    )
    def test_is_an_error_of_this_file(self, name: str, content: bytes) -> None:
        with pytest.raises(InvalidInput, match=f"`{name}`"):
            read_document(content, name)

    @pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx", "a.odt", "a.epub"])
    def test_a_zip_bomb_is_not_unpacked(self, name: str) -> None:
        bomb = documents.zipped(content_xml=b" " * 70_000_000)
        with pytest.raises(InvalidInput, match=r"it unpacks to 70,000,000 bytes"):
            read_document(bomb, name)

    @pytest.mark.parametrize(
        "xml",
        [
            '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>',
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a><p>&b;</p></a>',
            "<a>" * 100_000 + "</a>" * 100_000,
        ],
    )
    def test_entities_and_depth(self, xml: str) -> None:
        with pytest.raises(InvalidInput, match=r"`a.odt`"):
            read_document(documents.zipped(content_xml=xml), "a.odt")


@pytest.mark.parametrize(
    ("module", "make", "name"),
    [
        ("docx", documents.docx, "a.docx"),
        ("pptx", documents.pptx, "a.pptx"),
        ("openpyxl", documents.xlsx, "a.xlsx"),
        ("lxml", documents.odt, "a.odt"),
    ],
)
def test_without_the_extra_the_error_names_it(
    monkeypatch: pytest.MonkeyPatch, module: str, make: Callable[[], bytes], name: str
) -> None:
    content = make()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidInput) as caught:
        read_document(content, name)
    assert caught.value.code == "no_documents"
    assert "gptasst[documents]" in str(caught.value.hint)
