"""What people put into office documents, beside paragraphs and cells of text."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Callable, Sequence

import pytest

from gptasst.errors import InvalidInput
from gptasst.knowledge.formats import read_document
from gptasst.knowledge.passages import passages_of
from tests.knowledge import documents

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_BOX = (
    '<w:r xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:AlternateContent>'
    '<mc:Choice Requires="wps"><w:drawing><w:txbxContent><w:p><w:r><w:t>Boxed</w:t></w:r></w:p>'
    "</w:txbxContent></w:drawing></mc:Choice><mc:Fallback><w:pict><w:txbxContent><w:p><w:r>"
    "<w:t>Boxed</w:t></w:r></w:p></w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
)


def saved(document: object) -> bytes:
    made = io.BytesIO()
    document.save(made)  # type: ignore[attr-defined]  # each of the libraries has it
    return made.getvalue()


def changed(content: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    """A zip file with one of its members changed."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name == member else old.read(name))
    return made.getvalue()


def text_of(content: bytes, name: str) -> str:
    return read_document(content, name).text


def word_with(body: str) -> bytes:
    import docx

    content = saved(docx.Document())
    start = f"<w:body>{body}".encode()
    return changed(content, "word/document.xml", lambda xml: xml.replace(b"<w:body>", start))


class TestWord:
    @pytest.mark.parametrize(
        ("inside", "text"),
        [
            ("<w:ins><w:r><w:t>Added</w:t></w:r></w:ins>", "Text Added"),
            ("<w:del><w:r><w:delText>Gone</w:delText></w:r></w:del>", "Text"),
            ("<w:moveFrom><w:r><w:t>Gone</w:t></w:r></w:moveFrom>", "Text"),
            (
                "<w:sdt><w:sdtContent><w:r><w:t>Chosen</w:t></w:r></w:sdtContent></w:sdt>",
                "Text Chosen",
            ),
            ('<w:fldSimple w:instr="X"><w:r><w:t>12</w:t></w:r></w:fldSimple>', "Text 12"),
            ("<w:smartTag><w:r><w:t>Bonn</w:t></w:r></w:smartTag>", "Text Bonn"),
            ("<w:r><w:rPr><w:vanish/></w:rPr><w:t>Hidden</w:t></w:r>", "Text"),
            ("<w:r><w:t>soft</w:t><w:softHyphen/><w:t>ware</w:t></w:r>", "Text software"),
            (_BOX, "Text\nBoxed"),
        ],
    )
    def test_a_paragraph_holds(self, inside: str, text: str) -> None:
        start = '<w:r><w:t xml:space="preserve">Text </w:t></w:r>'
        assert text_of(word_with(f"<w:p>{start}{inside}</w:p>"), "a.docx") == text

    def test_a_block_of_a_form(self) -> None:
        block = (
            "<w:sdt><w:sdtContent><w:p><w:r><w:t>Chosen</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        )
        assert text_of(word_with(block), "a.docx") == "Chosen"

    def test_tables(self) -> None:
        import docx

        document = docx.Document()
        table = document.add_table(rows=3, cols=3)
        for column, text in enumerate(("Who", "2025", "2026")):
            table.cell(0, column).text = text
        table.cell(1, 0).merge(table.cell(2, 0)).text = "Ibis"
        table.cell(1, 1).text = table.cell(1, 2).text = "5"
        inner = table.cell(2, 1).add_table(rows=1, cols=2)
        inner.cell(0, 0).text, inner.cell(0, 1).text = "six", "seven"
        layout = document.add_table(rows=1, cols=1)
        layout.cell(0, 0).text = "Around\nthe text"
        assert text_of(saved(document), "a.docx").splitlines() == [
            "Who | 2025 | 2026",
            "Ibis | 5 | 5",
            "Ibis | six seven |",
            "Around the text",
        ]

    def test_a_deleted_row(self) -> None:
        row = "<w:tr>{}<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc></w:tr>"
        rows = row.format("", "a") + row.format("<w:trPr><w:del/></w:trPr>", "b")
        assert text_of(word_with(f"<w:tbl>{rows}</w:tbl>"), "a.docx") == "a"

    def test_headers_and_footers_once_at_the_end(self) -> None:
        import docx

        document = docx.Document()
        document.add_paragraph("Body")
        document.sections[0].header.paragraphs[0].text = "Policy 12"
        document.sections[0].footer.paragraphs[0].text = "- 1 -"
        document.add_section().header.is_linked_to_previous = True
        passages = [(p.place, p.text) for p in passages_of(saved(document), "a.docx")]
        assert passages == [("paragraph 1", "Body"), ("headers and footers", "Policy 12")]

    def test_notes_follow_their_paragraph(self) -> None:
        note = (
            f'<w:footnotes {_W}><w:footnote w:id="2"><w:p><w:r><w:t>In writing.</w:t></w:r></w:p>'
            "</w:footnote></w:footnotes>"
        )
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
        link = f'<Relationship Id="rId99" Type="{kind}" Target="footnotes.xml"/></Relationships>'
        main = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
        part = f'<Override PartName="/word/footnotes.xml" ContentType="{main}"/></Types>'
        body = (
            '<w:p><w:r><w:t>Above 40 euros</w:t><w:footnoteReference w:id="2"/></w:r>'
            "<w:r><w:t>.</w:t></w:r></w:p><w:p><w:r><w:t>Next</w:t></w:r></w:p>"
        )
        content = changed(
            word_with(body),
            "word/_rels/document.xml.rels",
            lambda xml: xml.replace(b"</Relationships>", link.encode()),
        )
        content = changed(
            content, "[Content_Types].xml", lambda xml: xml.replace(b"</Types>", part.encode())
        )
        made = io.BytesIO(content)
        with zipfile.ZipFile(made, "a") as archive:
            archive.writestr("word/footnotes.xml", note)
        assert text_of(made.getvalue(), "a.docx") == "Above 40 euros.\nIn writing.\nNext"

    def test_headings_by_the_level_of_their_style(self) -> None:
        import docx

        document = docx.Document()
        document.add_heading("Kapitel", 1)
        document.add_paragraph("Text")
        content = changed(
            saved(document),
            "word/styles.xml",
            lambda xml: xml.replace(
                b'w:name w:val="Heading 1"', b'w:name w:val="Mein Titel"'
            ).replace(b'w:name w:val="heading 1"', b'w:name w:val="Mein Titel"'),
        )
        assert [p.heading for p in passages_of(content, "a.docx")] == ["Kapitel"]


class TestOdt:
    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (
                "<text:p>a <text:span>b <text:span>c</text:span> d</text:span> e</text:p>",
                "a b c d e",
            ),
            ('<text:p>x<text:s text:c="3"/>y<text:tab/>z</text:p>', "x y z"),
            (
                (
                    "<text:p>euros<text:note><text:note-citation>1</text:note-citation><text:note-body>"
                    "<text:p>Note.</text:p></text:note-body></text:note> more</text:p>"
                ),
                "euros more\nNote.",
            ),
            (
                (
                    "<table:table><table:table-row>"
                    '<table:table-cell table:number-rows-spanned="2"><text:p>a</text:p>'
                    "</table:table-cell><table:covered-table-cell/>"
                    "<table:table-cell><text:p>b</text:p></table:table-cell></table:table-row>"
                    "<table:table-row><table:covered-table-cell/><table:covered-table-cell/>"
                    "<table:table-cell><text:p>c</text:p></table:table-cell></table:table-row>"
                    "</table:table>"
                ),
                "a | b\na | c",
            ),
            (
                (
                    "<text:p>one<draw:frame><draw:text-box><text:p>Boxed</text:p></draw:text-box>"
                    "</draw:frame></text:p>"
                ),
                "one\nBoxed",
            ),
            (
                "<text:p>one<office:annotation><text:p>Comment</text:p></office:annotation></text:p>",
                "one",
            ),
            (
                "<text:tracked-changes><text:p>Gone</text:p></text:tracked-changes><text:p>a</text:p>",
                "a",
            ),
            (
                (
                    '<s:style xmlns:s="s" s:name="T2">'
                    '<s:text-properties text:display="none"/></s:style>'
                    '<text:p>a <text:span text:style-name="T2">Hidden</text:span>b</text:p>'
                    '<text:p text:style-name="T2">Hidden</text:p>'
                    '<text:section text:display="none"><text:p>Hidden</text:p></text:section>'
                ),
                "a b",
            ),
            (
                "<text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>",
                "item",
            ),
        ],
    )
    def test_each_text_once_and_in_order(self, body: str, text: str) -> None:
        assert text_of(documents.odt(body), "a.odt") == text


