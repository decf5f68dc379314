"""Taking off the code fence that models like to put around a whole answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*?)[ \t]*\r?\n?\Z")
_MARKDOWN = ("markdown", "md", "mdx")


@dataclass(frozen=True, slots=True)
class _Fence:
    index: int
    marks: str
    info: str


def unwrap_fence(text: str) -> str:
    """The inside of a text that is one fenced block as a whole; any other text as it is.

    By CommonMark the first bare fence closes a block. Models wrap Markdown that has blocks of
    its own in a fence that is no longer than theirs, so inside a fence marked as Markdown (or
    around blocks that name their language) pairs of fences count as content.
    """
    lines = text.splitlines(keepends=True)
    filled = [index for index, line in enumerate(lines) if line.strip()]
    if len(filled) < 2:  # a fence to open, a fence to close
        return text
    opening = _fence(lines, filled[0])
    closing = _fence(lines, filled[-1])
    if opening is None or closing is None or not _closes(closing, opening):
        return text
    inner = (_fence(lines, index) for index in filled[1:-1])
    rivals = [fence for fence in inner if fence and _is_rival(fence, opening)]
    if not _are_pairs(rivals, bare_opens=opening.info.lower() in _MARKDOWN):
        return text
    return "".join(lines[opening.index + 1 : closing.index])


def fence_layers(text: str) -> int:
    """How many fences are around a text as a whole, one inside the other."""
    layers = 0
    while (inside := unwrap_fence(text)) != text:
        text, layers = inside, layers + 1
    return layers


def _fence(lines: list[str], index: int) -> _Fence | None:
    match = _FENCE.match(lines[index])
    return _Fence(index, match["marks"], match["info"]) if match else None


def _is_rival(fence: _Fence, opening: _Fence) -> bool:
    """Whether a fence could close the outer block, or open one that looks the same."""
    return fence.marks[0] == opening.marks[0] and len(fence.marks) >= len(opening.marks)


def _closes(fence: _Fence, opening: _Fence) -> bool:
    return not fence.info and _is_rival(fence, opening)


def _are_pairs(fences: list[_Fence], *, bare_opens: bool) -> bool:
    opened: _Fence | None = None
    for fence in fences:
        if opened is None:
            if not fence.info and not bare_opens:
                return False
            opened = fence
        elif _closes(fence, opened):
            opened = None
    return opened is None
