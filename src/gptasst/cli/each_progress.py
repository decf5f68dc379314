"""How a command over many files goes, on stderr for somebody who looks at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from gptasst.cli.output import Output, count_text
from gptasst.cli.progress import Drawn

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from gptasst.each.types import FileResult


class FileProgress(Drawn):
    """A bar with files done and failed, tokens and the time left."""

    def __init__(self, output: Output, files: int) -> None:
        super().__init__(output)
        self._files = files
        self._done = self._failed = self._tokens = 0
        self._bar: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Self:
        if self._output.shows_progress:
            progress = self._file_bars()
            task = progress.add_task("", total=self._files, files="", failed="", tokens="")
            self._bar = (progress, task)
            self._draw()
        return self

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

    def _file_bars(self) -> Progress:
        from rich.progress import BarColumn, TimeRemainingColumn

        return self._bars(
            BarColumn(),
            "{task.fields[files]}",
            "{task.fields[failed]}",
            "{task.fields[tokens]}",
            TimeRemainingColumn(compact=True),
            "left",
        )
