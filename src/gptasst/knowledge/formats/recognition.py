"""The format of a file by its content, where its name does not tell, or is wrong."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from gptasst.errors import InvalidInput

if TYPE_CHECKING:
    import zipfile

_PDF_WITHIN = 1_024  # bytes; some programs write something before
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MEMBERS = {
    "word/document.xml": ".docx",
    "ppt/presentation.xml": ".pptx",
    "xl/workbook.xml": ".xlsx",
    "content.xml": ".odt",
    "META-INF/container.xml": ".epub",
}
_OLDER = {".doc": ".docx", ".xls": ".xlsx", ".ppt": ".pptx"}
_OPEN_DOCUMENT = {
    b"application/vnd.oasis.opendocument.spreadsheet": ".ods",
    b"application/vnd.oasis.opendocument.presentation": ".odp",
}
ZIPPED = frozenset(".docx .docm .pptx .pptm .xlsx .xlsm .odt .ods .odp .epub".split())


def recognized(content: bytes, suffix: str) -> str:
    """The suffix that a file should have.

    Args:
        content: of the file.
        suffix: that it has, in lower case.

    Raises:
        InvalidInput: it is in an older format, or one that has no text for us.
    """
    if content.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in content[:_PDF_WITHIN]):
        return ".pdf"
    if content.startswith(_OLE):
        raise _older(content, suffix)
    if content.startswith(b"PK\x03\x04"):
        return _zipped(content, suffix)
    start = content[:_PDF_WITHIN].lstrip(b"\xef\xbb\xbf \t\r\n")
    is_office = suffix in ZIPPED or suffix in _OLDER or suffix == ".rtf"
    if is_office and start.startswith(b"{\\rtf"):
        return ".rtf"
    if is_office and start[:100].lower().startswith((b"<html", b"<!doctype html", b"<table")):
        return ".html"
    return suffix


def _older(content: bytes, suffix: str) -> InvalidInput:
    if "EncryptedPackage".encode("utf-16-le") in content:
        return protected()
    newer = _OLDER.get(suffix, suffix if suffix in ZIPPED else ".docx, .xlsx or .pptx")
    return InvalidInput("it is in an older Office format", hint=f"save it as {newer}")


def protected() -> InvalidInput:
    """The error of a file that only opens with a password."""
    return InvalidInput("it is protected with a password", hint="save a copy without the password")


def _zipped(content: bytes, suffix: str) -> str:
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            names = set(opened.namelist())
            kind = opened.read("mimetype")[:100] if _is_small(opened, "mimetype") else b""
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return suffix
    if kind in _OPEN_DOCUMENT:
        return _OPEN_DOCUMENT[kind]
    found = next((known for member, known in _MEMBERS.items() if member in names), None)
    if found == ".odt" and suffix in _OPEN_DOCUMENT.values():  # without a type
        return suffix
    return suffix if found is None or (suffix in ZIPPED and suffix[:4] == found[:4]) else found


def _is_small(opened: zipfile.ZipFile, name: str) -> bool:
    return name in opened.namelist() and opened.getinfo(name).file_size < _PDF_WITHIN
