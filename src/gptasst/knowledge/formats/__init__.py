"""Read text with places from all supported file formats."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from gptasst.errors import InvalidInput
from gptasst.hints import install_command
from gptasst.inputs.encoding import decode_text
from gptasst.knowledge.formats import limits
from gptasst.knowledge.formats.recognition import ZIPPED, recognized

if TYPE_CHECKING:
    from gptasst.knowledge.formats.types import Document

# The limit of a file in a project; text takes up to four bytes a character.
_MAX_BYTES = 512_000_000
_PDF_START = b"%PDF-"
# Formats whose files hold little else than text.
_MOSTLY_TEXT = (".csv", ".tsv", ".html", ".htm", ".xhtml")
_EXTRA = "documents"


def read_document(content: bytes, path: str, encoding: str | None = None) -> Document:
    """The text of a file.

    Args:
        content: its bytes.
        path: its name; the suffix determines the format, by default text.
        encoding: the encoding of a text file, if it was given.

    Raises:
        InvalidInput: it has no text, can't be read, or needs a missing extra.
    """
    try:
        suffix = recognized(content, _suffix(path))
        reader = _READERS.get(suffix, _text)
        with limits.limited():
            text = content if encoding is None else _as_utf8(content, path, encoding)
            document = reader(text, path)
        limits.check_length(sum(len(part.text) for part in document.parts))
    except InvalidInput as error:
        if error.code != "invalid_input":
            raise
        raise _unreadable(path, error.message, error.hint) from error
    except ImportError as error:
        raise InvalidInput(
            f"`{path}` needs a package that is not installed: {error.name}",
            hint=f"`{install_command(_EXTRA)}` reads office documents",
            code="no_documents",
        ) from error
    # Parsers raise all kinds of exceptions for damaged files; they only concern this file.
    except Exception as error:
        raise _unreadable(path, _reason(error, content, suffix), _DAMAGED) from error
    if not any(part.text.strip() for part in document.parts):
        notes = "".join(f" ({note})" for note in document.notes)
        raise InvalidInput(f"there is no text in `{path}`{notes}", code="no_text")
    return document


def read_document_file(file: Path, path: str, encoding: str | None = None) -> Document:
    """The text of a file on this disk; see `read_document`."""
    suffix = _suffix(path)
    has_more = suffix in _READERS and suffix not in _MOSTLY_TEXT
    limit = _MAX_BYTES if has_more else 4 * limits.MAX_CHARACTERS
    try:
        with file.open("rb") as stream:
            start = stream.read(len(_PDF_START))
            limit = _MAX_BYTES if start == _PDF_START else limit
            stream.seek(0)
            is_small = os.fstat(stream.fileno()).st_size <= limit
            content = stream.read(limit + 1) if is_small else b""  # it may grow meanwhile
    except OSError as error:
        raise InvalidInput(f"`{path}` can't be read: {error.strerror}") from None
    if not is_small or len(content) > limit:
        raise InvalidInput(f"`{path}` is larger than {limit:,} bytes", code="too_large")
    return read_document(content, path, encoding)


def _as_utf8(content: bytes, path: str, encoding: str) -> bytes:
    """Text converted to UTF-8; documents are unchanged."""
    if is_document(path) or content.startswith(b"%PDF-"):
        return content
    return decode_text(content, path, encoding)[0].encode("utf-8", "replace")


def reason_of(error: InvalidInput) -> str:
    """Why a file is skipped, as a part of a longer message."""
    if error.code == "encoding":
        return f"{error.message}; `--encoding NAME` names it"
    told = ("bad_document", "bad_pdf", "no_documents")
    is_helpful = error.code in told and error.hint not in (None, _DAMAGED)
    return f"{error.message}; {error.hint}" if is_helpful else error.message


def is_document(path: str) -> bool:
    """Whether a name has the suffix of a format that is not read as plain text."""
    return _suffix(path) in _BINARY


_DAMAGED = "it may be damaged"


def _reason(error: Exception, content: bytes, suffix: str) -> str:
    if suffix in ZIPPED and not content.startswith(b"PK"):
        return f"it is not a {suffix} file" if content else "it is empty"
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    return str(error) or type(error).__name__


def _unreadable(path: str, reason: str, hint: str | None = None) -> InvalidInput:
    suffix = _suffix(path).removeprefix(".").upper() or "text"
    return InvalidInput(
        f"`{path}` can't be read as {suffix}: {' '.join(reason.split())[:300]}",
        hint=hint,
        code="bad_pdf" if suffix == "PDF" else "bad_document",
    )


def _suffix(path: str) -> str:
    return PurePath(path).suffix.lower()


_Reader = Callable[[bytes, str], "Document"]


def _pdf(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.pdf import read_pdf

    return read_pdf(content)


def _docx(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.word import read_docx

    return read_docx(content)


def _pptx(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.documents import read_pptx

    return read_pptx(content)


def _xlsx(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.tables import read_xlsx

    return read_xlsx(content)


def _odt(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.open_document import read_odt

    return read_odt(content)


def _ods(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.open_document import read_ods

    return read_ods(content)


def _odp(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.open_document import read_odp

    return read_odp(content)


def _epub(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.documents import read_epub

    return read_epub(content)


def _delimited(content: bytes, path: str) -> Document:
    from gptasst.knowledge.formats.tables import read_delimited

    return read_delimited(content, path)


def _html(content: bytes, path: str) -> Document:
    from gptasst.knowledge.formats.web_pages import read_html

    return read_html(content, path)


def _ipynb(content: bytes, path: str) -> Document:
    from gptasst.knowledge.formats.plain import read_ipynb

    return read_ipynb(content, path)


def _eml(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.mail import read_eml

    return read_eml(content)


def _mbox(content: bytes, _path: str) -> Document:
    from gptasst.knowledge.formats.mail import read_mbox

    return read_mbox(content)


def _rtf(content: bytes, path: str) -> Document:
    from gptasst.knowledge.formats.mail import read_rtf

    return read_rtf(content, path)


def _text(content: bytes, path: str) -> Document:
    from gptasst.knowledge.formats.plain import read_text

    return read_text(content, path)


_READERS: dict[str, _Reader] = {
    ".pdf": _pdf, ".docx": _docx, ".docm": _docx, ".pptx": _pptx, ".pptm": _pptx, ".xlsx": _xlsx,
    ".xlsm": _xlsx, ".odt": _odt, ".ods": _ods, ".odp": _odp, ".epub": _epub, ".csv": _delimited,
    ".tsv": _delimited, ".html": _html, ".htm": _html, ".xhtml": _html, ".ipynb": _ipynb,
    ".eml": _eml, ".mbox": _mbox, ".rtf": _rtf,
}  # fmt: skip
# The older formats are recognized, and refused with what to do.
_BINARY = ZIPPED | frozenset({".pdf", ".rtf", ".eml", ".mbox", ".doc", ".xls", ".ppt"})
