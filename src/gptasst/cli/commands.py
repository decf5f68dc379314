"""How commands are declared: global options everywhere, many files without quoting."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from gptasst.cli.mistyped import SYNONYMS, name_taken_for_file, refuse_lost, refuse_mistyped
from gptasst.cli.output import Output
from gptasst.cli.session import GLOBALS, GlobalOptions, session
from gptasst.errors import UsageError
from gptasst.hints import cmd, nearest

# The metavar of options whose list ends where a word is no assignment.
ASSIGNMENTS = "NAME=VALUE..."

# A typing mistake in a short word is more similar than this; `rename` and `create` are less.
_NEAR = 0.75


ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="Endpoint and store from config.toml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only names or ids, no notes.")
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print more on stderr, with tracebacks.")
]
NoProjectOption = Annotated[
    bool, typer.Option("--no-project", help="Ignore the instructions in ./instructions.")
]
KnowledgeEncodingOption = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help="Encoding of the knowledge that is text."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Show what would be done and change nothing.")
]
FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Files, patterns or directories.")
]
AllowSecretsOption = Annotated[
    bool,
    typer.Option("--allow-secrets", help="Allow files that count as secret: .env, private keys, …"),
]
_OPTIONS = {
    "profile": (ProfileOption, None),
    "json": (JsonOption, False),
    "quiet": (QuietOption, False),
    "verbose": (VerboseOption, False),
    "no_project": (NoProjectOption, False),
}


def remember_globals(typer_context: typer.Context, options: GlobalOptions) -> None:
    """Store options that were given before the command's name."""
    outer = typer_context.meta.get(GLOBALS, GlobalOptions())
    typer_context.meta[GLOBALS] = options.over(outer)


class CommandGroup(typer.Typer):
    """A group of commands. Each is built when it is used, not when it is declared."""

    def __init__(self, help: str) -> None:
        self.builders: dict[str, Callable[[], Any]] = {}
        form = type("Group", (Group,), {"builders": self.builders})
        super().__init__(cls=form, help=help, rich_markup_mode=None, add_completion=False)
        self.callback(invoke_without_command=True, help=help)(_begin_group)


def _begin_group(
    typer_context: typer.Context,
    profile: ProfileOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    no_project: NoProjectOption = False,
) -> None:
    options = GlobalOptions(profile, json, quiet, verbose, no_project)
    remember_globals(typer_context, options)
    if typer_context.invoked_subcommand is None:
        show_help(typer_context)


def show_help(typer_context: typer.Context) -> None:
    """Print a group's help, in colour where possible."""
    output = Output()
    show = output.drawn if output.draws else output.text
    show(typer_context.get_help() + "\n")