_CELL = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>"


class TestOtherOpenDocuments:
    def test_a_spreadsheet(self) -> None:
        cells = [
            _CELL.format("", "day") + _CELL.format("", "share"),
            _CELL.format(' office:value-type="date" office:date-value="2026-03-14"', "14.3.")
            + _CELL.format(' office:value-type="percentage" office:value="0.125"', "12.5%"),
            '<table:table-cell table:number-columns-repeated="16384"/>',
            _CELL.format(' table:number-columns-repeated="2"', "same")
            + "<table:table-cell><office:annotation><text:p>Comment</text:p></office:annotation>"
            "<text:p>last</text:p></table:table-cell>",
        ]
        repeated = ["", "", ' table:number-rows-repeated="3"', ' table:number-rows-repeated="2"']
        rows = "".join(
            f"<table:table-row{times}>{row}</table:table-row>"
            for times, row in zip(repeated, cells, strict=True)
        )
        content = documents.odt(f'<table:table table:name="Days">{rows}</table:table>')
        assert text_of(content, "a.ods").split("\n\n") == [
            "[sheet Days]\nday | share\n2026-03-14 | 12.5%",
            "[sheet Days]\nday | share\nsame | same | last\nsame | same | last",
        ]
        assert [passage.place for passage in passages_of(content, "a.ods")] == [
            "sheet Days, row 2",
            "sheet Days, rows 6-7",
        ]

    def test_cells_that_are_kept_of_another_spreadsheet_are_none_of_this_one(self) -> None:
        row = f"<table:table-row>{_CELL.format('', 'Ibex')}</table:table-row>"
        other = f"<table:table table:name=\"'file:///b.ods'#$Sheet1\">{row}{row}</table:table>"
        content = documents.odt(f'<table:table table:name="It\'s">{row}</table:table>{other}')
        assert text_of(content, "a.ods") == "[sheet It's]\nIbex"

    def test_a_presentation(self) -> None:
        box = "<draw:frame{}><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>"
        title = box.format(' presentation:class="title"', "Plan")
        notes = f"<presentation:notes>{box.format('', 'Ask.')}</presentation:notes>"
        body = (
            '<draw:page xmlns:presentation="p">'
            f"{title}{box.format('', 'Ibex')}{notes}</draw:page>"
            f"<draw:page>{box.format('', 'Lynx')}</draw:page>"
        )
        assert [
            (p.place, p.heading, p.text) for p in passages_of(documents.odt(body), "a.odp")
        ] == [
            ("slide 1", "Plan", "Plan\nIbex\nAsk."),
            ("slide 2", "", "Lynx"),
        ]

    @pytest.mark.parametrize(
        ("kind", "place"), [("spreadsheet", "sheet Days, row 1"), ("presentation", "slide 1")]
    )
    def test_are_known_by_what_they_hold(self, kind: str, place: str) -> None:
        row = f"<table:table-row>{_CELL.format('', 'Ibex')}</table:table-row>"
        body = f'<draw:page><table:table table:name="Days">{row}</table:table></draw:page>'
        made = io.BytesIO(documents.odt(body))
        with zipfile.ZipFile(made, "a") as archive:
            archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        for name in ("a", "a.odt", "a.pdf"):
            assert [p.place for p in passages_of(made.getvalue(), name)] == [place]


