"""Text and places out of every format."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
import striprtf.striprtf
from pypdf import PageObject

from gptasst.errors import InvalidInput
from gptasst.knowledge.formats import read_document
from gptasst.knowledge.formats.pdf import joined_lines, with_letters
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


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p hidden>no</p><p>yes", "yes"),
        ('<div style="display: none">no<div>no</div>no</div><p>yes', "yes"),
        ("<p>50 euros<sup><a href=x>1</a></sup> more", "50 euros 1 more"),
        ("<p>50 euros<a role=doc-noteref href=x>1</a> more", "50 euros 1 more"),
        ("<p>x<sup>2</sup>", "x2"),
        ("<pre>one\n  two</pre>", "one\ntwo"),
        ("<table>\n<tr>\n<td>a</td>\n<td>b</td></tr></table>", "a | b"),
        ("<table><tr><td><p>a</p><p>b</p></td><td><div>c</div></td></tr></table>", "a b | c"),
        ("<table><tr><td>a</table><p>b</p><p>c", "a\nb\nc"),
        ("<nav><li>menu<p>all of it is in a menu", "menu\nall of it is in a menu"),
        ("<p>a<!-- b --><![CDATA[ c ]]>d", "ad"),
        ("<p>costs <del>40</del> <ins>55</ins> euros", "costs 55 euros"),
        ("<p>costs <del>40</p><p>55 euros", "costs\n55 euros"),
        ("<li>a <del>b<p>c</p> d</li><li>e", "a\ne"),
        ("a<del><p>b</p><ul><li>c<li>d</ul><p>e</del> f", "a\nf"),
        (
            (
                "<p>is <math><semantics><mrow><mi>E</mi><mo>=</mo><mi>m</mi>"
                "<msup><mi>c</mi><mn>2</mn></msup></mrow>"
                "<annotation>E=mc^2</annotation></semantics></math>."
            ),
            "is E=mc2.",
        ),
        ("<div role=navigation><p>menu</div><p>yes", "yes"),
        ("<div role=dialog><p>We use cookies</div><p>yes", "yes"),
        ("<dialog><p>no</dialog><dialog open><p>yes</dialog>", "yes"),
    ],
)
def test_what_is_shown_of_html(page: str, text: str) -> None:
    assert read_document(page.encode(), "a.html").text.splitlines() == text.splitlines()


@pytest.mark.parametrize("unit", ["<!", "<!-- >", "<![", "<a b='", "</", "<"])
def test_html_that_does_not_end_takes_no_time(unit: str) -> None:
    """Each takes html.parser minutes as it is."""
    with contextlib.suppress(InvalidInput):
        read_document(unit.encode() * 200_000, "a.html")


@pytest.mark.parametrize(
    "page",
    [
        '<meta charset="latin-1"><p>„Größe“ 5 €'.encode("cp1252"),
        '<meta charset="utf-16"><p>„Größe“ 5 €'.encode(),
        '<meta charset="latin-1"><p>„Größe“ 5 €'.encode("utf-8-sig"),
        "<p>„Größe“ 5 €".encode("utf-16"),
        "<?xml version='1.0' encoding='cp1250'?><p>„Größe“ 5 €".encode("cp1250"),
    ],
)
def test_the_encoding_of_html(page: bytes) -> None:
    assert read_document(page, "a.html").text == "„Größe“ 5 €"


@pytest.mark.parametrize(
    ("label", "text", "encoding"),
    [("gb2312", "镕", "gbk"), ("shift_jis", "①", "cp932"), ("ks_c_5601-1987", "똠", "cp949")],
)
def test_encodings_of_html_are_those_of_browsers(label: str, text: str, encoding: str) -> None:
    page = f"<meta charset={label}>{text}".encode(encoding)
    assert read_document(page, "a.html").text == text


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


def test_commas_in_the_header_are_no_delimiters() -> None:
    text = "Tag;Betrag, brutto;Betrag, netto, EUR\n1.1.;5,0;3\n"
    passages = found(text.encode("cp1252"), "a.csv")
    assert passages == [("row 2", "", "Tag | Betrag, brutto | Betrag, netto, EUR\n1.1. | 5,0 | 3")]


def test_a_line_that_names_the_delimiter() -> None:
    assert found(b"sep=;\na,1;b\n1;2\n", "a.csv") == [("row 3", "", "a,1 | b\n1 | 2")]


def test_the_encoding_of_a_table_is_guessed_and_reported() -> None:
    document = read_document("Ort\nKöln\n".encode("cp1252"), "a.csv")
    assert document.notes == ("read as windows-1252; `--encoding` names another",)


@pytest.mark.parametrize(
    ("mail", "text"),
    [
        ("Content-Type: text/plain; charset=x-unknown\n\nStraße", "Straße"),
        ("Subject: raw\n\nStraße", "Straße"),
        (
            (
                'Content-Type: multipart/alternative; boundary="x"\n\n--x\n\n \n--x\n'
                "Content-Type: text/html\n\n<p>Straße\n--x--\n"
            ),
            "Straße",
        ),
        (
            (
                'Content-Type: multipart/mixed; boundary="x"\n\n--x\n\nOne\n--x\n'
                "Content-Disposition: inline\n\nTwo\n--x--\n"
            ),
            "One Two",
        ),
        (
            (
                'Content-Type: multipart/related; boundary="x"\n\n--x\nContent-Type: '
                'multipart/alternative; boundary="y"\n\n--y\n\nOne\n--y\n'
                "Content-Type: text/html\n\n<p>Uno\n--y--\n--x--\n"
            ),
            "One",
        ),
    ],
)
def test_the_body_of_a_mail(mail: str, text: str) -> None:
    document = read_document(f"MIME-Version: 1.0\n{mail}".encode(), "a.eml")
    bodies = [part.text for part in document.parts if part.place == "body of the mail"]
    assert " ".join(" ".join(bodies).split()) == text


def test_eml() -> None:
    mail = (
        "From: a@example.com\nSubject: =?utf-8?q?R=C3=BCckgabe?=\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/html\n\n'
        "<p>In <b>12</b> days\n--x\nContent-Type: application/pdf\n"
        'Content-Disposition: attachment; filename="t.pdf"\n\nJVBERi0=\n--x--\n'
    )
    document = read_document(mail.encode(), "a.eml")
    assert document.notes == ("1 attachment was not read",)
    assert [(part.place, part.text) for part in document.parts] == [
        ("head of the mail", "From: a@example.com\nSubject: Rückgabe\nAttachment: t.pdf"),
        ("body of the mail", "In 12 days"),
    ]


def test_a_mailbox() -> None:
    mail = "From a@b Mon Nov 30 08:00:00 2026\nSubject: {}\n\n{}\n\n"
    box = mail.format("One", "Ibex") + mail.format("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "From here on")
    assert [(p, h, t.strip()) for p, h, t in found(box.encode(), "a.mbox")] == [
        ("head of mail 1", "One", "Subject: One"),
        ("body of mail 1", "One", "Ibex"),
        ("head of mail 2", "Grüße", "Subject: Grüße"),
        ("body of mail 2", "Grüße", "From here on"),
    ]


def test_a_mail_of_a_mailbox_may_have_a_line_like_the_first_one() -> None:
    box = (
        b"From a@b Mon Nov 30 08:00:00 2026\nSubject: One\n\nIbex\n\nFrom 10:30 on we meet\nhere.\n"
    )
    assert read_document(box, "a.mbox").text.endswith("Ibex\n\nFrom 10:30 on we meet\nhere.")


def test_rtf() -> None:
    assert found(rb"{\rtf1\ansi\ansicpg1252 Stra\'dfe\par Ger\'e4t}", "a.rtf") == [
        ("paragraphs 1-2", "", "Straße\nGerät")
    ]


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (r"\u-10179?\u-8694?", "😊"),
        (r"a{\deleted\revauthdel1\revdttmdel-201 \loch gone}b{\revised\revauth1 new}", "abnew"),
        (r"a{\v hidden}b{\rtlch\v\fs20 hidden}c{\v0 shown}", "abcshown"),
        (r"euros{\super 1}{\*\footnote\pard Note\par}", "euros1 Note"),
        (r"\trowd A\cell B\cell\row C\cell\row", "A | B C"),
    ],
)
def test_what_is_shown_of_rtf(inside: str, text: str) -> None:
    source = "{\\rtf1\\ansi\\uc1 " + inside + "}"
    assert " ".join(read_document(source.encode(), "a.rtf").text.split()) == text


def test_the_parser_of_rtf_gets_no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    plain = striprtf.striprtf.rtf_to_text

    def recorded(text: str, **options: Any) -> object:
        given.append(text)
        return plain(text, **options)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(striprtf.striprtf, "rtf_to_text", recorded)
    picture = "\n".join(["89504e470d0a1a0a" * 8] * 20)
    source = rf"{{\rtf1\ansi The {{\pict\pngblip {picture}}}Ibex.}}"
    assert read_document(source.encode(), "a.rtf").text == "The Ibex."
    assert "89504e" not in given[0]


def test_rtf_of_wordpad_ends_with_a_zero() -> None:
    assert read_document(b"{\\rtf1\\ansi Ibex}\r\n\0", "a.rtf").text == "Ibex"


def test_notebooks_before_2015() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Churn"]},
        {"cell_type": "code", "input": ["fit()"], "outputs": [{"text": ["0.91"]}]},
    ]
    content = json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}).encode()
    assert found(content, "a.ipynb")[1:] == [("cell 2", "Churn", "fit()\n0.91")]


def test_images_in_the_text_of_a_notebook_are_left_out() -> None:
    source = f"see ![](data:image/png;base64,{'QUJD' * 500}) Okapi"
    content = json.dumps({"cells": [{"cell_type": "markdown", "source": source}]}).encode()
    assert found(content, "a.ipynb")[0][2] == "see ![](data:image/png;base64,…) Okapi"


class TestPdf:
    def test_pages(self) -> None:
        content = small_pdf(["The Ibex.", "The Lynx."])
        assert found(content, "x") == [("page 1", "", "The Ibex."), ("page 2", "", "The Lynx.")]

    def test_pages_without_text_are_counted(self) -> None:
        document = read_document(small_pdf(["", "Okapi", ""]), "a.pdf")
        assert document.notes == ("2 of 3 pages have no text: are they scanned?",)

    def test_a_scanned_page(self) -> None:
        with pytest.raises(InvalidInput, match="its page has no text: is it scanned") as caught:
            read_document(small_pdf([""]), "a.pdf")
        assert caught.value.code == "no_text"

    def test_an_empty_password_opens_it(self) -> None:
        content = documents.encrypted_pdf(small_pdf(["The Ibex."]), "")
        assert read_document(content, "a.pdf").text == "[page 1]\nThe Ibex."

    def test_another_password_is_an_error_of_this_file(self) -> None:
        content = documents.encrypted_pdf(small_pdf(["The Ibex."]), "secret")
        with pytest.raises(InvalidInput, match=r"`a.pdf`.*protected with a password") as caught:
            read_document(content, "a.pdf")
        assert "password" in str(caught.value.hint)

    def test_a_page_that_cannot_be_read_costs_no_other(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain = PageObject.extract_text

        def fails(page: PageObject, **options: Any) -> str:
            if page.page_number == 0:
                raise KeyError("/Odd")
            return plain(page, **options)

        monkeypatch.setattr(PageObject, "extract_text", fails)
        document = read_document(small_pdf(["The Ibex.", "The Lynx."]), "a.pdf")
        assert document.text == "[page 2]\nThe Lynx."
        assert document.notes == ("damaged pages were skipped: 1",)

    def test_junk_before_it_and_an_end_that_is_cut_off(self) -> None:
        content = small_pdf(["The Ibex."])
        assert read_document(b"\n junk\n" + content, "a.pdf").text == "[page 1]\nThe Ibex."
        cut = content[: content.rindex(b"startxref")]
        assert read_document(cut, "a.pdf").text == "[page 1]\nThe Ibex."

    @pytest.mark.parametrize(
        ("shown", "text"),
        [
            ("o) Tj /Span <</ActualText (ffi)>> BDC (?) Tj EMC (ce", "office"),
            ("a) Tj /Span <</ActualText <FEFF65E5>>> BDC [(?)] TJ (?) Tj EMC (b", "a日b"),
            ("a) Tj /P <</MCID 1>> BDC (b) Tj EMC (c", "abc"),
            ("a) Tj /Span <</ActualText <FEFF05D0>>> BDC (b) Tj EMC (c", "abc"),  # Hebrew
            ("a) Tj /Span <</ActualText (x)>> BDC /P BMC (b) Tj EMC (c) Tj EMC (d", "axd"),
        ],
    )
    def test_spans_have_the_text_that_they_stand_for(self, shown: str, text: str) -> None:
        assert found(small_pdf([shown]), "a.pdf") == [("page 1", "", text)]

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("M\u00a8uller, Erd\u02ddos, na\u00a8\u0131ve", "Müller, Erdős, naïve"),
            ("\u00a8Ubermut, Poincar\u00b4e, tr`es", "Übermut, Poincaré, très"),
            (
                "it\u00b4s, we\u00b4re, don\u00b4t, `a quote'",
                "it\u00b4s, we\u00b4re, don\u00b4t, `a quote'",
            ),
            ("http://example.org/\u02dcnadia, Jo\u02dcao", "http://example.org/\u02dcnadia, João"),
            ("e\x1ezient, Stra\u00ffe", "effizient, Straße"),
            ("L'Ha\u00ff", "L'Ha\u00ff"),
        ],
    )
    def test_letters_of_fonts_of_tex(self, text: str, read: str) -> None:
        assert with_letters(text) == read

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
