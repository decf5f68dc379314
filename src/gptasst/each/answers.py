"""What an answer makes of a file, and putting it where it belongs."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from gptasst.each.types import FileTarget, Purpose
from gptasst.errors import InvalidInput
from gptasst.inputs.encoding import encode_like
from gptasst.inputs.types import InputFile
from gptasst.storage.output_files import replace_file


def revised_text(old: str, answer: str) -> str:
    """The text that an answer makes of a file, with what models drop put back.

    A file whose lines all end in CRLF (or all in CR) keeps that. One that ends in a line end
    keeps ending in one. An answer that differs from the file in nothing but a line end after
    its last line changes nothing. Everything else is as the answer has it.
    """
    ending = _line_ending(old)
    text = answer
    if ending == "\r\n":
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    elif ending == "\r" and "\r" not in text:
        text = text.replace("\n", "\r")
    ends = ("\n", "\r")
    if old.endswith(ends) and not text.endswith(ends):
        text += ending
    if not old.endswith(ends) and text == old + ending:
        return old
    return text


def _line_ending(text: str) -> str:
    """The one way in which all lines of a text end; LF where they differ or there are none."""
    crlf = text.count("\r\n")
    cr, lf = text.count("\r") - crlf, text.count("\n") - crlf
    if crlf and not cr and not lf:
        return "\r\n"
    return "\r" if cr and not crlf and not lf else "\n"


def revised_content(file: InputFile, content: bytes, answer: str) -> tuple[str, bytes]:
    """What an answer makes of a text file: the text, and its bytes in the file's own encoding.

    Raises:
        InvalidInput: the answer has a character that the encoding does not.
    """
    assert file.text is not None
    assert file.encoding is not None
    text = revised_text(file.text, answer)
    if text == file.text:
        return text, content
    if encode_like(file.text, content, file.encoding, file.path) != content:
        raise InvalidInput(
            f"`{file.path}` can't be changed: {file.encoding} gives other bytes back than it has",
            hint="`iconv -f NAME -t UTF-8` converts it",
            code="not_encodable",
        )
    return text, encode_like(text, content, file.encoding, file.path)


def place(target: FileTarget, purpose: Purpose, old: bytes, new: bytes) -> bool:
    """Put new content where it belongs, whole or not at all; `False` if it is there already.

    Args:
        target: names the output.
        purpose: with `check` and `collect` nothing is written.
        old: the input as it was read.
        new: the content of the output.

    Raises:
        InvalidInput: it can't be written, or the file to replace was changed meanwhile.
    """
    if purpose in ("check", "collect"):
        return new != old
    assert target.output is not None
    if purpose == "replace" and _content(target.path) != old:
        raise InvalidInput(
            f"`{target.path}` was changed while its answer was awaited, and is left as it is",
            hint="the same command takes it as it is now",
            code="changed_meanwhile",
        )
    if _content(target.output) == new:
        return False
    try:
        target.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"directory `{target.output.parent}` can't be made: {error.strerror}"
        ) from None
    replace_file(target.output, new)
    return True


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


def unified_diff(path: str, old: str, new: str) -> str:
    """The difference as `diff -u` writes it; empty if there is none."""
    lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}")
    marked = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(marked)


def _lines(text: str) -> list[str]:
    """Lines as diff has them: only LF ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