class TestPowerPoint:
    def test_charts_groups_tables(self) -> None:
        import pptx
        from pptx.chart.data import CategoryChartData
        from pptx.enum.chart import XL_CHART_TYPE
        from pptx.util import Inches

        presentation = pptx.Presentation()
        slide = presentation.slides.add_slide(presentation.slide_layouts[6])
        group = slide.shapes.add_group_shape().shapes.add_group_shape()
        group.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "Grouped"
        data = CategoryChartData()  # type: ignore[no-untyped-call]
        data.categories = ["East", "West"]
        data.add_series("Sales", (19.5, None))  # type: ignore[no-untyped-call]
        side = Inches(2)
        chart = slide.shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, side, side, data).chart
        chart.has_title = True
        chart.chart_title.text_frame.text = "Regions"
        assert text_of(saved(presentation), "a.pptx").splitlines() == [
            "[slide 1]", "Grouped", "Regions", "| East | West", "Sales | 19.5",
        ]  # fmt: skip


class TestExcel:
    def book(self, *rows: Sequence[object], **formats: str) -> bytes:
        import openpyxl

        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        for cell, number_format in formats.items():
            book.active[cell].number_format = number_format
        return saved(book)

    def test_values_as_shown(self) -> None:
        day, moment = datetime.date(2026, 3, 14), datetime.datetime(2026, 3, 14, 15, 9)  # noqa: DTZ001
        row = [day, moment, 0.125, True, datetime.timedelta(hours=30), 1234.5]
        content = self.book(["a"] * 6, row, C2="0.0%", F2='0.0 "100%"')
        line = "2026-03-14 | 2026-03-14 15:09:00 | 12.5% | True | 30:00:00 | 1234.5"
        assert text_of(content, "a.xlsx").splitlines()[-1] == line

    def test_formulas_that_were_never_computed_are_counted(self) -> None:
        document = read_document(self.book(["a", "b"], [1, "=A2*2"]), "a.xlsx")
        assert document.notes[0].startswith("1 formula has no value yet")

    def test_far_cells_do_not_fill_a_passage(self) -> None:
        import openpyxl

        book = openpyxl.Workbook()
        book.active.append(["head", "b"])
        book.active["XFD2"], book.active["A1048576"] = "far", "last"
        (passage, last) = passages_of(saved(book), "a.xlsx")
        assert passage.text == "head | b\n… | far"
        assert last.place == "sheet Sheet, row 1048576"

    def test_a_row_further_down_is_no_header(self) -> None:
        rows = [["alone"], [], [], ["far", "below"]]
        assert [p.place for p in passages_of(self.book(*rows), "a.xlsx")] == ["sheet Sheet, row 4"]

    def test_titles_above_the_header_are_repeated_with_it(self) -> None:
        rows: list[list[object]] = [["Prices 2026"], [], ["item", "price"]]
        rows += [["x" * 90, number] for number in range(40)]
        passages = passages_of(self.book(*rows), "a.xlsx")
        assert len(passages) > 1
        assert all(p.text.startswith("Prices 2026\nitem | price\n") for p in passages)
        assert passages[0].place.startswith("sheet Sheet, rows 4-")


class TestContentCountsMoreThanTheName:
    @pytest.mark.parametrize("name", ["a", "a.txt", "a.pdf", "a.xlsx", "a.doc", "A.DOCX"])
    def test_a_word_document(self, name: str) -> None:
        assert "Per diem | 55 EUR" in text_of(documents.docx(), name)

    @pytest.mark.parametrize("name", ["a.doc", "a.docx", "a.xls"])
    def test_what_other_programs_call_office_files(self, name: str) -> None:
        assert text_of(rb"{\rtf1\ansi Okapi}", name) == "Okapi"
        assert text_of(b"<html><body><p>Okapi</p></body></html>", name) == "Okapi"

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("a.doc", "save it as .docx"),
            ("a.docx", "save it as .docx"),
            ("a.xls", "save it as .xlsx"),
        ],
    )
    def test_older_formats_are_told(self, name: str, hint: str) -> None:
        with pytest.raises(InvalidInput, match="older Office format") as caught:
            read_document(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), name)
        assert caught.value.hint == hint

    def test_a_password_is_told(self) -> None:
        content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
        with pytest.raises(InvalidInput, match="protected with a password"):
            read_document(content, "a.xlsx")
