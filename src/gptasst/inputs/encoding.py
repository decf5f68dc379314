"""Decode text: find its encoding, and whether it is text at all."""

from __future__ import annotations

import codecs
import contextlib
import re

from gptasst.errors import InvalidInput, UsageError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNMARKED = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_CONTROL = frozenset(range(32)) - {9, 10, 12, 13, 27}
_UTF16_SAMPLE = 4096
WESTERN = "windows-1252"
_ASCII = 0x7F
# These patterns are compiled when they are first needed, which for most files is never.
_UTF8_SEQUENCE = rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"


def decode_text(content: bytes, name: str, encoding: str | None = None) -> tuple[str, str]:
    """Decode text and return its encoding. A byte order mark is not part of the text.

    Without a given encoding it is the one of a byte order mark, UTF-8, UTF-16 without a mark, or
    Windows-1252 if nothing else is possible.

    Raises:
        InvalidInput: the bytes are not text, not in that encoding, or in an unknown one (code
            `encoding`).
    """
    for bom, marked in _BOMS:
        if content.startswith(bom):
            return _decode(content, marked, name), marked
    if encoding is not None:
        return _decode_as(content, encoding, name), encoding
    if b"\0" in content[:_UTF16_SAMPLE]:
        unmarked = _unmarked_utf16(content)
        if unmarked:
            return _decode(content, unmarked, name), unmarked
        raise _not_text(name, content)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _western(content, name, error.start), WESTERN
    if "\0" in text:
        raise _not_text(name, content)
    return text, "utf-8"


def named_encoding(name: str | None) -> str | None:
    """Python's name of an encoding; `None` without a name.

    Raises:
        UsageError: the encoding is unknown.
    """
    if not name:
        return None
    try:
        known = codecs.lookup(name)
    except (LookupError, ValueError):
        known = None
    if known is None or not getattr(known, "_is_text_encoding", True):
        raise UsageError(
            f"unknown encoding `{name}`",
            hint="such as utf-8, windows-1252, iso-8859-2, koi8-r, gb18030, big5, shift_jis",
            code="unknown_encoding",
        )
    return known.name


def is_guessed(encoding: str | None) -> bool:
    """Whether an encoding was guessed, without a byte order mark."""
    return encoding == WESTERN


