"""Variables of a definition: their declarations, and their values in a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gptasst.definitions.types import Definition, Variable
from gptasst.errors import InvalidInput, UsageError
from gptasst.hints import did_you_mean

if TYPE_CHECKING:
    from gptasst.config.toml import TomlDocument
    from gptasst.inputs.screening import Screening

_NAME = re.compile(r"[^\W\d][\w-]*")
_LONGEST_NAME = 64
_KEYS = ("default", "description", "choices")


def read_variables(document: TomlDocument) -> tuple[Variable, ...]:
    """The variables declared in a document, in order.

    Raises:
        InvalidDefinition: a name can't be used, or a key is wrong.
    """
    return tuple(_variable(document, name) for name in document.table("variables"))


def _variable(document: TomlDocument, name: str) -> Variable:
    path = ("variables", name)
    problem = variable_name_problem(name)
    if problem:
        raise document.error(path, f"the variable `{name}` {problem}")
    document.only_keys(path, _KEYS)
    default = document.value(str, *path, "default")
    choices = document.texts(*path, "choices")
    if not choices and "choices" in document.table(*path):
        raise document.error((*path, "choices"), f"key `variables.{name}.choices` is empty")
    if default is not None and choices and default not in choices:
        raise document.error(
            (*path, "default"),
            f"key `variables.{name}.default` is `{default}`, which is none of its choices",
            hint=f"one of: {', '.join(choices)}",
        )
    return Variable(
        name=name,
        default=None if default is None else default.replace("\r\n", "\n"),
        description=document.value(str, *path, "description") or "",
        choices=choices,
    )


def variable_name_problem(name: str) -> str | None:
    """Why a name is not valid for a variable, or `None`."""
    if len(name) > _LONGEST_NAME:
        return f"has a name longer than {_LONGEST_NAME} characters"
    if not _NAME.fullmatch(name):
        return "has a name that is not made of letters, digits, `_` and `-`, a letter first"
    return None


def written_variables(variables: Sequence[Variable]) -> dict[str, Any]:
    """The table `[variables]`, without defaults."""
    return {variable.name: _written(variable) for variable in variables}


def _written(variable: Variable) -> dict[str, Any]:
    table: dict[str, Any] = {}
    if variable.default is not None:
        table["default"] = variable.default
    if variable.description:
        table["description"] = variable.description
    if variable.choices:
        table["choices"] = list(variable.choices)
    return table


class MissingVariables(UsageError):
    """Required variables have no value; `missing` lists all of them."""

    code = "missing_variable"

    def __init__(self, missing: Sequence[Variable]) -> None:
        self.missing = tuple(missing)
        names = ", ".join(f"`{variable.name}`" for variable in missing)
        verb = "are" if len(missing) > 1 else "is"
        noun = "variables" if len(missing) > 1 else "variable"
        told = " ".join(f"--var {variable.name}=VALUE" for variable in missing)
        super().__init__(f"{noun} {names} {verb} missing", hint=f"pass {told}")


def filled(definition: Definition, values: Mapping[str, str]) -> Definition:
    """A definition with its variables replaced by values.

    `{{NAME}}` is replaced if NAME is declared. Everything else is unchanged, including braces in
    values.

    Args:
        definition: a resolved definition.
        values: the given values; others have their defaults.

    Raises:
        UsageError: a name is not declared, or a value is not one of the choices.
        MissingVariables: a required one has no value.
    """
    whole = partly_filled(definition, values)
    if whole.variables:
        raise MissingVariables(whole.variables)
    return whole


def partly_filled(definition: Definition, values: Mapping[str, str]) -> Definition:
    """Like `filled`, but required variables without a value stay."""
    chosen = checked_values(definition, values)
    if not chosen:
        return definition
    edit = definition.edit
    if edit is not None and edit.sentence_instructions is not None:
        told = fill(edit.sentence_instructions, chosen)
        edit = replace(edit, sentence_instructions=told)
    task = definition.default_text
    return replace(
        definition,
        instructions=fill(definition.instructions, chosen),
        default_text=None if task is None else fill(task, chosen),
        edit=edit,
        variables=tuple(v for v in definition.variables if v.name not in chosen),
    )


def checked_values(definition: Definition, values: Mapping[str, str]) -> dict[str, str]:
    """The known values of a definition's variables.

    Raises:
        UsageError: a name is not declared, or a value is none of the choices.
    """
    declared = {variable.name: variable for variable in definition.variables}
    for name, value in values.items():
        if name not in declared:
            raise _unknown(definition, name)
        choices = declared[name].choices
        if choices and value not in choices:
            raise UsageError(
                f"variable `{name}` can't be `{_shortened(value)}`",
                hint=did_you_mean(value, choices, f"one of: {', '.join(choices)}"),
                code="bad_variable",
            )
    defaults = {name: v.default for name, v in declared.items() if v.default is not None}
    return defaults | dict(values)


def unused_variables(definition: Definition) -> list[str]:
    """The variables that no text has, as where `{{ NAME }}` is written with blanks."""
    edit = definition.edit
    told = (edit.sentence_instructions if edit else None, definition.default_text)
    text = "\n".join((definition.instructions, *(each or "" for each in told)))
    return [v.name for v in definition.variables if f"{{{{{v.name}}}}}" not in text]


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with `{{NAME}}` replaced in one pass, so that braces in values stay."""
    if not values:
        return text
    names = "|".join(map(re.escape, values))
    return re.sub(rf"\{{\{{({names})\}}\}}", lambda found: values[found[1]], text)


