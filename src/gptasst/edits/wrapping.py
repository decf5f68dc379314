"""What models put around a text that they were to give back."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TAG = re.compile(r"\s*<file\b[^<>]*>[ \t]*(?:\r\n|\r|\n)?")
_TAGS = re.compile(r"^[ \t]*</?file(?:\s[^<>\n]*)?>[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"\s*(?P<marks>`{3,}|~{3,})[^`\r\n]*(?:\r\n|\r|\n|$)")


def readings(answer: str, document: str) -> Iterator[str]:
    """An answer in all ways in which it may be meant, the likeliest first."""
    plain = answer
    if "<file" not in document and "</file" not in document:
        opening = _TAG.match(answer)  # with its line's end: front matter is on the first line
        plain = _TAGS.sub("", answer[opening.end() :] if opening else answer)
    yield plain
    bare = _without_fence(plain)
    if bare is not None:
        yield bare


def _without_fence(answer: str) -> str | None:
    """The text inside of a fence that an answer begins with, or that comes after a few words."""
    opening = _FENCE.match(answer)
    if opening is None:
        found = re.search(r"(?:^|\n)[^\n]{0,200}\n+(?=```|~~~)", answer[:600])
        opening = _FENCE.match(answer, found.end()) if found else None
    if opening is None:
        return None
    inner = answer[opening.end() :]
    lines = inner.splitlines(keepends=True)
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index].strip()
        if line.startswith(opening["marks"]) and not line.strip(opening["marks"][0]):
            return "".join(lines[:index])
    return inner  # it was cut off
