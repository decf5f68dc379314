"""Answers while they arrive: as Markdown on a terminal, unchanged elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from gptasst.cli.output import Output, harmless, is_dumb
from gptasst.cli.tables import console

if TYPE_CHECKING:
    from markdown_it.token import Token
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.segment import Segment

_SECONDS_BETWEEN_DRAWINGS = 0.08
_ROWS_KEPT_FREE = 2


class AnswerView(Protocol):
    """A context that shows an answer; afterwards all of it is on the screen."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def feed(self, text: str) -> None:
        """Show the next piece."""
        ...


def answer_view(output: Output) -> AnswerView:
    if output.mode == "json":
        return PlainView(None)
    if output.stdout.isatty() and not is_dumb():
        return MarkdownView(output)
    return PlainView(output)


class PlainView:
    """Prints pieces as they arrive, and a line end after the last. `None` shows nothing."""

    def __init__(self, output: Output | None) -> None:
        self._output = output
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._output and self._last and not self._last.endswith("\n"):
            self._output.answer("\n")

    def feed(self, text: str) -> None:
        if self._output:
            self._output.answer(text)
            self._last = text


class MarkdownView:
    """Draws Markdown block by block.

    A complete block is printed once and scrolls away like other text. Only the block that is still
    being written is redrawn, limited to the screen's height, so that nothing is repeated or lost.
    """

    def __init__(self, output: Output) -> None:
        from rich.live import Live

        self._console = console(output.stdout)
        self._pending = ""
        self._printed = False
        self._drawn_at = 0.0
        self._lock = threading.RLock()
        self._drawing_later = False
        self._closed = False
        self._live = Live(
            console=self._console,
            auto_refresh=False,  # Rich's own thread would collide with other output
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._closed = True
            with self._console:
                self._live.stop()
                self._print(self._pending)

    def feed(self, text: str) -> None:
        with self._lock:
            self._pending += harmless(text)
            if time.monotonic() - self._drawn_at >= _SECONDS_BETWEEN_DRAWINGS:
                self._draw()
            elif not self._drawing_later:
                self._drawing_later = True
                later = threading.Timer(_SECONDS_BETWEEN_DRAWINGS, self._draw_later)
                later.daemon = True
                later.start()

    def _draw_later(self) -> None:
        """Draw later what arrived too soon after the last drawing, in case nothing follows."""
        with self._lock:
            self._drawing_later = False
            if not self._closed:
                self._draw()

    def _draw(self) -> None:
        self._live.start()
        complete, self._pending = split_complete(self._pending)
        with self._console:  # a single write, to avoid flicker
            self._print(complete)
            self._live.update(_Tail(self._pending), refresh=True)
        self._drawn_at = time.monotonic()

    def _print(self, text: str) -> None:
        for block in blocks(text):
            if self._printed:
                self._console.print()
            self._console.print(block)
            self._printed = True


class _Block:
    """A block without the blanks that Rich adds around it and at the end of lines."""

    def __init__(self, drawn: RenderableType) -> None:
        self._drawn = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        lines = [_trimmed(line) for line in console.render_lines(self._drawn, options, pad=False)]
        filled = [number for number, line in enumerate(lines) if line]
        for line in lines[filled[0] : filled[-1] + 1] if filled else ():
            yield from line
            yield Segment.line()


def _trimmed(line: Sequence[Segment]) -> Sequence[Segment]:
    """A line without invisible trailing blanks; a background is visible."""
    from rich.segment import Segment

    kept = list(line)
    while kept and not (kept[-1].style and kept[-1].style.bgcolor):
        text = kept[-1].text.rstrip(" ")
        if text:
            kept[-1] = Segment(text, kept[-1].style)
            break
        kept.pop()
    return kept


class _Tail:
    """The end of an unfinished text, as much as fits the screen."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        lines = [
            line
            for block in blocks(self._text)
            for line in (*console.render_lines(block, options, pad=False), [])
        ]
        room = max(console.size.height - _ROWS_KEPT_FREE, 1)
        for line in lines[:-1][-room:]:
            yield from line
            yield Segment.line()


def split_complete(text: str) -> tuple[str, str]:
    """Split text into its complete blocks and the unfinished last one."""
    starts = [token.map[0] for token in _top_level(_parse(text)) if token.map]
    if len(starts) < 2:
        return "", text
    lines = text.split("\n")
    return "\n".join(lines[: starts[-1]]), "\n".join(lines[starts[-1] :])


def blocks(text: str) -> list[RenderableType]:
    """Each block of a text as Markdown; lines that Markdown would hide are unchanged."""
    from rich.text import Text

    lines = text.split("\n")
    drawn: list[RenderableType] = []
    end = 0
    for token in _top_level(_parse(text)):
        if token.map:
            swallowed = "\n".join(lines[end : token.map[0]]).strip("\n")
            if swallowed.strip():
                drawn.append(Text(swallowed))
            end = max(end, token.map[1])
            drawn.append(_markdown("\n".join(lines[token.map[0] : token.map[1]])))
    rest = "\n".join(lines[end:]).strip("\n")
    if rest.strip():
        drawn.append(Text(rest))
    return drawn


def _top_level(tokens: Sequence[Token]) -> list[Token]:
    return [token for token in tokens if token.level == 0 and token.nesting >= 0]


def _markdown(text: str) -> RenderableType:
    from rich.markdown import Markdown

    drawn = Markdown(text, hyperlinks=False)
    drawn.parsed = _parse(text)
    return _Block(drawn)


def _parse(text: str) -> list[Token]:
    """Tokens of CommonMark with tables. HTML and images stay plain text."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return parser.disable("image").parse(text)
