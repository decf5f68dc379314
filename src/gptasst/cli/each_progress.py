"""How a command over many files goes, on stderr for somebody who looks at a terminal."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gptasst.cli.output import Output, count_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from gptasst.models.each import FileResult


class FileProgress:
    """A bar with files done and failed, tokens and the time left; nothing without a terminal.

    Use it as a context; afterwards nothing of it is left on the screen.
    """

    def __init__(self, output: Output, files: int) -> None:
        self._output = output
        self._files = files
        self._done = self._failed = self._tokens = 0
        self._shown = contextlib.ExitStack()
        self._bar: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Self:
        if self._output.shows_progress:
            progress = _progress(self._output)
            self._bar = (
                self._shown.enter_context(progress),
                progress.add_task("", total=self._files, files="", failed="", tokens=""),
            )
            self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._shown.close()

    def show(self, result: FileResult) -> None:
        """Count what came of one more file."""
        if result.status == "failed":
            self._failed += 1
        elif result.status != "not_run":
            self._done += 1
        if result.usage:
            self._tokens += result.usage.input + result.usage.output
        self._draw()

    def _draw(self) -> None:
        if self._bar is None:
            return
        progress, task = self._bar
        progress.update(
            task,
            completed=self._done + self._failed,
            files=f"{self._done:,} of {self._files:,} done",
            failed=f"{self._failed:,} failed",
            tokens=count_text(self._tokens, "token"),
        )


def _progress(output: Output) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        BarColumn(),
        TextColumn("{task.fields[files]}"),
        TextColumn("{task.fields[failed]}"),
        TextColumn("{task.fields[tokens]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=Console(file=output.stderr),
        transient=True,
    )
