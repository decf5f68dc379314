"""The one way to make a Rich console: styles that are legible on dark and on light screens."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# Weight and lines in place of Rich's yellow, cyan and blue, which one screen or the other swallows.
_STYLES = {
    "progress.download": "none",
    "progress.elapsed": "none",
    "progress.remaining": "none",
    "progress.filesize": "none",
    "progress.filesize.total": "none",
    "progress.percentage": "none",
    "progress.data.speed": "none",
    "markdown.block_quote": "italic",
    "markdown.h2": "bold",
    "markdown.h3": "bold",
    "markdown.h4": "italic",
    "markdown.item.number": "bold",
    "markdown.kbd": "bold",
    "markdown.link": "bold",
    "markdown.link_url": "underline",
    "markdown.list": "none",
    "markdown.table.border": "dim",
    "markdown.table.header": "bold",
}


def console(stream: IO[str], width: int | None = None) -> Console:
    """A console on a stream, as wide as the terminal if no width is given."""
    from rich.console import Console
    from rich.theme import Theme

    # Without a height Rich would take every dumb terminal for one of 80 columns.
    height = None if width is None else 25
    theme = Theme(_STYLES)
    return Console(file=stream, highlight=False, theme=theme, width=width, height=height)