def _unknown(definition: Definition, name: str) -> UsageError:
    names = [variable.name for variable in definition.variables]
    if not names:
        return UsageError(
            f"`{definition.name}` has no variables, so there is no `{name}`",
            hint="leave out --var",
            code="unknown_variable",
        )
    return UsageError(
        f"`{definition.name}` has no variable `{name}`",
        hint=did_you_mean(name, names, f"it has: {', '.join(names)}"),
        code="unknown_variable",
    )


def _shortened(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:59]}…"


def assigned(words: Iterable[str]) -> dict[str, str]:
    """Parse typed words `NAME=VALUE`.

    Raises:
        UsageError: a word has no `=`, or a name is repeated.
    """
    values: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise UsageError(
                f"`--var {word}` is not NAME=VALUE",
                hint="as in --var lang=French, or --var notes=@notes.txt for a file",
                code="bad_variable",
            )
        if name in values:
            raise UsageError(f"variable `{name}` is given twice", code="bad_variable")
        values[name] = value
    return values


def value_of_file(name: str, path: Path, screening: Screening, encoding: str | None = None) -> str:
    """The text of a file, for a variable.

    Args:
        name: the variable.
        path: the file.
        screening: the check for secrets.
        encoding: the encoding of the file, if it was given.

    Raises:
        InvalidInput: it can't be read, is not text, or looks secret.
    """
    from gptasst.inputs.encoding import decode_text
    from gptasst.inputs.reading import input_kind, read_content

    if not path.exists() or path.is_dir():
        wrong = f"`{path}` is a directory" if path.is_dir() else f"no such file `{path}`"
        raise InvalidInput(
            f"variable `{name}`: {wrong}",
            hint=f"a value that begins with `@` has it twice: --var {name}=@@…",
            code="no_such_file",
        )
    screening.refuse_file(path)
    if input_kind(path) != "text":
        raise InvalidInput(f"variable `{name}`: `{path}` is not text", code="not_text")
    return decode_text(read_content(path), str(path), encoding)[0]


def with_defaults(definition: Definition, values: Mapping[str, str]) -> Definition:
    """A definition with these values as the defaults of its variables.

    Raises:
        UsageError: a name is not declared, or a value is none of the choices.
    """
    checked_values(definition, values)
    variables = [replace(v, default=values.get(v.name, v.default)) for v in definition.variables]
    return replace(definition, variables=tuple(variables))
