"""Forms, sent in few writes."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2

_BLOCK = 256 * 1024


def send_in_blocks(request: httpx2.Request) -> None:
    """Send a multipart form in large blocks, instead of one write for each small piece.

    With many small files in many threads, these writes are most of the cost of an upload.
    """
    stream = request.stream
    is_form = request.headers.get("Content-Type", "").startswith("multipart/")
    if is_form and isinstance(stream, httpx2.SyncByteStream):
        request.stream = _Blocks(stream)


class _Blocks(httpx2.SyncByteStream):
    """The bytes of a stream, joined until they fill a block."""

    def __init__(self, pieces: httpx2.SyncByteStream) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        block = bytearray()
        for piece in self._pieces:
            block += piece
            if len(block) >= _BLOCK:
                yield bytes(block)
                block.clear()
        if block:
            yield bytes(block)

    def close(self) -> None:
        self._pieces.close()
