"""`--var`: the values of a definition's variables, given or asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gptasst.cli.commands import ASSIGNMENTS
from gptasst.cli.output import harmless, one_line
from gptasst.cli.session import Session, line_ended

if TYPE_CHECKING:
    from gptasst.definitions.types import Variable
    from gptasst.inputs.screening import Screening
    from gptasst.runs.types import RunRequest

VarOption = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar=ASSIGNMENTS,
        help="Value of a variable; NAME=@FILE reads it from a file.",
    ),
]

_Result = TypeVar("_Result")


def given_values(
    words: Sequence[str] | None, screening: Screening, encoding: str | None = None
) -> dict[str, str]:
    """Parse the values of `--var`.

    `@FILE` stands for the text of a file, and `@@` at the start of a value for one `@`.

    Raises:
        UsageError: a word is not NAME=VALUE, or a name is repeated.
        InvalidInput: a file can't be used, or looks secret.
    """
    from gptasst.definitions.variables import assigned

    return {
        name: _value(name, value, screening, encoding)
        for name, value in assigned(words or ()).items()
    }


def _value(name: str, value: str, screening: Screening, encoding: str | None) -> str:
    if value.startswith("@@"):
        return value[1:]
    if value.startswith("@"):
        from gptasst.definitions.variables import value_of_file

        return value_of_file(name, Path(value[1:]), screening, encoding)
    return value


def asking(
    session: Session, request: RunRequest, act: Callable[[RunRequest], _Result]
) -> tuple[_Result, RunRequest]:
    """Call a function that needs all variables; at a terminal, ask for missing ones.

    Returns its result, and the request with all values.

    Raises:
        MissingVariables: values are missing, and there is no terminal.
    """
    from gptasst.definitions.variables import MissingVariables

    try:
        return act(request), request
    except MissingVariables as error:
        if not _can_ask(session):
            raise
        values = asked_for(session, error.missing)
    request = replace(request, variables={**request.variables, **values})
    return act(request), request


def _can_ask(session: Session) -> bool:
    asked = bool(sys.stdin and sys.stdin.isatty()) and session.output.stderr.isatty()
    return asked and session.output.mode == "people"


def asked_for(session: Session, variables: Sequence[Variable]) -> Mapping[str, str]:
    """Ask for values at the terminal, one after the other; repeat after an invalid answer.

    Raises:
        MissingVariables: the user pressed Ctrl-D.
    """
    from gptasst.definitions.variables import MissingVariables

    stderr = session.output.stderr
    values: dict[str, str] = {}
    for variable in variables:
        while variable.name not in values:
            with line_ended(stderr):
                stderr.write(_question(variable))
                stderr.flush()
                answer = sys.stdin.readline()
            if not answer:
                stderr.write("\n")
                raise MissingVariables([v for v in variables if v.name not in values])
            value = answer.rstrip("\r\n")
            if variable.choices and value not in variable.choices:
                stderr.write(f"one of: {harmless(', '.join(variable.choices))}\n")
            elif value.strip():
                values[variable.name] = value
    return values


def variable_text(variable: Variable) -> str:
    """A variable in one line, for people."""
    value = "required" if variable.default is None else f"default {one_line(variable.default)}"
    about = [value, *([variable.description] if variable.description else [])]
    if variable.choices:
        about.append(f"one of {', '.join(variable.choices)}")
    return f"{variable.name} ({'; '.join(about)})"


def _question(variable: Variable) -> str:
    about = [variable.description] if variable.description else []
    if variable.choices:
        about.append(", ".join(variable.choices))
    told = f" ({': '.join(about)})" if about else ""
    return harmless(f"{variable.name}{told}: ")
