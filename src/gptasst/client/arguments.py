"""What callers pass in, as the services take it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypedDict

from gptasst.conversations.types import Conversation
from gptasst.definitions.types import ReasoningEffort
from gptasst.each.types import EachJob, Purpose
from gptasst.errors import InvalidInput, UsageError
from gptasst.inputs.screening import Screening
from gptasst.runs.types import RunRequest

_JOBS = 8
_Path = str | os.PathLike[str]
# One path, pattern or directory, or several of them.
Files = _Path | Iterable[_Path]


class AnyRunOptions(TypedDict, total=False):
    """The options that one run and many runs have in common.

    `text` is the task in words; `model` and `schema` (a JSON Schema that the answer must fit) are
    used in place of the assistant's own; `timeout` is in seconds, for one run. `allow_secrets`
    takes files that count as secret (`.env`, private keys) and are refused otherwise. `encoding`
    is that of all files that are text.
    """

    text: str | None
    model: str | None
    schema: Mapping[str, Any] | None
    timeout: float | None
    allow_secrets: bool
    encoding: str | None


class RunOptions(AnyRunOptions, total=False):
    """The options of one run: those of `AnyRunOptions` and these.

    `stdin` is a text to work on, as if it were piped in. `conversation` is gone on with: the run
    knows what was said in it, and becomes its next turn; without one a run leaves nothing behind.
    """

    stdin: str | None
    conversation: Conversation | str | None


class MapOptions(AnyRunOptions, total=False):
    """The options of many runs, one a file.

    `output` is a directory in which each answer gets its file's place, or a pattern
    (`out/{stem}.linted{suffix}`; also `{name}`, `{parent}`, `{relpath}`); `in_place` writes each
    answer over its file; `check` only compares it with its file. `jobs` (8) run at a time. What
    was finished before by the same run is not asked again, unless `force`. The others are those
    of `AnyRunOptions`.
    """

    output: _Path | None
    in_place: bool
    check: bool
    jobs: int
    force: bool


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
    from gptasst.runs.inputs import read_inputs

    asked = _asked(name, {key: each for key, each in options.items() if key != "conversation"})
    read = read_inputs(words_of(files), note, screening=asked.screening, encoding=asked.encoding)
    return replace(asked, files=read)


def each_job(name: str, files: Files, options: MapOptions, note: Callable[[str], None]) -> EachJob:
    """What is asked of many runs, where each answer goes decided.

    `note` is told what a directory or pattern yielded and is left out.

    Raises:
        UsageError: two places are named, a pattern is wrong, or the timeout is no time.
        InvalidInput: a word means no file, or an output can't be used.
    """
    from gptasst.each.targets import plan_targets

    rest: dict[str, Any] = dict(options)
    output, jobs = rest.pop("output", None), rest.pop("jobs", _JOBS)
    in_place, check = rest.pop("in_place", False), rest.pop("check", False)
    force = rest.pop("force", False)
    if (output is not None) + bool(in_place) + bool(check) > 1:
        raise UsageError("`output`, `in_place` and `check` exclude each other")
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}, which is not a number of runs at a time")
    asked = _asked(name, rest)
    purpose: Purpose = "replace" if in_place else "check" if check else "collect"
    if output is not None:
        purpose = "write"
    place = None if output is None else os.fspath(output)
    targets = plan_targets(words_of(files), purpose, place, note, asked.screening)
    return EachJob(asked, targets, purpose, jobs=jobs, force=force)


def _asked(name: str, options: Mapping[str, Any]) -> RunRequest:
    """What is asked of each run, without its files."""
    from gptasst.config.profile import check_timeout
    from gptasst.inputs.encoding import text_encoding

    rest = dict(options)
    screening = Screening(allow_secrets=rest.pop("allow_secrets", False))
    asked = RunRequest(name=name, screening=screening, **rest)
    if asked.timeout is not None:
        check_timeout(asked.timeout, f"timeout is {asked.timeout:g}")
    check_schema(asked.schema)
    return replace(asked, encoding=text_encoding(asked.encoding) if asked.encoding else None)


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
