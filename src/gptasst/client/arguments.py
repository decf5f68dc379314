"""What callers pass in, as the services take it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from gptasst.conversations.types import Conversation
from gptasst.definitions.types import ReasoningEffort
from gptasst.each.types import EachJob, Purpose
from gptasst.errors import InvalidInput, UsageError
from gptasst.runs.types import RunRequest

_Path = str | os.PathLike[str]
# One path, pattern or directory, or several of them.
Files = _Path | Iterable[_Path]


class RunOptions(TypedDict, total=False):
    """The options of one run.

    `text` is the task in words; `stdin` is a text to work on, as if it were piped in; `model`
    and `schema` (a JSON Schema that the answer must fit) are used in place of the assistant's
    own; `timeout` is in seconds, for the whole run. `allow_secrets` takes files that count as
    secret (`.env`, private keys) and are refused otherwise. `conversation` is gone on with: the run
    knows what was said in it, and becomes its next turn; without one a run leaves nothing behind.
    """

    text: str | None
    stdin: str | None
    model: str | None
    schema: Mapping[str, Any] | None
    timeout: float | None
    allow_secrets: bool
    encoding: str | None
    conversation: Conversation | str | None


class MapOptions(TypedDict, total=False):
    """The options of many runs, one a file.

    `output` is a directory in which each answer gets its file's place, or a pattern
    (`out/{stem}.linted{suffix}`; also `{name}`, `{parent}`, `{relpath}`); `in_place` writes each
    answer over its file; `check` only compares it with its file. `jobs` (8) run at a time. What
    was finished before by the same run is not asked again, unless `force`. The others are as
    in `RunOptions`, `timeout` for each answer.
    """

    output: _Path | None
    in_place: bool
    check: bool
    jobs: int
    force: bool
    text: str | None
    model: str | None
    schema: Mapping[str, Any] | None
    timeout: float | None
    allow_secrets: bool
    encoding: str | None


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


def run_request(
    name: str, files: Files, options: RunOptions, note: Callable[[str], None]
) -> RunRequest:
    """What is asked of one run, its files read.

    `note` is told what a directory or pattern yielded and is left out.

    Raises:
        InvalidInput: a file or the schema can't be used.
        UsageError: the timeout is no time.
    """
    from gptasst.inputs.encoding import text_encoding
    from gptasst.runs.inputs import read_inputs

    _check(options.get("timeout"), options.get("schema"))
    rest: dict[str, Any] = dict(options)
    rest.pop("conversation", None)
    named = rest.pop("encoding", None)
    encoding = text_encoding(named) if named else None
    allowed = options.get("allow_secrets", False)
    read = read_inputs(words_of(files), note, allow_secrets=allowed, encoding=encoding)
    return RunRequest(name=name, files=read, **rest)


def each_job(name: str, files: Files, options: MapOptions, note: Callable[[str], None]) -> EachJob:
    """What is asked of many runs, where each answer goes decided.

    `note` is told what a directory or pattern yielded and is left out.

    Raises:
        UsageError: two places are named, a pattern is wrong, or the timeout is no time.
        InvalidInput: a word means no file, or an output can't be used.
    """
    from gptasst.each.targets import plan_targets
    from gptasst.inputs.encoding import text_encoding

    rest: dict[str, Any] = dict(options)
    if rest.get("encoding"):
        rest["encoding"] = text_encoding(rest["encoding"])
    output = rest.pop("output", None)
    in_place, check = rest.pop("in_place", False), rest.pop("check", False)
    if (output is not None) + bool(in_place) + bool(check) > 1:
        raise UsageError("`output`, `in_place` and `check` exclude each other")
    if rest.get("jobs", 1) < 1:
        raise UsageError(f"jobs is {rest['jobs']}, which is not a number of runs at a time")
    _check(options.get("timeout"), options.get("schema"))
    purpose: Purpose = "replace" if in_place else "check" if check else "collect"
    if output is not None:
        purpose = "write"
    place = None if output is None else os.fspath(output)
    allowed = options.get("allow_secrets", False)
    targets = plan_targets(words_of(files), purpose, place, note, allow_secrets=allowed)
    return EachJob(name=name, targets=targets, purpose=purpose, **rest)


def _check(timeout: float | None, schema: Mapping[str, Any] | None) -> None:
    from gptasst.config.settings import check_timeout

    if timeout is not None:
        check_timeout(timeout, f"timeout is {timeout:g}")
    check_schema(schema)


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
    from gptasst.definitions.schemas import check_schema as check

    if schema is not None:
        try:
            check(dict(schema))
        except ValueError as error:
            raise InvalidInput(f"the schema {error}", code="bad_schema") from None
