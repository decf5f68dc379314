"""The command `gptasst` as a whole, and the one place where errors become output."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, NoReturn

import typer

from gptasst import __version__
from gptasst.cli.commands import (
    Group,
    JsonOption,
    NoProjectOption,
    ProfileOption,
    QuietOption,
    VerboseOption,
    imported,
    remember_globals,
    show_help,
)
from gptasst.cli.mistyped import foreign_option
from gptasst.cli.output import Output
from gptasst.cli.session import GlobalOptions, session
from gptasst.errors import GptasstError, StateError, UsageError, unexpected
from gptasst.hints import cmd, nearest

_INTERRUPTED = 130
_TERMINATED = 143  # 128 + SIGTERM
_CLOSED_PIPE = 141  # 128 + SIGPIPE, which Python turns into an exception


class _ClosedPipe(Exception):
    """The reader of stdout is gone."""


# Each is in the module of the same name, which is imported when the command is used.
SECTIONS = {
    "Commands": {
        "run": "Give an assistant files and a task; its answer goes to stdout or into a file.",
        "chat": "Chat with an assistant. The conversation is kept.",
        "test": "Run the cases of assistants and instructions; exit 6 if one fails.",
    },
    "Manage": {
        "assistant": "Assistants: a model with instructions and knowledge, under a name.",
        "apply": "Bring assistants in line with a directory of definitions.",
        "instruction": "Instructions: the definitions that assistants are made from.",
        "file": "The files of the project on the server.",
        "conversation": "Show and delete conversations.",
        "batch": "Run many files within 24 hours at half price.",
        "model": "The models of the profile's server.",
    },
    "This machine": {
        "auth": "Store the API key in the system keyring or a private file.",
        "config": "Show and change the configuration.",
        "usage": "Show what this machine ran, with tokens and cost.",
        "doctor": "Check everything and suggest the command that fixes each problem.",
        "cache": "The cache of file hashes and ids. It is safe to delete.",
        "local": "The embedded model, which needs no account.",
        "completion": "Shell completion of commands, options, names and paths.",
    },
}
COMMANDS = {name: what for section in SECTIONS.values() for name, what in section.items()}


# Words that people type when they mean `run`: what an instruction does.
_WORK = frozenset(
    "ask check complete convert correct edit exec explain fix format generate lint prompt proofread"
    " query review rewrite spellcheck start summarize translate write".split()
)


class Root(Group):
    """The command group that turns every error into a message and an exit code."""

    builders: ClassVar = {
        name: functools.partial(imported, f"gptasst.cli.{name}") for name in COMMANDS
    }

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        from gptasst.cli.help import write_section

        for title, summaries in SECTIONS.items():
            write_section(title, summaries, formatter)

    def meant(self, word: str) -> str | None:
        """Suggest a command: `lint` is work for `run`, and `create` belongs to `assistant`."""
        from gptasst.completion.table import COMMANDS as TABLE
        from gptasst.context import AppContext

        if word.lower() in _WORK:
            return "run"
        if len(word.split()) > 1:
            return f"run NAME -t {shlex.quote(word)}"
        with contextlib.suppress(GptasstError):
            if word in AppContext(os.environ).library.names():
                return f"run {word}"
        inside = [path for path in TABLE if path.split()[1:] == [word]]
        return inside[0] if len(inside) == 1 else None

    def make_context(self, *args: Any, **more: Any) -> Any:
        try:  # shows help
            return super().make_context(*args, **more)
        except BrokenPipeError as error:
            raise _ClosedPipe from error

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # Typer would end the program with 1
            raise _ClosedPipe from error

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002  # errors are always handled here
        windows_expand_args: bool = False,  # noqa: ARG002  # patterns are expanded by us
        **extra: Any,
    ) -> NoReturn:
        words = list(sys.argv[1:] if args is None else args)
        extra["windows_expand_args"] = False
        _stop_cleanly_on_sigterm()
        _open_closed_streams()
        try:
            _replace_what_can_not_be_shown()
            code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        except (_ClosedPipe, BrokenPipeError):
            _forget_stdout()
            code = _CLOSED_PIPE
        except (KeyboardInterrupt, typer.Abort):
            code = _INTERRUPTED
        except Exception as error:  # noqa: BLE001  # the boundary
            code = _report(error, words)
        sys.exit(code or 0)


def _report(error: Exception, words: Sequence[str]) -> int:
    before_dashes = words[: words.index("--")] if "--" in words else words
    known = _as_known(error)
    output = Output(
        "json" if "--json" in before_dashes else "people",
        verbose=bool({"-v", "--verbose"} & set(before_dashes)),
        profile=known.profile,
    )
    named = next((w for w in before_dashes if w.startswith("-") and os.path.lexists(w)), None)
    if isinstance(error, typer.TyperException) and named:
        known.advice = f"if the file is meant: `./{named}`"
    with contextlib.suppress(BrokenPipeError):
        try:
            output.error(known)
        except OSError:  # stdout, where JSON goes, can't be written to
            Output().error(known)
    return known.exit_code


def _as_known(error: Exception) -> GptasstError:
    if isinstance(error, GptasstError):
        return error
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        words = context.command_path.removeprefix("gptasst").lstrip() if context else ""
        hint = f"{cmd(f'{words} --help'.lstrip())} shows how it is used" if context else None
        message = _plain(error.format_message().rstrip("."))
        if near := getattr(error, "possibilities", None):
            message = message.partition(" (")[0].rstrip(".")
            typed = str(getattr(error, "option_name", ""))
            # The same letters in another order are the likeliest.
            best = next((o for o in near if sorted(o) == sorted(typed)), None)
            hint = f"did you mean `{best or nearest(typed, near) or near[0]}`?"
        hint = foreign_option(str(getattr(error, "option_name", "")), words) or hint
        if words == "auth login" and "extra argument" in message:
            message = "a key is not given as an argument, which other programs could see"
            hint = f"{cmd(words)} asks for it, or reads it from a pipe"
        known: GptasstError = UsageError(message[:1].lower() + message[1:], hint=hint)
    elif isinstance(error, OSError) and error.strerror:  # most likely a full disk
        place = f"`{error.filename}`: " if error.filename else ""
        known = StateError(f"{place}{error.strerror[:1].lower()}{error.strerror[1:]}")
    else:
        known = unexpected(error)
    known.__cause__ = error
    return known


def _plain(message: str) -> str:
    """A message of Typer's without the words of programmers."""
    number = re.sub("is not a valid float( range)?$", "is not a number", message)
    return re.sub("is not a valid int(eger)?( range)?$", "is not a whole number", number)


