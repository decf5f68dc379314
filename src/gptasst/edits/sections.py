"""A Markdown text in sections that can be parsed by themselves, and so need be parsed only once.

A section begins at a heading on which no earlier line has a bearing: it stands at the margin
after a blank line, outside of fences and of HTML. Where that is not sure, nothing is taken apart.
"""

from __future__ import annotations

import re

_HEADING = re.compile(r"^#{1,6}[ \t]", re.MULTILINE)
_FENCE = re.compile(
    r"^(?P<before>[ \t>*+\-\d.)]*)(?P<marks>`{3,}|~{3,})(?P<info>.*)$", re.MULTILINE
)
_HTML = re.compile(r"<(?:script|pre|style|textarea|!|\?)", re.IGNORECASE)
_BLANK_BEFORE = re.compile(r"(?:^|\n|\r)[ \t]*(?:\r\n|\n|\r)\Z")


def section_starts(text: str) -> list[int]:
    """Where the sections of a text begin; the first at 0."""
    html = _HTML.search(text)
    end = html.start() if html else len(text)
    starts = [0]
    fence: str | None = None
    marks = list(_FENCE.finditer(text, 0, end))
    position = 0
    for heading in _HEADING.finditer(text, 1, end):
        while position < len(marks) and marks[position].start() < heading.start():
            mark = marks[position]
            position += 1
            if fence is None:
                if mark["before"].strip(" ") or len(mark["before"]) > 3:
                    return starts  # in a list or a quote: where it ends is not seen here
                if "`" not in mark["info"] or mark["marks"][0] == "~":
                    fence = mark["marks"]
            elif mark["marks"].startswith(fence) and not mark["info"].strip():
                if mark["before"].strip(" ") or len(mark["before"]) > 3:
                    continue
                fence = None
        before = text[max(0, heading.start() - 200) : heading.start()]
        if fence is None and _BLANK_BEFORE.search(before):
            starts.append(heading.start())
    return starts
