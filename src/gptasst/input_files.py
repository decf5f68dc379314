"""Reading the input files of a run: what kind each is, and text out of bytes."""

from __future__ import annotations

import codecs
import contextlib
import mimetypes
import os
from pathlib import Path
from typing import Literal

from gptasst.errors import InvalidInput
from gptasst.models import InputFile

# What a model takes as `input_file` besides text, from OpenAI's file inputs guide.
DOCUMENT_TYPES = {
    ".pdf": "application/pdf",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".rtf": "application/rtf",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
IMAGE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
# Input text <= 10,485,760 characters in one request; all input files together < 50 MB.
MAX_TEXT_BYTES = 4 * 10_485_760
MAX_BINARY_BYTES = 50_000_000

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = frozenset(range(32)) - {9, 10, 12, 13, 27}
_UTF16_SAMPLE = 4096


def read_input(path: Path) -> InputFile:
    """Read a file for a run and say what it is.

    Raises:
        InvalidInput: it can't be read, is empty, is neither text nor a document or image that
            models take, or is larger than a request may be.
    """
    kind, media_type = _kind(path)
    limit = MAX_TEXT_BYTES if kind == "text" else MAX_BINARY_BYTES
    content = _read_bounded(path, limit)
    if not content:
        raise InvalidInput(f"`{path}` is empty")
    if kind != "text":
        return InputFile(str(path), kind, media_type, len(content), data=content)
    text, encoding = decode_text(content, str(path))
    if not text.strip():
        raise InvalidInput(f"`{path}` holds nothing but blanks")
    return InputFile(str(path), kind, media_type, len(content), text=text, encoding=encoding)


def _kind(path: Path) -> tuple[Literal["text", "document", "image"], str]:
    suffix = path.suffix.lower()
    if suffix in DOCUMENT_TYPES:
        return "document", DOCUMENT_TYPES[suffix]
    if suffix in IMAGE_TYPES:
        return "image", IMAGE_TYPES[suffix]
    return "text", mimetypes.guess_type(path.name)[0] or "text/plain"


def _read_bounded(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise InvalidInput(f"`{path}` can't be read: {error.strerror}") from None
    if len(content) > limit:
        raise InvalidInput(
            f"`{path}` is too large: {max(size, limit + 1):,} bytes, a request takes {limit:,}",
            hint="split it, or give it to an assistant as knowledge",
            code="too_large",
        )
    return content


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
        encoding = _unmarked_utf16(content)
        if encoding:
            return _decode(content, encoding, name), encoding
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


def _not_text(name: str) -> InvalidInput:
    return InvalidInput(
        f"`{name}` is not text: it holds binary data",
        hint="documents and images are known by their ending (.pdf, .docx, .png, …)",
        code="not_text",
    )
