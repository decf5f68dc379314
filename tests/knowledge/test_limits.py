"""What one document may cost: its text, and the time to read it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from gptasst.errors import InvalidInput
from gptasst.knowledge.formats import limits, read_document
from tests.knowledge import documents
from tests.small_pdf import small_pdf

_PACKAGE = (
    '<package><manifest><item id="a" href="a.xhtml"/></manifest><spine>'
    + '<itemref idref="a"/>' * 50
    + "</spine></package>"
)


_MULTIPART = b"Content-Type: multipart/mixed; boundary=X\n\n"


def _book() -> bytes:
    """One chapter that the spine names fifty times."""
    root = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    return documents.zipped(
        **{
            "META-INF__container_xml": root,
            "OEBPS__book_opf": _PACKAGE,
            "OEBPS__a_xhtml": "<p>" + "word " * 20,
        }
    )


_LONG: list[tuple[str, Callable[[], bytes]]] = [
    ("a.txt", lambda: b"word " * 600),
    ("a.csv", lambda: b"name,text\n" + b"a,words\n" * 600),
    ("a.html", lambda: b"<p>word " * 600),
    ("a.eml", lambda: _MULTIPART + b"--X\n\nsome words of a part\n" * 150),
    ("a.mbox", lambda: b"From a@b 08:00\nSubject: words\n\nword word\n\n" * 300),
    ("a.rtf", lambda: rb"{\rtf1 " + rb"word\par " * 600 + b"}"),
    ("a.epub", _book),
    ("a.odt", lambda: documents.odt("<text:p>word word</text:p>" * 400)),
    ("a.odp", lambda: documents.odt("<draw:page><text:p>word</text:p></draw:page>" * 600)),
    ("a.xlsx", lambda: documents.xlsx(300)),
    ("a.pdf", lambda: small_pdf(["word " * 20] * 40)),
]


@pytest.mark.parametrize(("name", "made"), _LONG)
def test_too_much_text_is_an_error_of_this_file(
    monkeypatch: pytest.MonkeyPatch, name: str, made: Callable[[], bytes]
) -> None:
    content = made()
    assert read_document(content, name).text
    monkeypatch.setattr(limits, "MAX_CHARACTERS", 2_000)
    with pytest.raises(InvalidInput, match=r"has more than 2,000 characters") as caught:
        read_document(content, name)
    assert caught.value.hint == "split it into smaller files"


@pytest.mark.parametrize(("name", "made"), [each for each in _LONG if each[0] != "a.txt"])
def test_a_document_that_takes_too_long_is_an_error_of_this_file(
    monkeypatch: pytest.MonkeyPatch, name: str, made: Callable[[], bytes]
) -> None:
    content = made()
    clock = itertools.count(step=10.0)  # each look at it is 10 s later
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    with pytest.raises(InvalidInput, match=rf"`{name}`.*takes more than 60 s to read"):
        read_document(content, name)


def test_a_long_document_has_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manual of thousands of pages is no hostile file."""
    clock = itertools.count()  # 20,000 characters a second
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    document = read_document((b"<p>" + b"word " * 4_000) * 100, "a.html")
    assert document.text.count("word") == 400_000
    assert next(clock) > limits.MAX_SECONDS


def test_each_document_has_all_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=10.0)
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    for _ in range(20):
        assert read_document(b"<p>Ibex", "a.html").text == "Ibex"
