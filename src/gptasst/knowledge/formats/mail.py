"""Text of saved mail (EML) and of RTF."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

from gptasst.inputs.encoding import decode_text
from gptasst.knowledge.formats.types import Document, Part, Sections
from gptasst.knowledge.formats.web_pages import html_sections

_SHOWN = ("From", "To", "Cc", "Date", "Subject")


def read_eml(content: bytes) -> Document:
    """Head and body, plain rather than HTML. Attachments are named and not read."""
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
    """Paragraphs of an RTF file; it names encodings itself."""
    from striprtf.striprtf import rtf_to_text

    sections = Sections()
    text = str(rtf_to_text(decode_text(content, path)[0], errors="replace"))  # type: ignore[no-untyped-call]
    for line in text.splitlines():
        sections.paragraph(line)
    return Document(sections.finished())
