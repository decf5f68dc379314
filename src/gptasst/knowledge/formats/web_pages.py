"""The main text of HTML."""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

from gptasst.inputs.encoding import decode_text
from gptasst.knowledge.formats.types import Document, Sections

# Invisible elements.
_INVISIBLE = frozenset(
    "script style template noscript svg head iframe object canvas del annotation"
    " annotation-xml".split()
)
# Invisible elements, or ones that every page of a site repeats.
_LEFT_OUT = _INVISIBLE | frozenset("nav footer button select".split())
_REPEATED_ROLES = ("navigation", "contentinfo", "dialog", "alertdialog")
_INLINE = frozenset(
    "a abbr b bdi bdo cite code data del dfn em font i ins kbd label mark q rp rt ruby s samp"
    " small span strong sub sup time tt u var wbr img"
    # Of formulas, which are one line.
    " math semantics mrow mi mo mn ms mtext mspace mfrac msqrt mroot msub msup msubsup mover munder"
    " munderover mstyle mpadded annotation annotation-xml".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CELLS = ("td", "th")
_IN_CELLS = ("p", "div", "br")
_LONG_ROW = 1_000  # characters; such a table is the layout of a page
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


def read_html(content: bytes, path: str) -> Document:
    """A page, in the encoding that it declares or has."""
    return Document(html_sections(decoded(content, path)).finished())


def html_sections(text: str, place: str = "") -> Sections:
    """The sections of a page, for documents that contain it."""
    sections = _sections(text, place, _LEFT_OUT)
    if sections.is_empty:  # all of it is in a menu that does not end
        return _sections(text, place, _INVISIBLE)
    return sections


def _sections(text: str, place: str, left_out: frozenset[str]) -> Sections:
    page = _Page(Sections(place), left_out)
    page.feed(_ended(text))
    page.close()
    page.end_block()
    return page.sections


def _ended(text: str) -> str:
    """The same page without markup that does not end, which takes the parser quadratic time."""
    marked = text.replace("<![", "<!-")  # up to the next `>`, as in browsers
    comments = marked.rfind("-->") + 1
    marked = marked[:comments] + marked[comments:].replace("<!--", "<!-")
    tags = marked.rfind(">") + 1
    return marked[:tags] + marked[tags:].replace("<", "&lt;")


# What browsers take for a declared encoding: https://encoding.spec.whatwg.org/#names-and-labels
_MEANT = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874",
    "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932",
    "euc_kr": "cp949", "big5": "big5hkscs", "utf-16": "utf-8", "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}  # fmt: skip
_ALIASES = {
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ks_c_5601-1987": "cp949",
    "x-gbk": "gb18030",
}
_DECLARED = re.compile(
    rb"<(?:meta[^>]+charset|\?xml[^>]+encoding)\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE
)
_HEAD = 2_048  # bytes
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(content: bytes, path: str) -> str:
    """The text of a page; a byte order mark counts more than what the page declares."""
    declared = _DECLARED.search(content[:_HEAD])
    if declared and not content.startswith(_MARKS):
        label = declared[1].decode("ascii", "replace").lower()
        try:
            name = codecs.lookup(_ALIASES.get(label, label)).name
            return content.decode(_MEANT.get(name, name))
        except (LookupError, UnicodeDecodeError):
            pass
    return decode_text(content, path)[0]


# Written with a style of its own, an element that is not shown.
_NOT_SHOWN = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE
)


_NOTE_MARKS = ("noteref", "doc-noteref", "footnote-ref")


def _is_note(attributes: list[tuple[str, str | None]]) -> bool:
    """Whether a link is the number of a note."""
    return any(
        value in _NOTE_MARKS for name, value in attributes if name in ("role", "epub:type", "class")
    )


class _Page(HTMLParser):
    """Parses without a tree, so that depth does not matter."""

    def __init__(self, sections: Sections, left_out: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.sections = sections
        self._left_out = left_out
        self._pieces: list[str] = []
        self._hidden: list[str] = []
        self._level = 0
        self._in_row = False
        self._preformatted = 0
        self._raised: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        may_be_hidden = self._hidden or attrs or tag == "dialog"
        if tag in self._left_out or (tag not in _VOID and may_be_hidden):
            self._hide(tag, dict(attrs))
        if tag in _HEADINGS and not self._hidden:
            self.end_block()
            self._level = _HEADINGS[tag]
        elif tag in _CELLS:
            self._pieces.append(" | " if self._in_row else "")
            self._in_row = True
        elif tag not in _INLINE:
            self._end_line(tag)
            self._preformatted += tag == "pre"
        elif tag in ("sup", "a"):  # the number of a note is no part of the word before it
            if (self._raised and tag not in self._raised) or _is_note(attrs):
                self._pieces.append(" ")
            self._raised.add(tag)
        if tag == "body":  # after an unclosed head
            self._hidden.clear()

    def _hide(self, tag: str, attributes: dict[str, str | None]) -> None:
        """Begin an element that is not shown, or one of its name in it, which ends before it."""
        hidden = (
            "hidden" in attributes
            or (tag == "dialog" and "open" not in attributes)
            or _NOT_SHOWN.search(attributes.get("style") or "")
            or (self._left_out is _LEFT_OUT and attributes.get("role") in _REPEATED_ROLES)
        )
        is_inner = self._is_deleted() and tag not in _INLINE
        if tag in self._left_out or hidden or is_inner or tag in self._hidden:
            self._hidden.append(tag)

    def _is_deleted(self) -> bool:
        """Whether the text is in `<del>`, which ends no later than its paragraph or the like."""
        return self._hidden[:1] == ["del"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID or tag not in self._left_out:
            super().handle_startendtag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._raised.discard(tag)
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
            return
        if tag not in _INLINE and self._is_deleted():
            self._hidden.clear()
        if tag not in _INLINE and tag not in _CELLS:
            self._end_line(tag)
            self._preformatted -= tag == "pre" and self._preformatted > 0

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if not self._preformatted:
            self._pieces.append(data)
            return
        first, *lines = data.split("\n")
        self._pieces.append(first)
        for line in lines:
            self.end_block()
            self._pieces.append(line)

    def _end_line(self, tag: str) -> None:
        """End the block, unless it is a paragraph in the cell of a table that is one line."""
        if self._in_row and tag in _IN_CELLS and sum(map(len, self._pieces)) < _LONG_ROW:
            self._pieces.append(" ")
        else:
            self.end_block()

    def end_block(self) -> None:
        """Store the collected text as a paragraph or heading."""
        text, level = "".join(self._pieces), self._level
        self._pieces, self._level, self._in_row = [], 0, False
        if level:
            self.sections.heading(level, text)
        else:
            self.sections.paragraph(text)