class Group(TyperGroup):
    """Typer's group, built from the builders of its commands."""

    builders: ClassVar[Mapping[str, Callable[[], Any]]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the same for every context
        return list(self.builders)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        build = self.builders.get(cmd_name)
        return build() if build else None

    def format_options(self, ctx: Any, formatter: Any) -> None:
        from gptasst.cli.help import write_parameters

        write_parameters(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        from gptasst.cli.help import write_commands

        write_commands(self, ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.builders:
            path = ctx.command_path
            near = self._nearest(args[0], ctx)
            words = f"{path} {near or '--help'}".removeprefix("gptasst ")
            hint = f"did you mean {cmd(words)}?" if near else f"{cmd(words)} shows all"
            error = UsageError(f"`{path}` has no command `{args[0]}`", hint=hint)
            outer = ctx.meta.get(GLOBALS, GlobalOptions())
            error.profile = ctx.params.get("profile") or outer.profile
            raise error
        return super().resolve_command(ctx, args)

    def _nearest(self, word: str, ctx: Any) -> str | None:
        """The command that an unknown word may mean."""
        option = f"--{word}"  # `gptasst version`, `gptasst help`
        if any(option in p.opts and p.is_eager for p in self.get_params(ctx)):
            return option
        swapped = next((n for n in self.builders if sorted(n) == sorted(word.lower())), None)
        if not swapped and sorted(word.lower()) == sorted("help"):
            return "--help"
        near = swapped or nearest(word, self.builders, _NEAR) or self.meant(word)
        # One wrong letter of three is a third of the word.
        return near or (nearest(word, self.builders) if len(word) == 3 else None)

    def meant(self, word: str) -> str | None:
        """The command that a known wrong name stands for, or one that is in a group of this one."""
        names = (name for name, others in SYNONYMS.items() if word.lower() in others)
        known = next((name for name in names if name in self.builders), None)
        inside = (
            f"{name} {word}"
            for name, build in self.builders.items()
            if word in getattr(build(), "builders", ())
        )
        return known or next(inside, None)


def command(
    group: CommandGroup,
    name: str,
    *,
    help: str | None = None,
    epilog: str | None = None,
    examples: Sequence[str] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a command. Its function takes a `Session`, then its own arguments.

    `examples` are command lines; like `epilog` they go below the options in `--help`.
    """
    text = "\n\n".join(filter(None, (epilog, examples_text(examples))))

    def declare(function: Callable[..., None]) -> Callable[..., None]:
        group.builders[name] = lambda: build_command(function, name, help=help, epilog=text)
        return function

    return declare


def examples_text(examples: Sequence[str]) -> str:
    """The part of an epilog with the examples."""
    if not examples:
        return ""
    return "\n\n".join(("Examples:" if len(examples) > 1 else "Example:", *examples))


def build_command(
    function: Callable[..., None], name: str, *, help: str | None = None, epilog: str | None = None
) -> Any:
    """Build the command that calls a function with a `Session` and the typed arguments."""
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    alone.command(name, cls=Command, help=help, epilog=epilog)(_with_globals(function))
    built: Any = typer.main.get_command(alone)
    for parameter in built.params:
        if parameter.metavar is None:  # `--text TEXT`; Typer would show `<str>`
            parameter.metavar = parameter.name.upper()
    return built


def imported(module: str) -> Any:
    """Import a module and return its command or group: its `build()` or its `app`."""
    found = importlib.import_module(module)
    return found.build() if hasattr(found, "build") else typer.main.get_command(found.app)


def _with_globals(function: Callable[..., None]) -> Callable[..., None]:
    hints = typing.get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[1:]

    @functools.wraps(function)
    def run(*, typer_context: typer.Context, **arguments: Any) -> None:
        options = GlobalOptions(**{name: arguments.pop(name) for name in _OPTIONS})
        with session(typer_context, options) as ready:
            function(ready, **arguments)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("typer_context", keyword, annotation=typer.Context)]
    parameters += [p.replace(kind=keyword, annotation=hints[p.name]) for p in own]
    parameters += [
        inspect.Parameter(name, keyword, default=default, annotation=annotation)
        for name, (annotation, default) in _OPTIONS.items()
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    del run.__wrapped__  # its signature differs from the command's
    return run


class Command(TyperCommand):
    """A command whose list options take all following words.

    `-f a.md b.md` is read as `-f a.md -f b.md`, as argparse's `nargs="*"` would. A word that
    starts with a dash ends the list, unless it is a file that exists; a list of `NAME=VALUE`
    ends before a word that is none.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        assignments = [name for name, metavar in self._list_options() if metavar == ASSIGNMENTS]
        names = [name for name, _ in self._list_options()]
        words = spread_lists(args, names, assignments)
        if ctx.resilient_parsing:
            return super().parse_args(ctx, words)
        refuse_mistyped(args, [name for each in self.get_params(ctx) for name in each.opts])
        values: dict[str, Any] = {}
        try:
            values, _, order = self.make_parser(ctx).parse_args(list(words))
            refuse_lost(order, values)
            return super().parse_args(ctx, words)
        except typer.TyperException as error:
            untold: Any = error  # Typer's own classes are not public
            untold.ctx = getattr(error, "ctx", None) or ctx
            missing = getattr(getattr(error, "param", None), "name", None) == "name"
            hint = missing and name_taken_for_file(ctx.command_path, args, values.get("file") or ())
            if not hint:
                raise
            known = UsageError("NAME is missing, as -f takes all words after it", hint=hint)
            known.profile = ctx.meta.get(GLOBALS, GlobalOptions()).profile
            raise known from error

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Write required arguments as `NAME`; Typer writes `{NAME}`."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        from gptasst.cli.help import write_parameters

        write_parameters(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        from gptasst.cli.help import write_epilog

        write_epilog(self.epilog or "", formatter)

    def _list_options(self) -> list[tuple[str, str]]:
        names: list[tuple[str, str]] = []
        for parameter in self.params:
            if parameter.param_type_name == "option" and getattr(parameter, "multiple", False):
                names += [(name, parameter.metavar or "") for name in parameter.opts]
        return names


def spread_lists(
    words: Sequence[str], list_options: Sequence[str], assignments: Sequence[str] = ()
) -> list[str]:
    """Repeat each list option before each of its words."""
    spread: list[str] = []
    current: str | None = None
    for number, word in enumerate(words):
        if word == "--":
            return [*spread, *words[number:]]
        option = None if current and _is_file(word) else _list_option(word, list_options)
        if option:
            current = option
            # The word may contain the value. An option without one is reported as an error.
            if word != option or not _has_value(words[number + 1 :]):
                spread.append(word)
        elif current and _belongs(
            word, assigned=current in assignments and words[number - 1] != current
        ):
            spread += [current, word]
        else:
            current = None
            spread.append(word)
    return spread


def _belongs(word: str, *, assigned: bool) -> bool:
    """Whether a word belongs to the list option before it."""
    if assigned:
        return re.match(r"[^\W\d][\w-]*=", word) is not None and not _is_file(word)
    return not _is_option(word)


def _has_value(rest: Sequence[str]) -> bool:
    return bool(rest) and rest[0] != "--" and not _is_option(rest[0])


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-" and not _is_file(word)


def _is_file(word: str) -> bool:
    return os.path.exists(word)


def _list_option(word: str, list_options: Sequence[str]) -> str | None:
    for option in list_options:
        attached = option + "=" if option.startswith("--") else option
        if word == option or word.startswith(attached):
            return option
    return None
