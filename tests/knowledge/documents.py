"""Documents of every format with the same few facts in them, made by other programs' libraries."""

from __future__ import annotations

import io
import json
import zipfile

_ODT_HEAD = """<?xml version="1.0"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><office:body><office:text>
"""
_ODT_END = "</office:text></office:body></office:document-content>"
_ODT = """
<text:h text:outline-level="1">Travel</text:h><text:p>A Zephyr<text:s/>approval.</text:p>
<table:table><table:table-row><table:table-cell><text:p>Per diem</text:p></table:table-cell>
<table:table-cell><text:p>55 EUR</text:p></table:table-cell></table:table-row></table:table>
"""
_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
)
_PACKAGE = (
    '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="b" href="two.xhtml"/>'
    '<item id="a" href="one%20.xhtml"/></manifest><spine><itemref idref="a"/>'
    '<itemref idref="b"/></spine></package>'
)


def zipped(**files: str | bytes) -> bytes:
    """A zip file; `__` in a name stands for `/`, and `_` before the ending for `.`."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            folder, _, file = name.rpartition("__")
            path = f"{folder.replace('__', '/')}/{file}" if folder else file
            stem, _, suffix = path.rpartition("_")
            archive.writestr(f"{stem}.{suffix}", content)
    return made.getvalue()


def docx() -> bytes:
    import docx as library

    document = library.Document()
    document.add_heading("Travel", 1)
    document.add_heading("Taxis", 2)
    document.add_paragraph("Above 40 euros a Zephyr approval.")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Per diem", "55 EUR"
    document.add_heading("Trains", 2)
    document.add_paragraph("Second class.")
    return _saved(document)


def pptx() -> bytes:
    import pptx as library

    presentation = library.Presentation()
    for title, text in (("Roadmap", "Narwhal ships in Q3"), ("Risks", "None")):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    slide.notes_slide.notes_text_frame.text = "Ask the Walrus."
    return _saved(presentation)


def xlsx(rows: int = 3) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Prices"
    sheet.append(["item", "price"])
    for number in range(2, rows + 1):
        sheet.append([f"Quokka widget number {number}", number])
    sheet["A1000"] = "Far away"
    book.create_sheet("Empty")
    return _saved(book)


def _saved(document: object) -> bytes:
    made = io.BytesIO()
    document.save(made)  # type: ignore[attr-defined]  # each of the libraries has it
    return made.getvalue()


def odt(body: str = _ODT) -> bytes:
    return zipped(content_xml=f"{_ODT_HEAD}{body}{_ODT_END}")


def epub() -> bytes:
    files = {
        "META-INF__container_xml": _CONTAINER,
        "OEBPS__book_opf": _PACKAGE,
        "OEBPS__one _xhtml": "<html><body><h1>One</h1><p>The Ibex.</p></body></html>",
        "OEBPS__two_xhtml": "<html><body><p>The Lynx.</p></body></html>",
    }
    return zipped(**files)


def ipynb() -> bytes:
    image = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 500}}
    printed = {"output_type": "stream", "text": ["AUC 0.91\n"]}
    cells = [
        {"cell_type": "markdown", "source": ["# Churn\n", "The Axolotl model"]},
        {"cell_type": "code", "source": "fit(axolotl)", "outputs": [image, printed]},
    ]
    return json.dumps({"cells": cells, "nbformat": 4}).encode()


def encrypted_pdf(plain: bytes, password: str) -> bytes:
    """As only its owner may change it; anybody may read it where the password is empty."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(io.BytesIO(plain)))
    writer.encrypt(password, owner_password="owner", algorithm="AES-256")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()
