"""Text out of bytes."""

from __future__ import annotations

import pytest

from gptasst.errors import InvalidInput
from gptasst.inputs.encoding import decode_text

TEXT = "Größe: 5 €\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-32"), "utf-32"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("cp1252"), "windows-1252"),
    ],
)
def test_encodings(content: bytes, encoding: str) -> None:
    assert decode_text(content, "a.md") == (TEXT, encoding)


@pytest.mark.parametrize("text", ["世界 🎉\n", "\x1b[31mred\x1b[0m\x0c\r\n", "", "a"])
def test_utf_8_comes_back_exactly(text: str) -> None:
    assert decode_text(text.encode(), "a.md") == (text, "utf-8")


@pytest.mark.parametrize(
    "content",
    [
        bytes(range(256)),
        b"text\0text",
        b"x" * 5000 + b"\0",
        b"\xff\xfea",
        b"caf\xe9 \x81",
        b"caf\xe9 \x01",
        b"\xef\xbb\xbf\xff",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ],
)
def test_what_is_not_text(content: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"`a\.md` is not text"):
        decode_text(content, "a.md")