def _forget_stdout() -> None:
    """Keep the interpreter from writing to a closed pipe again when it exits."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _ClosedStdout(io.TextIOBase):
    """Replaces a stdout that the caller closed: writing data to it is an error."""

    def write(self, _: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed")


def _open_closed_streams() -> None:
    """Continue if the caller closed a stream; messages on a closed stderr are lost."""
    if sys.stdout is None or sys.stderr is None:
        # Takes the closed stream's file descriptor, so that none of our files gets it.
        nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # until the end
        sys.stdout = sys.stdout or _ClosedStdout()
        sys.stderr = sys.stderr or nowhere


def _replace_what_can_not_be_shown() -> None:
    """Replace characters that a terminal's encoding lacks, instead of failing."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


def _stop_cleanly_on_sigterm() -> None:
    def stop(*_: object) -> None:
        raise SystemExit(_TERMINATED)

    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, stop)


app = typer.Typer(
    name="gptasst",
    cls=Root,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: gptasst run MarkdownLinter -f guide.md -o better.md",
)


def _print_version(asked: bool) -> None:
    if asked:
        Output().text(f"gptasst {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def gptasst(  # one parameter an option
    context: typer.Context,
    profile: ProfileOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    no_project: NoProjectOption = False,
    version: Annotated[  # noqa: ARG001  # answered by its callback
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Run assistants, models with instructions and knowledge, on your files.

    The answer goes to stdout or into a file; everything else goes to stderr.
    """
    options = GlobalOptions(profile, json, quiet, verbose, no_project)
    remember_globals(context, options)
    if context.invoked_subcommand is None:
        show_help(context)
        with session(context, options) as begun:
            begun.output.note(begun.context.first_step())
