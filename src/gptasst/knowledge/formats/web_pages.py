"""Text of HTML, of saved mail (EML), which may contain HTML, and of RTF."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from html.parser import HTMLParser

from gptasst.inputs.encoding import decode_text
from gptasst.knowledge.formats.types import Document, Part, Sections

# Invisible elements, or ones that every page of a site repeats.
_LEFT_OUT = frozenset(
    "script style template noscript svg math head nav footer button select iframe object"
    " canvas".split()
)
_INLINE = frozenset(
    "a abbr b bdi bdo cite code data del dfn em font i ins kbd label mark q rp rt ruby s samp"
    " small span strong sub sup time tt u var wbr img".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CELLS = ("td", "th")
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


def read_html(content: bytes, path: str) -> Document:
    """A page, in the encoding that it declares or has."""
    return Document(html_sections(_decoded(content, path)).finished())


def html_sections(text: str, place: str = "") -> Sections:
    """The sections of a page, for documents that contain it."""
    page = _Page(Sections(place))
    page.feed(text)
    page.close()
    page.end_block()
    return page.sections


def _decoded(content: bytes, path: str) -> str:
    import re

    named = re.search(rb"<meta[^>]+charset=[\"']?([\w-]+)", content[:2048], re.IGNORECASE)
    if named:
        try:
            return content.decode(named[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass
    return decode_text(content, path)[0]


class _Page(HTMLParser):
    """Parses without a tree, so that depth does not matter."""

    def __init__(self, sections: Sections) -> None:
        super().__init__(convert_charrefs=True)
        self.sections = sections
        self._pieces: list[str] = []
        self._hidden: list[str] = []
        self._level = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _LEFT_OUT:
            self._hidden.append(tag)
        elif tag in _HEADINGS and not self._hidden:
            self.end_block()
            self._level = _HEADINGS[tag]
        elif tag in _CELLS:
            self._pieces.append(" | " if self._pieces else "")
        elif tag not in _INLINE:
            self.end_block()
        if tag == "body":  # after an unclosed head
            self._hidden.clear()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID or tag not in _LEFT_OUT:
            super().handle_startendtag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif tag not in _INLINE and tag not in _CELLS:
            self.end_block()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._pieces.append(data)

    def end_block(self) -> None:
        """Store the collected text as a paragraph or heading."""
        text, level = "".join(self._pieces), self._level
        self._pieces, self._level = [], 0
        if level:
            self.sections.heading(level, text)
        else:
            self.sections.paragraph(text)


_SHOWN = ("From", "To", "Cc", "Date", "Subject")


def read_eml(content: bytes) -> Document:
    """Headers and body, preferably plain text. Attachments are listed, but not read."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    subject = " ".join(str(message["Subject"] or "").split())
    head = [f"{name}: {message[name]}" for name in _SHOWN if message[name]]
    attached = [part.get_filename() or "without a name" for part in message.iter_attachments()]
    head += [f"Attachment: {name}" for name in attached]
    parts = [Part("\n".join(head), "head of the mail", subject)]
    body = message.get_body(("plain", "html"))
    if body is not None:
        text = str(body.get_content())
        if body.get_content_subtype() == "html":
            parts += html_sections(text, "body of the mail").finished()
        else:
            parts.append(Part(text, "body of the mail", subject))
    left = (f"{len(attached)} attachments were not read",) if attached else ()
    return Document(tuple(parts), left)


def read_rtf(content: bytes, path: str) -> Document:
    """Paragraphs of an RTF file, which declares encodings itself."""
    from striprtf.striprtf import rtf_to_text

    sections = Sections()
    text = str(rtf_to_text(decode_text(content, path)[0], errors="replace"))  # type: ignore[no-untyped-call]
    for line in text.splitlines():
        sections.paragraph(line)
    return Document(sections.finished())
