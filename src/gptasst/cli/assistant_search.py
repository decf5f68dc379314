"""`gptasst assistant search`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.assistant import NameArgument
from gptasst.cli.commands import build_command, examples_text
from gptasst.cli.output import BOLD, DIM, Output, one_line
from gptasst.cli.session import Session
from gptasst.cli.tables import Column, folded, terminal_width
from gptasst.errors import UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gptasst.knowledge.types import FoundPassage

_WIDEST = 100  # columns of a terminal
_SHOWN = 200  # characters of a passage in a table; `--json` has all of it


def search(
    session: Session,
    name: NameArgument,
    question: Annotated[
        list[str], typer.Argument(metavar="QUESTION", help="What to look for, in words.")
    ],
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Show at most this many passages.")
    ] = 10,
) -> None:
    """Show what a run would find in an assistant's knowledge, and why. No model is asked."""
    if len(question) > 1:
        named, words = shlex.quote(name), shlex.quote(" ".join(question))
        quoted = cmd(f"assistant search {named} {words}")
        raise UsageError("a question of several words needs quotes", hint=f"quote it: {quoted}")
    columns: list[Column[FoundPassage]] = [
        Column("score", lambda found: f"{found.score:.3g}", right=True),
        Column("file", lambda found: found.path, wraps=True),
        Column("place", _place, wraps=True),
        Column("why", _why, wraps=True),
        Column("text", _beginning, wraps=True),
    ]
    with session.waiting():
        found = session.context.assistants.search(name, question[0], limit)
        empty = "" if found else _nothing(session, name)
    if found and session.output.draws:
        session.output.paged("\n".join(_drawn(session.output, found)))
        return
    session.output.table(
        "passages",
        found,
        columns,
        ident=lambda passage: passage.path,
        empty=empty,
    )


def _nothing(session: Session, name: str) -> str:
    if session.context.assistants.get(name).knowledge:
        return f"nothing in the knowledge of `{name}` matches"
    adds = cmd(f"assistant files add {shlex.quote(name)} FILE...")
    return f"`{name}` has no knowledge; {adds} adds some"


def _drawn(output: Output, passages: Sequence[FoundPassage]) -> Iterator[str]:
    """Passages one below the other, because text beside four columns would be too narrow."""
    width = min(terminal_width(), _WIDEST)
    for number, found in enumerate(passages, start=1):
        head = f"{number}. {one_line(found.path)}"
        about = ", ".join(filter(None, [_place(found), f"score {found.score:.3g}", _why(found)]))
        yield from (output.styled(line, BOLD) for line in folded(head, width))
        yield from (output.styled(f"   {line}", DIM) for line in folded(one_line(about), width - 3))
        yield from (f"   {line}" for line in folded(one_line(_beginning(found)), width - 3))
        yield ""


def _place(found: FoundPassage) -> str:
    named = found.heading in found.place  # `section Hotels`, `sheet Prices, rows 2-4`
    return found.place if named else f"{found.place} ({found.heading})"


def _why(found: FoundPassage) -> str:
    reasons = [f"words: {', '.join(found.words)}"] if found.words else []
    if found.similarity is not None:
        reasons.append(f"meaning: {found.similarity:.2f}")
    return "; ".join(reasons)


def _beginning(found: FoundPassage) -> str:
    text = " ".join(found.text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def build() -> Any:
    """The command, for the group `assistant`."""
    examples = ("gptasst assistant search DocWriter-1 'How are headings written?'",)
    return build_command(search, "search", epilog=examples_text(examples))
