"""Documents for endpoints that take none: their text is sent instead."""

from __future__ import annotations

from dataclasses import replace

from gptasst.config.profile import Profile
from gptasst.inputs.types import InputFile
from gptasst.runs.types import RunRequest


def is_sent_as_text(file: InputFile, *, takes_documents: bool) -> bool:
    """Whether a file is a document whose text is sent in its place."""
    if file.kind != "document":
        return False
    from gptasst.knowledge.formats import is_document

    return is_document(file.path) and (not takes_documents or file.path.lower().endswith(".epub"))


def documents_as_text(request: RunRequest, profile: Profile) -> tuple[RunRequest, tuple[str, ...]]:
    """A request with the text of its documents where the endpoint takes none.

    Returns the request, and what its user should know: which were sent as text, and what of
    them could not be read.

    Raises:
        InvalidInput: a document can't be read, or has no text.
    """
    files, notes = [], []
    for file in request.files:
        if is_sent_as_text(file, takes_documents=profile.input_file):
            text, found = _text(file)
            files.append(replace(file, kind="text", text=text, data=None, media_type="text/plain"))
            missing = "".join(f"; {note}" for note in found)
            reason = f"`{file.path}` is sent as text, as {profile.endpoint} takes no such documents"
            notes.append(reason + missing)
        else:
            files.append(file)
    return (replace(request, files=tuple(files)), tuple(notes)) if notes else (request, ())


def _text(file: InputFile) -> tuple[str, tuple[str, ...]]:
    from gptasst.knowledge.formats import read_document

    assert file.data is not None
    document = read_document(file.data, file.path)
    return document.text + "\n", document.notes
