"""What stands below the options of a command: sentences, and lines to type."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

_LINE = re.compile(r"(?:([^:]+): )?((?:gptasst|git) .*)")


@dataclass(frozen=True, slots=True)
class Example:
    """Lines to type, and the sentence that leads to them."""

    lead: str
    lines: tuple[str, ...]


def epilog_parts(text: str) -> tuple[list[str], list[Example]]:
    """What stands below the options: sentences, and lines to type."""
    notes: list[str] = []
    examples: list[Example] = []
    for paragraph in paragraphs(text):
        found = _LINE.fullmatch(paragraph)
        if found and found[1]:  # `Example: gptasst …`
            examples.append(Example(found[1], (found[2],)))
        elif found:  # below `Examples:`
            last = examples.pop() if examples else Example("Example", ())
            examples.append(Example(last.lead, (*last.lines, found[2])))
        elif paragraph.endswith(":"):
            examples.append(Example(paragraph.rstrip(":"), ()))
        else:
            notes.append(paragraph)
    return notes, examples


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, each in one line."""
    parts = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return [" ".join(part.split()) for part in parts if part]
