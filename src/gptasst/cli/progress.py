"""Progress on stderr, for people at a terminal."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gptasst.cli.output import Output, count_text, harmless, size_text
from gptasst.cli.tables import console

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, ProgressColumn, TaskID
    from rich.text import Text

    from gptasst.each.types import FileResult
    from gptasst.uploads.types import TransferState


_SURE_SECONDS = 5.0  # before the time left is shown
_LONG_SECONDS = 90.0  # beyond that, minutes are shown


class Elapsed:
    """What is going on, and for how many seconds: text that is updated while it is drawn."""

    _SHORT = 2  # seconds before a figure is shown

    def __init__(self, text: str) -> None:
        self.text = text
        self._begun = time.monotonic()

    def __rich__(self) -> Text:
        """As `Text`, which is only as wide as it is long.

        A line that fills the terminal could not be erased after the `^C` that the terminal echoes.
        """
        from rich.text import Text

        seconds = int(time.monotonic() - self._begun)
        return Text(self.text if seconds < self._SHORT else f"{self.text} ({seconds} s)")


class Drawn:
    """A temporary drawing on stderr; nothing without a terminal.

    Use it as a context. Afterwards, and after `stop`, nothing of it stays on the screen.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._shown = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove it from the screen."""
        self._shown.close()

    def _bars(self, *columns: str | ProgressColumn) -> Progress:
        """Start drawing bars."""
        from rich.progress import Progress

        drawn_on = console(self._output.stderr)
        return self._draw_over(Progress(*columns, console=drawn_on, transient=True))

    def _draw_over(self, bars: Progress) -> Progress:
        self._shown.enter_context(bars)
        self._keep_messages_above(bars.console)
        return bars

    def _keep_messages_above(self, drawn_on: Console) -> None:
        """Print messages above the drawing while it is there, and not into it."""
        from rich.text import Text

        self._output.above = lambda text: drawn_on.print(Text.from_ansi(text), soft_wrap=True)

        def as_before() -> None:
            self._output.above = None

        self._shown.callback(as_before)

    def _spinner(self, text: str) -> Elapsed:
        """Start drawing a spinner."""
        drawn_on = console(self._output.stderr)
        shown = Elapsed(text)
        self._shown.enter_context(drawn_on.status(shown, spinner="dots"))
        self._keep_messages_above(drawn_on)
        return shown


class Activity(Drawn):
    """Progress until the answer starts: a spinner, or a bar during a download.

    Without a terminal a download prints one note, and waiting prints nothing.
    """

    def __init__(self, output: Output, text: str) -> None:
        super().__init__(output)
        self._text = text
        self._bar: tuple[Progress, TaskID] | None = None
        self._status: Elapsed | None = None
        self._characters = 0
        self._announced = False
        self._complete = False
        self._first_part: tuple[int, float] | None = None

    def __enter__(self) -> Self:
        self._spin()
        return self

    def stop(self) -> None:
        super().stop()
        self._bar = self._status = None

    def advance(self, done: int, total: int) -> None:
        """Show how many parts of an answer are done, and of how many."""
        if self._status is not None and total > 1:
            parts = f"{done:,} of {count_text(total, 'part')}"
            self._status.text = f"{self._text}: {parts}{self._left(done, total)}"

    def _left(self, done: int, total: int) -> str:
        """The time for the other parts at the pace so far, which an estimate may have missed."""
        now = time.monotonic()
        if self._first_part is None:
            self._first_part = (done, now)
        first, at = self._first_part
        if done == first or now - at < _SURE_SECONDS:
            return ""
        seconds = (now - at) / (done - first) * (total - done)
        told = f"{seconds / 60:.0f} min" if seconds > _LONG_SECONDS else f"{seconds:.0f} s"
        return f", about {told} left"

    def receive(self, text: str) -> None:
        """Show how many characters of an answer, which is not printed, have arrived."""
        self._characters += len(text)
        if self._status is not None:
            self._status.text = f"writing the answer: {count_text(self._characters, 'character')}"

    def report(self, done: int, total: int | None) -> None:
        """Bytes of the embedded model downloaded so far, and in total (`None`: unknown)."""
        if not self._output.shows_progress:
            if not self._announced:
                size = f" ({size_text(total)})" if total else ""
                self._output.note(f"downloading the embedded model{size}, once")
            self._announced = True
            return
        if self._complete:  # the installer is still working on the download
            return
        if self._bar is None:
            self.stop()
            self._bar = self._draw_bar(total)
        progress, task = self._bar
        progress.update(task, completed=done, total=total)
        if done == total:
            self._complete = True
            self.stop()
            self._spin()

    def _spin(self) -> None:
        if self._output.shows_progress:
            self._status = self._spinner(self._text)

    def _draw_bar(self, total: int | None) -> tuple[Progress, TaskID]:
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn

        progress = self._bars(
            "downloading the embedded model, once",
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(compact=True),
        )
        return progress, progress.add_task("fetching", total=total)


class Waiting(Drawn):
    """A spinner for slow operations, which appears after a second."""

    _PATIENCE = 1.0

    def __init__(self, output: Output, text: str) -> None:
        super().__init__(output)
        self._text = text
        self._lock = threading.Lock()
        self._over = False
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        if self._output.shows_progress:
            self._timer = threading.Timer(self._PATIENCE, self._spin)
            self._timer.daemon = True
            self._timer.start()
        return self

    def stop(self) -> None:
        with self._lock:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()
            super().stop()

    def _spin(self) -> None:
        with self._lock:
            if not self._over:
                self._spinner(self._text)


_PHASES = {
    "waiting": "waiting for another gptasst",
    "fetching": "fetching the embedding model",
}


class Transfers(Drawn):
    """Bars while many files are uploaded and indexed; before that, the spinner of `Waiting`."""

    _SECONDS = 0.1  # seconds between updates of the screen

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._waiting = Waiting(output, "asking the server")
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last = 0.0

    def __enter__(self) -> Self:
        self._waiting.__enter__()
        return self

    def stop(self) -> None:
        self._waiting.stop()
        super().stop()

    def report(self, state: TransferState) -> None:
        """Show progress. May be called often and from any thread."""
        if not self._output.shows_progress:
            return
        moment = time.monotonic()
        whole = state.files_done == state.files
        if moment - self._last < self._SECONDS and not whole:
            return
        self._last = moment
        if self._progress is None:
            self._waiting.stop()
            self._progress = self._draw()
        task = self._tasks.get(state.phase)
        if task is None:
            task = self._begin(self._progress, state.phase)
        sizes = f"{size_text(state.bytes_done)} of {size_text(state.bytes)}" if state.bytes else ""
        unit = "passage" if state.phase == "embedding" else "file"
        files = f"{state.files_done:,} of {count_text(state.files, unit)}"
        if state.phase == "fetching":
            files = ""
        # During uploads, bytes are more informative than files, especially for large ones.
        done, total = (
            (state.bytes_done, state.bytes) if state.bytes else (state.files_done, state.files)
        )
        self._progress.update(task, completed=done, total=total, files=files, sizes=sizes)

    def _begin(self, progress: Progress, phase: str) -> TaskID:
        waited = self._tasks.pop("waiting", None)
        if waited is not None:
            progress.remove_task(waited)
        name = _PHASES.get(phase, phase)
        task = self._tasks[phase] = progress.add_task(name, files="", sizes="")
        return task

    def _draw(self) -> Progress:
        from rich.progress import BarColumn, TimeRemainingColumn

        return self._bars(
            "{task.description}",
            BarColumn(),
            "{task.fields[files]}",
            "{task.fields[sizes]}",
            TimeRemainingColumn(compact=True),
        )


class CaseProgress(Drawn):
    """How many cases are done; what is written meanwhile stands above it."""

    def __init__(self, output: Output, cases: int) -> None:
        super().__init__(output)
        self._cases = cases
        self._done = 0

    def __enter__(self) -> Self:
        self._spin()
        return self

    def advance(self, lines: str) -> None:
        """Count one more case, and write lines on stdout."""
        self._done += 1
        self.stop()
        if lines:
            self._output.drawn(lines)
        self._spin()

    def _spin(self) -> None:
        if self._output.shows_progress and self._done < self._cases:
            self._spinner(f"{self._done:,} of {count_text(self._cases, 'case')} done")


class FileProgress(Drawn):
    """A bar with finished and failed files, tokens and the time left.

    Below it is the file that has been waited for longest, once that takes some seconds.

    Args:
        output: where it is drawn.
        files: how many there are.
        longest: the path of the file that was sent first of those without an answer, and for how
            many seconds it is waited for; called by another thread.
    """

    _SHORT = 5  # seconds before a file is shown

    def __init__(
        self, output: Output, files: int, longest: Callable[[], tuple[str, float] | None]
    ) -> None:
        super().__init__(output)
        self._files = files
        self._longest = longest
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
        """Count the result of one more file."""
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
            tokens=count_text(self._tokens, "token") if self._tokens else "",
        )

    def _waited_for(self) -> str:
        longest = self._longest()
        if longest is None or longest[1] < self._SHORT:
            return ""
        return f"waiting {int(longest[1])} s for {harmless(longest[0])}"

    def _file_bars(self) -> Progress:
        from rich.progress import BarColumn, Progress, TimeRemainingColumn
        from rich.text import Text

        waited_for = self._waited_for

        class Bars(Progress):
            def get_renderables(self) -> Iterable[RenderableType]:
                yield from super().get_renderables()
                if text := waited_for():
                    yield Text(text, style="dim", no_wrap=True, overflow="ellipsis")

        return self._draw_over(
            Bars(
                BarColumn(),
                "{task.fields[files]}",
                "{task.fields[failed]}",
                "{task.fields[tokens]}",
                TimeRemainingColumn(compact=True),
                "left",
                console=console(self._output.stderr),
                transient=True,
            )
        )
