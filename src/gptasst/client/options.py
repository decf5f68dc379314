"""The options of the client's methods, declared once and shown by `help`; what callers pass in."""

from __future__ import annotations

import inspect
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypedDict, TypeVar

from gptasst.conversations.types import Conversation
from gptasst.definitions.types import ReasoningEffort
from gptasst.each.types import EachJob, Purpose
from gptasst.errors import InvalidInput, UsageError
from gptasst.inputs.screening import Screening
from gptasst.runs.types import RunRequest

_Function = TypeVar("_Function", bound=Callable[..., Any])

JOBS = 8
Path = str | os.PathLike[str]
# One path, pattern or directory, or several of them.
Files = Path | Iterable[Path]

_DEFAULTS = {"bool": False, "int": JOBS}  # of all other types it is None
_UNPACKED = re.compile(r"Unpack\[(\w+)\]")
_OPTIONS = re.compile(r"^    options: see .*\n", re.MULTILINE)
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


class AnyRunOptions(TypedDict, total=False):
    """The options that one run and many runs have in common.

    Attributes:
        text: The task, in words.
        model: The model to use instead of the assistant's own.
        schema: A JSON Schema that the answer must match, instead of the assistant's own.
        timeout: The time limit of a run in seconds, retries included. The profile has a default.
        allow_secrets: Whether to take files that count as secret, such as `.env` and private keys.
        encoding: The encoding of the input text. By default it is detected.
        max_cost: What may be spent in US dollars. A run or job that is estimated above it raises
            `LimitReached`, and so does what is left of a job once it is reached.
    """

    text: str | None
    model: str | None
    schema: Mapping[str, Any] | None
    timeout: float | None
    allow_secrets: bool
    encoding: str | None
    max_cost: float | None


class RunOptions(AnyRunOptions, total=False):
    """The options of one run: those of `AnyRunOptions` and these.

    Attributes:
        stdin: A text to work on, as if it were piped in.
        conversation: A conversation, or its id, that the run continues. Without one, a run leaves
            nothing behind.
    """

    stdin: str | None
    conversation: Conversation | str | None


class MapOptions(AnyRunOptions, total=False):
    """The options of many runs, one for each file: those of `AnyRunOptions` and these.

    Attributes:
        output: A directory in which each answer gets its file's place, or a pattern such as
            `out/{stem}.linted{suffix}`; also `{name}`, `{parent}` and `{relpath}`.
        in_place: Whether to write each answer over its file.
        check: Whether to compare each answer with its file and write nothing.
        jobs: How many files to run at a time.
        force: Whether to run finished files again.
    """

    output: Path | None
    in_place: bool
    check: bool
    jobs: int
    force: bool


class AssistantOptions(TypedDict, total=False):
    """What an assistant is made of. What is left out stays as it is, or as the instruction has it.

    Attributes:
        instruction: The name of an instruction, or the path of its TOML file.
        instructions: The text of the instructions.
        model: The model, if it isn't the profile's.
        description: A description, in one line.
        file_search: Whether to search the knowledge.
        code_interpreter: Whether the model may run Python on the server.
        web_search: Whether the model may search the web.
        reasoning_effort: How much the model thinks before it answers.
        schema: A JSON Schema that the answers must match.
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


def spelled_out(function: _Function) -> _Function:
    """Let `help` show each option of a method with `**options`: its type, default and meaning."""
    signature = inspect.signature(function)
    *named, rest = signature.parameters.values()
    found = _UNPACKED.fullmatch(rest.annotation)
    assert found
    declared: Any = globals()[found[1]]
    options = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=_DEFAULTS.get(kind)
        )
        for name, kind in _types(declared)
    ]
    function.__signature__ = signature.replace(parameters=[*named, *options])  # type: ignore[attr-defined]
    if function.__doc__:
        function.__doc__ = _documented(inspect.cleandoc(function.__doc__), declared)
    return function


def _types(declared: Any) -> Iterator[tuple[str, str]]:
    for name, kind in declared.__annotations__.items():
        yield name, getattr(kind, "__forward_arg__", str(kind))


def _documented(text: str, declared: Any) -> str:
    """A docstring with the options among its arguments."""
    shared = AnyRunOptions if "timeout" in declared.__annotations__ else None
    docs = [inspect.cleandoc(each.__doc__ or "") for each in (shared, declared) if each]
    meanings = {
        name: " ".join(meaning.split()) for doc in docs for name, meaning in _ATTRIBUTE.findall(doc)
    }
    lines = "".join(
        textwrap.fill(f"{name}: {meaning}", 92, initial_indent=" " * 4, subsequent_indent=" " * 8)
        + "\n"
        for name, meaning in meanings.items()
    )
    if _OPTIONS.search(text):
        return _OPTIONS.sub(lambda _: lines, text)
    head, mark, tail = text.partition("Examples:")
    return f"{head}Args:\n{lines}\n{mark}{tail}"


def run_request(
    name: str, files: Files, options: RunOptions, note: Callable[[str], None]
) -> RunRequest:
    """What is asked of one run, its files read.

    `note` is called with what a directory or pattern found and is left out.

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

    `note` is called with what a directory or pattern found and is left out.

    Raises:
        UsageError: two places are named, a pattern is wrong, or the timeout is no time.
        InvalidInput: a word means no file, or an output can't be used.
    """
    from gptasst.each.targets import plan_targets

    rest: dict[str, Any] = dict(options)
    output, jobs = rest.pop("output", None), rest.pop("jobs", JOBS)
    in_place, check = rest.pop("in_place", False), rest.pop("check", False)
    force = rest.pop("force", False)
    if (output is not None) + bool(in_place) + bool(check) > 1:
        raise UsageError("`output`, `in_place` and `check` can't be combined")
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}, but must be at least 1")
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
    from gptasst.inputs.encoding import named_encoding
    from gptasst.models.prices import budget_of

    rest = dict(options)
    screening = Screening(allow_secrets=rest.pop("allow_secrets", False))
    budget = budget_of(rest.pop("max_cost", None), "max_cost")
    asked = RunRequest(name=name, screening=screening, budget=budget, **rest)
    if asked.timeout is not None:
        check_timeout(asked.timeout, f"timeout is {asked.timeout:g}")
    check_schema(asked.schema)
    return replace(asked, encoding=named_encoding(asked.encoding))


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
