"""Text out of bytes."""

from __future__ import annotations

import pytest

from gptasst.errors import InvalidInput, UsageError
from gptasst.inputs.encoding import decode_text, named_encoding

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
        b"caf\xe9 \x01",
        b"\xef\xbb\xbf\xff",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ],
)
def test_what_is_not_text(content: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"`a\.md` is not text"):
        decode_text(content, "a.md")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            "Grüße — the naïve\n".encode() + b"caf\xe9\n",
            "it is UTF-8, but not everywhere: byte 0xe9 at offset 26, line 2",
        ),
        ("退货期限为七天。".encode("gbk"), "its encoding can't be told"),
        ("返品は七日以内です。".encode("shift_jis"), "its encoding can't be told"),
        ("Срок возврата семь дней.\n".encode("koi8-r"), "its encoding can't be told"),
        (b"caf\xe9 \x81", "its encoding can't be told"),
    ],
)
def test_nothing_is_guessed(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInput, match=f"can't be read: {problem}") as raised:
        decode_text(content, "a.md")
    assert "--encoding NAME" in (raised.value.hint or "")


def test_named() -> None:
    text = "退货期限为七天。"
    assert decode_text(text.encode("gbk"), "a.md", "gb18030") == (text, "gb18030")
    assert decode_text(TEXT.encode("utf-8-sig"), "a.md", "cp1252") == (TEXT, "utf-8-sig")
    with pytest.raises(InvalidInput, match="is not utf-8: byte 0xcd at offset 0, line 1"):
        decode_text(text.encode("gbk"), "a.md", "utf-8")


@pytest.mark.parametrize("name", ["nonsense", "rot13", "base64", "a\0b"])
def test_no_encoding(name: str) -> None:
    with pytest.raises(UsageError, match="unknown encoding"):
        named_encoding(name)
