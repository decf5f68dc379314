"""The layout of `--help`: options in sections, and examples that can be copied."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gptasst.cli.output import BOLD, Output
from gptasst.values import dataclass

_EVERYWHERE = ("profile", "json", "quiet", "verbose", "no_project", "help")
_SUMMARY = 200  # characters: show whole sentences


def write_parameters(parameters: Sequence[Any], context: Any, formatter: Any) -> None:
    """Write arguments, the command's own options by panel, then the global options."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    everywhere: list[tuple[str, str]] = []
    for parameter in parameters:
        record = parameter.get_help_record(context)
        if record is None:
            continue
        if parameter.param_type_name == "argument":
            sections["Arguments"].append(record)
        elif parameter.name in _EVERYWHERE:
            everywhere.append(record)
        else:
            panel = getattr(parameter, "rich_help_panel", None) or "Options"
            sections.setdefault(panel, []).append(record)
    for title, records in {**sections, "Options of every command": everywhere}.items():
        if records:
            write_section(title, dict(records), formatter)


def write_commands(group: Any, context: Any, formatter: Any) -> None:
    """Write the commands of a group, each with its first sentence."""
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    summaries = {n: c.get_short_help_str(_SUMMARY) for n, c in found.items() if not c.hidden}
    write_section("Commands", summaries, formatter)


def write_section(title: str, summaries: Mapping[str, str], formatter: Any) -> None:
    with formatter.section(_bold(title)):
        formatter.write_dl([(_bold(name), what) for name, what in summaries.items()])


def _bold(text: str) -> str:
    """A heading or typed text, in bold on a terminal with colours."""
    return Output().styled(text, BOLD)


def write_epilog(text: str, formatter: Any) -> None:
    """Write sentences, and example lines, which are not wrapped."""
    notes, examples = epilog_parts(text)
    for note in notes:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(note)
    for example in examples:
        formatter.write_paragraph()
        formatter.write(_bold(f"{example.lead}:") + "\n")
        for line in example.lines:
            formatter.write(f"  {line}\n")


_LINE = re.compile(r"(?:([^:]+): )?((?:gptasst|git) .*)")


@dataclass(frozen=True, slots=True)
class Example:
    """Example lines and the sentence before them."""

    lead: str
    lines: tuple[str, ...]


def epilog_parts(text: str) -> tuple[list[str], list[Example]]:
    """The parts below the options: sentences and examples."""
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
    """The paragraphs of a text, each on one line."""
    parts = re.split(r"\n\s*\n", inspect.cleandoc(text))
    return [" ".join(part.split()) for part in parts if part]
