"""Large documents and images of a run: uploaded for it, as base64 would bloat the request."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from gptasst.api.types import FilePart, ModelRequest, TextPart
from gptasst.runs.inputs import INLINE_BYTES


class UploadGateway(Protocol):
    """Uploads a part's data; the part that comes back has the file's id instead."""

    def upload_input(self, part: FilePart) -> FilePart: ...


def with_uploads(
    gateway: UploadGateway, request: ModelRequest, uploaded: list[str]
) -> ModelRequest:
    """A request whose large files were uploaded; `uploaded` gets their ids."""
    past = [
        replace(message, parts=tuple(_upload_large(gateway, p, uploaded) for p in message.parts))
        for message in request.past
    ]
    parts = tuple(_upload_large(gateway, part, uploaded) for part in request.parts)
    return replace(request, past=tuple(past), parts=parts)


def _upload_large(
    gateway: UploadGateway, part: TextPart | FilePart, uploaded: list[str]
) -> TextPart | FilePart:
    if isinstance(part, TextPart) or part.data is None or len(part.data) <= INLINE_BYTES:
        return part
    sent = gateway.upload_input(part)
    assert sent.file_id is not None
    uploaded.append(sent.file_id)
    return sent
