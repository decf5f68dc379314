"""Text of knowledge files in formats that a server does not read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from gptasst.api.types import UploadRequest
from gptasst.errors import InvalidInput
from gptasst.knowledge.formats import is_document, read_document_file, reason_of
from gptasst.storage.atomic_files import open_private
from gptasst.storage.scratch import scratch_directory
from gptasst.uploads.types import (
    KnowledgeSource,
    content_problem,
    general_problem,
    is_searched,
    knowledge_upload,
)

# Formats that are text but hardly readable: encoded attachments, images in cells.
_WRAPPED = (".eml", ".ipynb")
_PLAIN = (".md", ".txt")
_NAMED = 3  # paths listed in a note


class KnowledgeTexts:
    """The files that are sent as text, until `forget`.

    Texts are not kept in memory, as there may be thousands; files are read again when sent.

    Args:
        parent: where a temporary directory may be created.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._notes: dict[KnowledgeSource, tuple[str, ...]] = {}
        self._written = contextlib.ExitStack()
        self._directory: Path | None = None

    def problem(self, source: KnowledgeSource) -> str | None:
        """Why a file can't be knowledge, or `None`."""
        found = general_problem(source)
        if found or not (is_always_text(source) or content_problem(source)):
            return found
        return self.read(source)

    def has(self, source: KnowledgeSource) -> bool:
        """Whether a file is sent as text."""
        return source in self._notes

    def read(self, source: KnowledgeSource) -> str | None:
        """Mark a file to be sent as text; return why that is impossible, or `None`."""
        if source not in self._notes:
            try:
                self._text(source)
            except InvalidInput as error:
                return reason_of(error)
        return None

    def _text(self, source: KnowledgeSource) -> bytes:
        document = read_document_file(source.file, source.path, source.encoding)
        self._notes[source] = document.notes
        return f"{document.text}\n".encode("utf-8", "replace")

    def upload(self, source: KnowledgeSource) -> UploadRequest:
        """The upload of a file; its text, if it is sent as text, is in a file until `forget`."""
        import hashlib

        plain = knowledge_upload(source)
        if not (self.has(source) or is_always_text(source)):
            return plain
        content = self._text(source)
        sha256 = hashlib.sha256(content).hexdigest()
        if self._directory is None:
            self._directory = self._written.enter_context(scratch_directory(self._parent, "texts-"))
        file = self._directory / f"{sha256}.txt"
        with open_private(file, "wb") as stream:
            stream.write(content)
        name = PurePosixPath(source.path).name
        return replace(
            plain,
            file=file,
            filename=name if name.endswith(".txt") else f"{name}.txt",
            size=len(content),
            sha256=sha256,
            media_type="text/plain",
        )

    def notes(self, sources: Iterable[KnowledgeSource]) -> tuple[str, ...]:
        """Notes for the user: which files were sent as text, and what could not be read."""
        sent = [source for source in sources if self.has(source)]
        if not sent:
            return ()
        named = ", ".join(f"`{source.path}`" for source in sent[:_NAMED])
        more = f" and {len(sent) - _NAMED:,} more" if len(sent) > _NAMED else ""
        found = [f"`{s.path}`: {note}" for s in sent for note in self._notes[s]]
        return (f"the server gets the text of {named}{more}: it does not read such files", *found)

    def forget(self) -> None:
        self._written.close()
        self._directory = None
        self._notes.clear()


def is_plain(source: KnowledgeSource) -> bool:
    """Whether a file is plain text, so that sending its text would send the same again."""
    return source.path.lower().endswith(_PLAIN)


def is_always_text(source: KnowledgeSource) -> bool:
    """Whether OpenAI's search never reads this type of file."""
    if source.encoding is not None:
        return True
    path = source.path
    return path.lower().endswith(_WRAPPED) or (is_document(path) and not is_searched(path))
