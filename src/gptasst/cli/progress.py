"""Signs of life on stderr, for somebody who looks at a terminal."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gptasst.cli.output import Output, size_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Activity:
    """What is going on while there is no answer yet: a spinner, or a bar while bytes come.

    Use it as a context; afterwards, and after `stop`, nothing of it is left on the screen.
    Without a terminal a download is one note, and waiting is silent.
    """

    def __init__(self, output: Output, text: str) -> None:
        self._output = output
        self._text = text
        self._shown = contextlib.ExitStack()
        self._bar: tuple[Progress, TaskID] | None = None
        self._announced = False

    def __enter__(self) -> Self:
        self._spin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._shown.close()
        self._bar = None

    def report(self, done: int, total: int | None) -> None:
        """Bytes of the embedded model that have come so far, and in all (`None`: not known)."""
        if not self._output.shows_progress:
            if not self._announced:
                size = f" ({size_text(total)})" if total else ""
                self._output.note(f"fetching the embedded model{size}, this once")
            self._announced = True
            return
        if self._bar is None:
            self.stop()
            self._bar = self._draw_bar(total)
        progress, task = self._bar
        progress.update(task, completed=done, total=total)
        if done == total:
            self.stop()
            self._spin()

    def _spin(self) -> None:
        if self._output.shows_progress:
            from rich.console import Console

            console = Console(file=self._output.stderr)
            self._shown.enter_context(console.status(self._text, spinner="dots"))

    def _draw_bar(self, total: int | None) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        progress = Progress(
            TextColumn("fetching the embedded model, this once"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(file=self._output.stderr),
        )
        self._shown.enter_context(progress)
        return progress, progress.add_task("fetching", total=total)
