"""Text out of bytes: which encoding, and whether it is text at all."""

from __future__ import annotations

import codecs
import contextlib

from gptasst.errors import InvalidInput

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNMARKED = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_CONTROL = frozenset(range(32)) - {9, 10, 12, 13, 27}
_UTF16_SAMPLE = 4096


def decode_text(content: bytes, name: str) -> tuple[str, str]:
    """Decode a text and name its encoding: what a byte order mark says, UTF-8, UTF-16
    without a mark, else Windows-1252. A byte order mark is not part of the text.

    Raises:
        InvalidInput: these bytes are not text.
    """
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _decode(content, encoding, name), encoding
    if b"\0" in content[:_UTF16_SAMPLE]:
        unmarked = _unmarked_utf16(content)
        if unmarked:
            return _decode(content, unmarked, name), unmarked
        raise _not_text(name)
    with contextlib.suppress(UnicodeDecodeError):
        text = content.decode("utf-8")
        if "\0" in text:
            raise _not_text(name)
        return text, "utf-8"
    if any(byte in _CONTROL for byte in content):
        raise _not_text(name)
    return _decode(content, "windows-1252", name), "windows-1252"


def _decode(content: bytes, encoding: str, name: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise _not_text(name) from None
    if "\0" in text:
        raise _not_text(name)
    return text


def _unmarked_utf16(content: bytes) -> str | None:
    """UTF-16 of mostly Latin text has a NUL in nearly every second byte."""
    sample = content[:_UTF16_SAMPLE]
    half = len(sample) / 2
    if sample[1::2].count(0) > 0.7 * half and sample[0::2].count(0) == 0:
        return "utf-16-le"
    if sample[0::2].count(0) > 0.7 * half and sample[1::2].count(0) == 0:
        return "utf-16-be"
    return None


def as_utf8(text: str) -> str:
    """A text without what UTF-8 can't carry: bytes of odd file names and arguments."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _not_text(name: str) -> InvalidInput:
    return InvalidInput(
        f"`{name}` is not text: it holds binary data",
        hint="documents and images are known by their ending (.pdf, .docx, .png, …)",
        code="not_text",
    )


def encode_like(text: str, content: bytes, encoding: str, name: str) -> bytes:
    """Encode a text as `content` is encoded, byte order mark included.

    Args:
        text: to be encoded.
        content: the bytes that are to be replaced.
        encoding: of `content`, as `decode_text` named it.
        name: what the text is called in errors.

    Raises:
        InvalidInput: the encoding does not have one of the characters.
    """
    mark = next((bom for bom, _ in _BOMS if content.startswith(bom)), b"")
    plain = text.removeprefix("\ufeff") if mark else text
    try:
        return mark + plain.encode(_UNMARKED.get(mark, encoding))
    except UnicodeEncodeError as error:
        character = plain[error.start]
        raise InvalidInput(
            f"the answer for `{name}` has `{character}`, which {encoding} does not",
            hint="convert the file to UTF-8 first",
            code="not_encodable",
        ) from None
