"""Bodies with a `Content-Encoding`. httpx's own decoder takes a part of one for the whole."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

ACCEPTED = "gzip, deflate"
_CODINGS = ("gzip", "x-gzip", "deflate")
_BLOCK = 64 << 10


def is_known(encodings: str) -> bool:
    """Whether a body is decoded by `decoded`."""
    return all(one.strip() in ("", "identity", *_CODINGS) for one in encodings.lower().split(","))


def decoded(blocks: Iterator[bytes], encodings: str) -> Iterator[bytes]:
    """The blocks of a body without its `Content-Encoding`, which is the last one first."""
    for encoding in reversed(encodings.lower().split(",")):
        if encoding.strip() in _CODINGS:
            blocks = _inflated(blocks)
    return blocks


def _inflated(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompressed blocks, none of them large. gzip may have several members, one after another.

    Raises:
        EOFError: the compressed data is cut off.
    """
    inflate: Any = None
    for block in blocks:
        if inflate is None:
            # gzip or zlib; some servers send neither of their heads for `deflate`.
            is_bare = block[0] & 15 != 8 and not block.startswith(b"\x1f")
            inflate = zlib.decompressobj(-zlib.MAX_WBITS if is_bare else zlib.MAX_WBITS | 32)
        left = block
        while left and not (inflate.eof and not left.startswith(b"\x1f")):
            if inflate.eof:
                inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            while data := inflate.decompress(left, _BLOCK):
                yield data
                left = inflate.unconsumed_tail
            left = inflate.unused_data
    if inflate is not None and not inflate.eof:
        raise EOFError
