"""The context of one command: its options, the program's parts, and questions to the user."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, TypeVar

import typer

from gptasst.cli.output import Mode, Output, harmless
from gptasst.errors import GptasstError, UsageError
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.api.types import ToolApproval
    from gptasst.cli.progress import Waiting
    from gptasst.context import AppContext
    from gptasst.inputs.screening import Screening
    from gptasst.runs.tools import Approve


GLOBALS = "gptasst.globals"

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Session:
    """The first argument of a command function: the parts of the program, and the output."""

    context: AppContext
    output: Output

    def waiting(self) -> Waiting:
        """A spinner for slow requests to a server."""
        from gptasst.cli.progress import Waiting

        return Waiting(self.output, "asking the server")

    def screening(self, allow_secrets: bool) -> Screening:
        """The check for secrets, as `--allow-secrets` sets it."""
        from gptasst.inputs.screening import Screening

        return Screening(allow_secrets=allow_secrets)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something is destroyed; continue only after a yes.

        Raises:
            UsageError: there is no terminal, and `yes` was not given.
            typer.Abort: the answer was no.
        """
        import sys

        if yes:
            return
        if not (sys.stdin and sys.stdin.isatty()):
            raise UsageError(
                f"confirmation required: {question}", hint="pass `--yes`", code="needs_confirmation"
            )
        if not self._asked(question):
            self.output.note("nothing was done")
            raise typer.Abort

    def _asked(self, question: str) -> bool:
        import sys

        with line_ended(self.output.stderr):
            self.output.stderr.write(f"{harmless(question)} [y/N] ")
            self.output.stderr.flush()
            answer = sys.stdin.readline()
        if not answer.endswith("\n"):  # Ctrl-D
            self.output.stderr.write("\n")
        return answer.strip().lower() in ("y", "yes")

    def approver(self, stop: Callable[[], object]) -> Approve | None:
        """Asks whether a model may call a tool of an MCP server; `None`: nobody can be asked.

        Args:
            stop: called before a question, to end what is drawn meanwhile.
        """
        import sys

        if not (sys.stdin and sys.stdin.isatty() and self.output.stderr.isatty()):
            return None

        def approve(call: ToolApproval) -> bool:
            stop()
            return self._asked(
                f"the model wants to call `{call.tool}` of `mcp:{call.label}` with"
                f" {call.arguments}: allow it?"
            )

        return approve

    def confirmed(
        self,
        look: Callable[[], _Found],
        question: Callable[[_Found], str],
        *,
        yes: bool,
        nothing: object = None,
        settled: Callable[[_Found], bool] = lambda _: False,
    ) -> _Found:
        """The items to delete, looked up again after the yes; if they changed, ask again.

        Args:
            look: finds the items.
            question: returns the question; called before each one, so it may print a list first.
            yes: don't ask.
            nothing: the result of `look` that needs no question.
            settled: whether a result needs no question, because nothing would change.
        """
        found = look()
        while not yes and found != nothing and not settled(found):
            self.confirm(question(found), yes=yes)
            now = look()
            if now == found:
                return now
            self.output.note("this changed while the question was open")
            found = now
        return found


@contextlib.contextmanager
def line_ended(stream: IO[str]) -> Iterator[None]:
    """End the line of a question that is interrupted with Ctrl-C, before the shell's prompt."""
    try:
        yield
    except KeyboardInterrupt:
        stream.write("\n")
        stream.flush()
        raise


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The options that may be given before or after a command's name."""

    profile: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    no_project: bool = False

    def over(self, outer: GlobalOptions) -> GlobalOptions:
        return GlobalOptions(
            profile=self.profile or outer.profile,
            json=self.json or outer.json,
            quiet=self.quiet or outer.quiet,
            verbose=self.verbose or outer.verbose,
            no_project=self.no_project or outer.no_project,
        )

    @property
    def mode(self) -> Mode:
        if self.json:
            return "json"
        return "quiet" if self.quiet else "people"


@contextlib.contextmanager
def session(typer_context: typer.Context, options: GlobalOptions) -> Iterator[Session]:
    """The session of one command, closed when it ends."""
    from gptasst.context import AppContext

    options = options.over(typer_context.meta.get(GLOBALS, GlobalOptions()))
    given = typer_context.obj
    context = given if isinstance(given, AppContext) else AppContext(os.environ)
    profile = options.profile or context.profile_option
    output = Output(options.mode, verbose=options.verbose, quiet=options.quiet, profile=profile)
    try:
        with context.with_options(
            profile, output.note, output.warn, no_project=options.no_project
        ) as ready:
            try:
                yield Session(ready, output)
            except typer.Exit as end:
                if end.exit_code or not output.missed:
                    raise
            missed = output.missed_error()
            if missed is not None:
                output.warn(f"partly done: {missed.message}")
                raise typer.Exit(missed.exit_code)
    except GptasstError as error:
        error.profile = profile
        raise
