"""What callers pass in, as the services take it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from gptasst.errors import InvalidInput
from gptasst.models.definitions import ReasoningEffort

_Path = str | os.PathLike[str]
# One path, pattern or directory, or several of them.
Files = _Path | Iterable[_Path]


class RunOptions(TypedDict, total=False):
    """The options of one run.

    `text` is the task in words; `stdin` is a text to work on, as if it were piped in; `model`
    and `schema` (a JSON Schema that the answer must fit) are used in place of the assistant's
    own; `timeout` is in seconds, for the whole answer.
    """

    text: str | None
    stdin: str | None
    model: str | None
    schema: Mapping[str, Any] | None
    timeout: float | None


class AssistantOptions(TypedDict, total=False):
    """What an assistant is made of. What is left out stays as it is, or as the instruction has it.

    `instruction` is an instruction's name or TOML file, `instructions` the text itself; `model`
    where it is not the profile's; `description` is one line; `file_search`, `code_interpreter`
    and `web_search` switch tools; `schema` is a JSON Schema that its answers must fit.
    """

    instruction: str | None
    instructions: str | None
    model: str | None
    description: str | None
    file_search: bool | None
    code_interpreter: bool | None
    web_search: bool | None
    reasoning_effort: ReasoningEffort | None
    schema: Mapping[str, Any] | None


def words_of(files: Files) -> list[str]:
    """Paths, patterns and directories as the words of a command line.

    Raises:
        InvalidInput: one of them is empty.
    """
    given = [files] if isinstance(files, (str, os.PathLike)) else files
    words = [os.fspath(each) for each in given]
    if "" in words:
        raise InvalidInput("a path is empty", code="no_such_file")
    return words


def check_schema(schema: Mapping[str, Any] | None) -> None:
    """Hold a schema to JSON Schema's own.

    Raises:
        InvalidInput: it is not one.
    """
    from gptasst.json_schemas import check_schema as check

    if schema is not None:
        try:
            check(dict(schema))
        except ValueError as error:
            raise InvalidInput(f"the schema {error}", code="bad_schema") from None
