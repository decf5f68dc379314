"""The command `gptasst` as a whole, and the one place where errors become output."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from gptasst import __version__
from gptasst.cli.commands import (
    GlobalOptions,
    JsonOption,
    ProfileOption,
    QuietOption,
    VerboseOption,
    remember_globals,
)
from gptasst.cli.output import Output
from gptasst.errors import GptasstError, StateError, UsageError

_INTERRUPTED = 130
_TERMINATED = 143  # 128 + SIGTERM
_CLOSED_PIPE = 141  # 128 + SIGPIPE, which Python turns into an exception


# Each is the Typer `app` of the module of that name, which is imported when it is used.
COMMANDS = {
    "run": "Give an assistant files and a task.",
    "assistant": "Assistants: a model with instructions and knowledge, under a name.",
    "instruction": "Instructions: what assistants are made from.",
    "local": "The embedded model, which needs no account.",
}


class Root(TyperGroup):
    """The command group that turns every error into a message and an exit code."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # vendored
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gptasst.cli.{cmd_name}")
        return typer.main.get_command(module.app)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        if args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "`gptasst --help` shows all"
            raise UsageError(f"no command `{args[0]}`", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

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
        try:
            code = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        except BrokenPipeError:
            _forget_stdout()
            code = _CLOSED_PIPE
        except (KeyboardInterrupt, typer.Abort):
            code = _INTERRUPTED
        except Exception as error:  # noqa: BLE001  # the boundary
            code = _report(error, words)
        sys.exit(code or 0)


def _report(error: Exception, words: Sequence[str]) -> int:
    before_dashes = words[: words.index("--")] if "--" in words else words
    output = Output(
        "json" if "--json" in before_dashes else "people",
        verbose=bool({"-v", "--verbose"} & set(before_dashes)),
    )
    known = _as_known(error)
    with contextlib.suppress(BrokenPipeError):
        output.error(known)
    return known.exit_code


def _as_known(error: Exception) -> GptasstError:
    if isinstance(error, GptasstError):
        return error
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        hint = f"`{context.command_path} --help` shows how it is used" if context else None
        message = error.format_message().rstrip(".")
        known: GptasstError = UsageError(message[:1].lower() + message[1:], hint=hint)
    elif isinstance(error, OSError) and error.strerror:  # a full disk, most of all
        place = f"`{error.filename}`: " if error.filename else ""
        known = StateError(f"{place}{error.strerror[:1].lower()}{error.strerror[1:]}")
    else:
        known = GptasstError(
            f"unexpected: {type(error).__name__}: {error}",
            hint="--verbose shows where; please report it",
            code="internal_error",
        )
    known.__cause__ = error
    return known


def _forget_stdout() -> None:
    """Keep the interpreter from writing to a closed pipe once more when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    epilog="Start here: gptasst run MarkdownLinter -f README.md",
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
    version: Annotated[  # noqa: ARG001  # answered by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Run assistants - a model with instructions and knowledge - on files.

    An answer goes to stdout or into a file; everything else is said on stderr.
    """
    remember_globals(
        context, GlobalOptions(profile=profile, json=json, quiet=quiet, verbose=verbose)
    )
    if context.invoked_subcommand is None:
        Output().text(context.get_help())
