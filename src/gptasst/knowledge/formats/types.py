"""Documents as text with places."""

from __future__ import annotations

from gptasst.knowledge.formats.limits import count
from gptasst.values import dataclass

# Joins the headings of a path: `Setup > Linux`.
UNDER = " > "


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a document with one place.

    Attributes:
        text: its lines.
        place: `page 3`, `slide 4`, `sheet Prices`; empty if only lines are counted.
        heading: its headings, outermost first, joined by `UNDER`.
        unit: what a line of the text is, if they are counted: `line`, `row`, `paragraph`.
        first: the number of the first line.
        header: text repeated in each passage: the header of a table.
    """

    text: str
    place: str = ""
    heading: str = ""
    unit: str = ""
    first: int = 1
    header: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a file. `notes` list what could not be read: `9 of 10 pages have no text`."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole text, for a model without document support."""
        return "\n\n".join(filter(None, map(_shown, self.parts)))


def _shown(part: Part) -> str:
    text = part.text.strip("\n")
    if not text.strip():
        return ""
    lines = [f"[{part.place}]"] if part.place else []
    return "\n".join([*lines, *filter(None, [part.header]), text])


class Outline:
    """Tracks the current headings while a document is read."""

    def __init__(self) -> None:
        self._levels: list[tuple[int, str]] = []

    def enter(self, level: int, heading: str) -> None:
        """Start a section; level 1 is the outermost."""
        while self._levels and self._levels[-1][0] >= level:
            self._levels.pop()
        if heading.strip():
            self._levels.append((level, " ".join(heading.split())))

    @property
    def path(self) -> str:
        return UNDER.join(heading for _, heading in self._levels)


class Sections:
    """Collects paragraphs under headings, for formats without lines and pages."""

    def __init__(self, place: str = "") -> None:
        self.parts: list[Part] = []
        self._place = place
        self._outline = Outline()
        self._lines: list[str] = []
        self._count = 0

    @property
    def is_empty(self) -> bool:
        return not (self.parts or self._lines)

    def heading(self, level: int, text: str) -> None:
        self._close()
        self._outline.enter(level, text)
        self.paragraph(text)

    def paragraph(self, text: str) -> None:
        line = " ".join(text.split())
        count(line)
        if line:
            self._lines.append(line)

    def finished(self) -> tuple[Part, ...]:
        self._close()
        return tuple(self.parts)

    def _close(self) -> None:
        if not self._lines:
            return
        path, first = self._outline.path, self._count + 1
        self._count += len(self._lines)
        section = f"section {path}" if path else ""
        place = ", ".join(filter(None, [self._place, section]))
        unit = "" if place else "paragraph"
        self.parts.append(Part("\n".join(self._lines), place, path, unit, first))
        self._lines = []