def _decode_as(content: bytes, encoding: str, name: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        where = _place(content, error.start) if isinstance(error, UnicodeDecodeError) else ""
        raise InvalidInput(f"`{name}` is not {encoding}{where}", code="encoding") from None
    if "\0" in text:
        raise _not_text(name, content)
    return text


def _western(content: bytes, name: str, start: int) -> str:
    """Decode text that is not UTF-8, because of the byte at `start`."""
    if any(byte in _CONTROL for byte in content):
        raise _not_text(name, content)
    valid = sum(map(len, re.findall(_UTF8_SEQUENCE, content)))
    with contextlib.suppress(UnicodeDecodeError):
        text = content.decode(WESTERN)
        if not valid and is_western(text):
            return text
    beyond = sum(byte > _ASCII for byte in content)
    problem = "its encoding can't be told"
    if 2 * valid > beyond:
        problem = f"it is UTF-8, but not everywhere{_place(content, start)}"
    raise InvalidInput(
        f"`{name}` can't be read: {problem}",
        hint="`--encoding NAME` reads it in the one that it has;"
        " `iconv -f NAME -t UTF-8` converts it",
        code="encoding",
    )


def _place(content: bytes, start: int) -> str:
    line = content.count(b"\n", 0, start) + 1
    return f": byte 0x{content[start]:02x} at offset {start:,}, line {line:,}"


def _decode(content: bytes, encoding: str, name: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise _not_text(name, content) from None
    if "\0" in text:
        raise _not_text(name, content)
    return text


def _unmarked_utf16(content: bytes) -> str | None:
    """Decode UTF-16 without a mark: in Latin text nearly every second byte is NUL."""
    sample = content[:_UTF16_SAMPLE]
    half = len(sample) / 2
    if sample[1::2].count(0) > 0.7 * half and sample[0::2].count(0) == 0:
        return "utf-16-le"
    if sample[0::2].count(0) > 0.7 * half and sample[1::2].count(0) == 0:
        return "utf-16-be"
    return None


def as_utf8(text: str) -> str:
    """Text without surrogates, which stand for the bytes of odd file names and arguments."""
    return text.encode("utf-8", "replace").decode("utf-8")


# How documents begin; the second is how zip files do.
_DOCUMENTS = ((b"%PDF-", "a PDF", ".pdf"), (b"PK\x03\x04", "an office document", ".docx, .xlsx, …"))


def _not_text(name: str, content: bytes) -> InvalidInput:
    hint = "documents and images are recognized by their extension (.pdf, .docx, .png, …)"
    for start, kind, suffix in _DOCUMENTS:
        if content.startswith(start):
            hint = f"if it is {kind}, name a file with that extension: -f FILE ({suffix})"
    return InvalidInput(f"`{name}` is not text: it holds binary data", hint=hint, code="not_text")


def encode_like(text: str, content: bytes, encoding: str, name: str) -> bytes:
    """Encode text like `content`, including a byte order mark.

    Args:
        text: the text.
        content: the bytes to replace.
        encoding: the encoding of `content`, from `decode_text`.
        name: the text's name in errors.

    Raises:
        InvalidInput: the encoding lacks one of the characters.
    """
    mark = next((bom for bom, _ in _BOMS if content.startswith(bom)), b"")
    plain = text.removeprefix("\ufeff") if mark else text
    try:
        return mark + plain.encode(_UNMARKED.get(mark, encoding))
    except UnicodeEncodeError as error:
        character = plain[error.start]
        raise InvalidInput(
            f"the answer for `{name}` has `{character}`, which {encoding} does not",
            hint="convert the file to UTF-8 first",
            code="not_encodable",
        ) from None


# Letters beyond ASCII, in lower case.
_ALPHABETS = (
    "äöüßé",  # German
    "àâæçèéêëîïôœùûüÿ",  # French
    "áéíñóúü",  # Spanish
    "àáâãçéêíóôõúü",  # Portuguese
    "àèéìíîïòóùú",  # Italian
    "àçèéíïòóúü",  # Catalan
    "áèéëïíóöúü",  # Dutch
    "æøåéèêóôòäöà",  # Danish, Norwegian, Swedish
    "äöåšžõü",  # Finnish, Estonian
    "áéíóúýþæöð",  # Icelandic
)

_BEYOND = "À-ÖØ-öø-ÿŒœŠšŽžŸ"

_ACCENTED = f"[{_BEYOND}]"

_LETTER = f"[A-Za-z{_BEYOND}]"

_RUN = f"[{_BEYOND}]{{3,}}"

_CAPITAL_INSIDE = "[a-z][À-ÖØ-ÞŒŠŽŸ]"

# Between letters, only apostrophes, dashes and hyphens are plausible.
_SIGN_INSIDE = f"[A-Za-z{_BEYOND}][^\\x00-\\x7f{_BEYOND}’‘–—…·\\s\xad][A-Za-z{_BEYOND}]"

_SIGNS = frozenset(
    "«»‹›‘’“”‚„–—…•€£¥¢©®™°§´·¿¡ªº½¼¾²³¹±×÷µ¶†‡‰\xa0\xad"
)  # fmt: skip


def is_western(text: str) -> bool:
    """Whether text decoded as Windows-1252 is plausible."""
    beyond = {character for character in text.lower() if character > "\x7f"}
    letters = {character for character in beyond if re.match(_ACCENTED, character)}
    if beyond - letters - _SIGNS:
        return False
    if not any(letters.issubset(alphabet) for alphabet in _ALPHABETS):
        return False
    if re.search(_RUN, text) or re.search(_CAPITAL_INSIDE, text) or re.search(_SIGN_INSIDE, text):
        return False
    return 2 * len(re.findall(_ACCENTED, text)) <= len(re.findall(_LETTER, text))
