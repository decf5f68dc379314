"""`gptasst assistant search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptasst.cli.assistant import NameArgument
from gptasst.cli.commands import build_command, examples_text
from gptasst.cli.session import Session
from gptasst.cli.tables import Column

if TYPE_CHECKING:
    from gptasst.knowledge.types import FoundPassage

_SHOWN = 200  # characters of a passage in a table; `--json` has it whole


def search(
    session: Session,
    name: NameArgument,
    question: Annotated[str, typer.Argument(help="What to look for, in words.")],
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Show at most this many passages.")
    ] = 10,
) -> None:
    """Show what a run would find in an assistant's knowledge, and why. No model is asked."""
    columns: list[Column[FoundPassage]] = [
        Column("score", lambda found: f"{found.score:.3g}", right=True),
        Column("file", lambda found: found.path, wraps=True),
        Column("place", _place, wraps=True),
        Column("why", _why, wraps=True),
        Column("text", _beginning, wraps=True),
    ]
    with session.waiting():
        found = session.context.assistants.search(name, question, limit)
    session.output.table(
        "passages",
        found,
        columns,
        ident=lambda passage: passage.path,
        empty=f"nothing in the knowledge of `{name}` matches",
    )


def _place(found: FoundPassage) -> str:
    return f"{found.place} ({found.heading})" if found.heading else found.place


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
