"""The values of uploads: progress, sources, and what servers accept."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Literal

from gptasst.api.types import UploadRequest
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class TransferState:
    """The progress of a transfer. `bytes` count uploads only.

    `waiting`: another process is uploading, perhaps the same contents; `fetching`: the embedding
    model is being downloaded.
    """

    phase: Literal["waiting", "uploading", "indexing", "fetching", "embedding"]
    files_done: int
    files: int
    bytes_done: int = 0
    bytes: int = 0


OnTransfer = Callable[[TransferState], None]


@dataclass(frozen=True, slots=True)
class KnowledgeSource:
    """A local file that becomes knowledge, in the state in which it was hashed.

    `path` is its path in the knowledge, with `/` separators; `size` is in bytes. `encoding` is that
    of its text, if it was given.
    """

    path: str
    file: Path
    size: int
    sha256: str
    encoding: str | None = None


# From OpenAI's file search guide, November 2026.
_BINARY = frozenset({".doc", ".docx", ".pdf", ".pptx"})

_TEXT = frozenset(
    {
        ".c", ".cpp", ".cs", ".css", ".go", ".html", ".java", ".js", ".json", ".md", ".php",
        ".py", ".rb", ".sh", ".tex", ".ts", ".txt",
    }
)  # fmt: skip

_MAX_BYTES = 512 * 1024 * 1024

_MAX_PATH = 512  # characters per attribute

_BLOCK = 1 << 20

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def search_problem(source: KnowledgeSource) -> str | None:
    """Why file search does not support a file, or `None`. The file is read in blocks."""
    return general_problem(source) or content_problem(source)


def general_problem(source: KnowledgeSource) -> str | None:
    """Why a file can't be on a server, regardless of its content."""
    if not is_unicode(source.path):
        return not_unicode(source.path)
    if source.size == 0:
        return f"`{source.path}` is empty"
    if source.size > _MAX_BYTES:
        return (
            f"`{source.path}` is too large: {source.size:,} bytes, knowledge takes {_MAX_BYTES:,}"
        )
    if len(source.path) > _MAX_PATH:
        return f"the path `{source.path}` is longer than {_MAX_PATH} characters"
    return None


def content_problem(source: KnowledgeSource) -> str | None:
    """Why file search can't read a file's content, or `None`."""
    return None if _suffix(source.path) in _BINARY else _text_problem(source)


def is_searched(path: str) -> bool:
    """Whether file search supports files of this type."""
    return _suffix(path) in _BINARY | _TEXT


def is_unicode(path: str) -> bool:
    """Whether a path is valid Unicode, so that it can be stored and cited."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def not_unicode(path: str) -> str:
    return f"the name `{path}` is not UTF-8, and knowledge is cited by name: rename it"


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _text_problem(source: KnowledgeSource) -> str | None:
    try:
        with source.file.open("rb") as stream:
            block = stream.read(_BLOCK)
            encoding = "utf-16" if block.startswith(_UTF16) else "utf-8"
            decoder = codecs.getincrementaldecoder(encoding)()
            while block:
                if "\0" in decoder.decode(block):
                    return f"`{source.path}` is not text: it holds binary data"
                block = stream.read(_BLOCK)
            decoder.decode(b"", final=True)
    except OSError as error:
        return f"`{source.path}` can't be read: {error.strerror}"
    except UnicodeDecodeError:
        return f"`{source.path}` is not text in UTF-8 or UTF-16, which is what file search takes"
    return None


def knowledge_upload(source: KnowledgeSource) -> UploadRequest:
    """The upload of a file: `.txt` is added to text types that file search refuses."""
    name = PurePosixPath(source.path).name
    known = _suffix(source.path) in _BINARY | _TEXT
    return UploadRequest(
        file=source.file,
        filename=name if known else f"{name}.txt",
        size=source.size,
        sha256=source.sha256,
        purpose="assistants",
        media_type="application/octet-stream" if _suffix(name) in _BINARY else "text/plain",
    )
