"""Answers as they come: on a terminal as Markdown, anywhere else exactly as they are."""

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
    """A context in which an answer is shown; whatever came is on the screen afterwards."""

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
    """Pieces as they come, and a line end after the last one. `None` shows nothing."""

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

    A block that is complete is printed for good and scrolls away as any text does. Only the
    block that is still being written is drawn over and over, and of it no more than fits the
    screen, so that nothing is drawn twice or lost.
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
            auto_refresh=False,  # Rich's own thread collides with what is printed meanwhile
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
        """Draw what came too soon after the last drawing, should nothing more come."""
        with self._lock:
            self._drawing_later = False
            if not self._closed:
                self._draw()

    def _draw(self) -> None:
        self._live.start()
        complete, self._pending = split_complete(self._pending)
        with self._console:  # one write, so that nothing flickers
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
    """A block without the blanks that Rich draws around it and behind its lines."""

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
    """A line without what can't be seen at its end; a background can."""
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
    """The end of a text that is still being written, as much of it as fits the screen."""

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
    """The blocks that nothing to come can change, and the one that is still being written."""
    starts = [token.map[0] for token in _top_level(_parse(text)) if token.map]
    if len(starts) < 2:
        return "", text
    lines = text.split("\n")
    return "\n".join(lines[: starts[-1]]), "\n".join(lines[starts[-1] :])


def blocks(text: str) -> list[RenderableType]:
    """Each block of a text, drawn as Markdown; lines that Markdown would swallow as they are."""
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
    """Tokens of CommonMark with tables. HTML and images stay the text that they are."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return parser.disable("image").parse(text)
