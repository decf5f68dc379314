"""Text of saved mail (EML, mbox), and of RTF."""

from __future__ import annotations

import email.parser
import email.policy
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from email.message import EmailMessage

from gptasst.errors import InvalidInput
from gptasst.inputs.encoding import decode_text
from gptasst.knowledge.formats import limits
from gptasst.knowledge.formats.types import Document, Part, Sections
from gptasst.knowledge.formats.web_pages import html_sections

_SHOWN = ("From", "To", "Cc", "Date", "Subject")


def read_eml(content: bytes) -> Document:
    """Headers and body, preferably plain text. Attachments are listed, but not read."""
    return _document([_mail(content, "the mail")])


# The line before each mail in a mailbox, with the time. A line of a mail may look like one, but no
# header follows it.
_ENVELOPE = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\d:\d\d[^\n]*\n(?=[!-9;-~]+:|>From )"
)


def read_mbox(content: bytes) -> Document:
    """The mails of a mailbox, each as its own file would be."""
    mails = filter(bytes.strip, _ENVELOPE.split(content))
    return _document(_mail(mail, f"mail {n}") for n, mail in enumerate(mails, start=1))


def _document(mails: Iterable[tuple[list[Part], int]]) -> Document:
    parts: list[Part] = []
    attached = 0
    for found, more in mails:
        parts += found
        attached += more
    count = f"{attached:,} attachments were" if attached > 1 else "1 attachment was"
    return Document(tuple(parts), (f"{count} not read",) if attached else ())


def _mail(content: bytes, place: str) -> tuple[list[Part], int]:
    """The parts of a mail, and how many attachments it has."""
    message = _parsed(content)
    subject = " ".join(str(message["Subject"] or "").split())
    head = [f"{name}: {message[name]}" for name in _SHOWN if message[name]]
    bodies = list(_bodies(message))
    attached = [_name(part) for part in _attachments(message, bodies)]
    head += [f"Attachment: {name}" for name in attached]
    parts = [Part("\n".join(head), f"head of {place}", subject)]
    for body in bodies:
        if body.get_content_subtype() == "html":
            found = html_sections(_content(body), f"body of {place}").finished()
            parts += [replace(part, heading=part.heading or subject) for part in found]
        else:
            parts.append(Part(_content(body), f"body of {place}", subject))
    for part in parts:
        limits.count(part.text)
    return parts, len(attached)


_PIECE = 1 << 16  # bytes


def _parsed(content: bytes) -> EmailMessage:
    parser = email.parser.BytesFeedParser(policy=email.policy.default)
    for start in range(0, len(content), _PIECE):
        parser.feed(content[start : start + _PIECE])
        limits.count()  # a mail of very many parts takes long
    message = parser.close()
    assert isinstance(message, EmailMessage)
    return message


def _bodies(part: EmailMessage) -> Iterator[EmailMessage]:
    """The texts of a message, each as one of its alternatives; attached files are none."""
    limits.count()
    if part.is_attachment() or part.get_filename():
        return
    kind = part.get_content_type()
    if kind in ("text/plain", "text/html"):
        yield part
    elif part.get_content_maintype() == "multipart":
        choices = [list(_bodies(each)) for each in part.iter_parts()]  # type: ignore[arg-type]
        if kind == "multipart/alternative":
            with_text = [c for c in choices if any(_content(body).strip() for body in c)]
            plain = [c for c in with_text if c[0].get_content_subtype() == "plain"]
            choices = (plain or with_text)[:1]
        for choice in choices:
            yield from choice


def _attachments(message: EmailMessage, bodies: list[EmailMessage]) -> Iterator[EmailMessage]:
    if message.get_content_maintype() != "multipart":
        if message not in bodies:
            yield message
        return
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        is_text = part.get_content_type() in ("text/plain", "text/html")
        if part.get_content_maintype() == "multipart":
            yield from _attachments(part, bodies)
        elif not is_text or part.is_attachment() or part.get_filename():
            yield part


def _name(attached: EmailMessage) -> str:
    inner = attached.get_payload(0) if attached.get_content_type() == "message/rfc822" else None
    subject = inner["Subject"] if isinstance(inner, EmailMessage) else None
    return attached.get_filename() or str(subject or "without a name")


def _content(body: EmailMessage) -> str:
    """A text in the encoding that it names, or that it has."""
    content = body.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(str(body.get_content_charset() or "utf-8"))
    except (LookupError, UnicodeDecodeError):
        pass
    try:
        return decode_text(content, "mail")[0]
    except InvalidInput:
        return content.decode("utf-8", "replace")


# Hidden and deleted text becomes a group that readers ignore; a footnote, text in its place.
_HIDDEN = re.compile(
    r"\{((?:\\(?!(?:v|deleted)(?![a-z]))[a-z]+-?\d*[ \r\n]?)*)\\(?:v|deleted)(?![a-z\d])"
)
_NOTE = re.compile(r"\{(?:\\\*)?\s*\\footnote\b(?:\\ftnalt\b)?")
# The data of pictures, of which the parser would look at each digit.
_PICTURE = re.compile(r"(?<![0-9a-fA-F\r\n])[0-9a-fA-F\r\n]{1000,}")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")


def read_rtf(content: bytes, path: str) -> Document:
    """Paragraphs of an RTF file, which declares encodings itself."""
    from striprtf.striprtf import rtf_to_text

    written = decode_text(content.rstrip(b"\0"), path)[0]  # WordPad ends files with one
    written = _PICTURE.sub("", written)
    source = _NOTE.sub(r"{ ", _HIDDEN.sub(r"{\\*\\hidden\1", written))
    text = str(rtf_to_text(source, errors="replace"))  # type: ignore[no-untyped-call]
    sections = Sections()
    # Characters beyond 16 bits are written in two halves.
    whole = _SURROGATES.sub(
        lambda f: f[0].encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
        text,
    )
    for line in whole.replace("\n|", "|").splitlines():  # cells may be paragraphs
        sections.paragraph(line.removesuffix("|").replace("|", " | "))
    return Document(sections.finished())
