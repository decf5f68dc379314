"""The options of the client's methods, declared once and shown by `help`, and their conversion."""

from __future__ import annotations

import inspect
import os
import pathlib
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from gptasst.api.types import CompletionWindow
from gptasst.conversations.types import Conversation
from gptasst.definitions.types import DefinitionChanges, ReasoningEffort
from gptasst.each.types import EachJob, Purpose
from gptasst.errors import InvalidInput, UsageError
from gptasst.inputs.screening import Screening
from gptasst.runs.types import RunRequest

if TYPE_CHECKING:
    from gptasst.cases.types import Subject, TestJob

_Function = TypeVar("_Function", bound=Callable[..., Any])

JOBS = 8
Path = str | os.PathLike[str]
# One path, pattern or directory, or several of them.
Files = Path | Iterable[Path]

_DEFAULTS = {"bool": False, "int": JOBS}  # other types have none
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
        vars: The values of the definition's variables, by name. A `pathlib.Path` stands for the
            text of its file.
    """

    text: str | None
    model: str | None
    schema: Mapping[str, Any] | None
    timeout: float | None
    allow_secrets: bool
    encoding: str | None
    max_cost: float | None
    vars: Mapping[str, str | os.PathLike[str]] | None


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
        by: Within which time answers are to come, at the server's discount: `2h` or `8h`.
    """

    output: Path | None
    in_place: bool
    check: bool
    jobs: int
    force: bool
    by: str | None


class TestOptions(TypedDict, total=False):
    """The options of a test.

    Attributes:
        cases: A file with cases to run in place of their own.
        case: Only the cases of these names; patterns are as in a shell.
        model: The model to test, in place of the assistant's own.
        judge_model: The model that answers `judge`.
        jobs: How many cases to run at a time.
        timeout: A limit in seconds for each answer.
        max_cost: How many US dollars to spend at most, as estimated.
        force: Whether to ask again where an answer is remembered.
        retrieval_only: Whether to check only what is found in the knowledge, without a model.
    """

    cases: Path | None
    case: Iterable[str] | None
    model: str | None
    judge_model: str | None
    jobs: int
    timeout: float | None
    max_cost: float | None
    force: bool
    retrieval_only: bool


class AssistantOptions(TypedDict, total=False):
    """The parts of an assistant. Omitted ones stay unchanged, or come from the instruction.

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
        vars: Values that its variables have where a run gives none, by name; see `run`.
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
    vars: Mapping[str, str | os.PathLike[str]] | None


def spelled_out(function: _Function) -> _Function:
    """Decorate a method with `**options` so that `help` shows each option."""
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
    """A docstring with the options added to its arguments."""
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
    """The request of one run, with its files read.

    `note` is called with files from a directory or pattern that are skipped.

    Raises:
        InvalidInput: a file or the schema can't be used.
        UsageError: the timeout is not valid.
    """
    from gptasst.runs.inputs import read_inputs

    asked = _asked(name, {key: each for key, each in options.items() if key != "conversation"})
    read = read_inputs(words_of(files), note, screening=asked.screening, encoding=asked.encoding)
    return replace(asked, files=read)


def each_job(name: str, files: Files, options: MapOptions, note: Callable[[str], None]) -> EachJob:
    """The job of many runs, with the output of each.

    `note` is called with what a directory or pattern found and is left out.

    Raises:
        UsageError: two places are named, a pattern is wrong, or the timeout is no time.
        InvalidInput: a word means no file, or an output can't be used.
    """
    from gptasst.each.targets import plan_targets

    rest: dict[str, Any] = dict(options)
    output, jobs = rest.pop("output", None), rest.pop("jobs", JOBS)
    in_place, check = rest.pop("in_place", False), rest.pop("check", False)
    force, by = rest.pop("force", False), rest.pop("by", None)
    windows: dict[str | None, CompletionWindow | None] = {None: None, "2h": "2h", "8h": "8h"}
    if by not in windows:
        raise UsageError(f"by is {by!r}, but must be '2h' or '8h'")
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
    return EachJob(asked, targets, purpose, jobs=jobs, force=force, by=windows[by])


def _asked(name: str, options: Mapping[str, Any]) -> RunRequest:
    """The request of each run, without files."""
    from gptasst.config.profile import check_timeout
    from gptasst.inputs.encoding import named_encoding
    from gptasst.models.prices import budget_of

    rest = dict(options)
    screening = Screening(allow_secrets=rest.pop("allow_secrets", False))
    variables = values_of(rest.pop("vars", None), screening)
    budget = budget_of(rest.pop("max_cost", None), "max_cost")
    asked = RunRequest(name=name, screening=screening, variables=variables, budget=budget, **rest)
    if asked.timeout is not None:
        check_timeout(asked.timeout, f"timeout is {asked.timeout:g}")
    check_schema(asked.schema)
    return replace(asked, encoding=named_encoding(asked.encoding))


def values_of(
    given: Mapping[str, str | os.PathLike[str]] | None, screening: Screening
) -> dict[str, str]:
    """The values of variables, those in files read.

    Raises:
        UsageError: a value is neither text nor a path.
        InvalidInput: a file can't be used, or counts as secret.
    """
    from gptasst.definitions.variables import value_of_file

    values: dict[str, str] = {}
    for name, value in (given or {}).items():
        if isinstance(value, str):
            values[name] = value
        elif isinstance(value, os.PathLike):
            values[name] = value_of_file(name, pathlib.Path(value), screening)
        else:
            raise UsageError(f"variable `{name}` must be a string or a path", code="bad_variable")
    return values


def changes_of(
    name: str | None, options: AssistantOptions, screening: Screening
) -> DefinitionChanges:
    """What is changed of an assistant's definition.

    Raises:
        InvalidInput: the schema, or the file of a value, can't be used.
        UsageError: a value is neither text nor a path.
    """
    rest: dict[str, Any] = dict(options)
    check_schema(options.get("schema"))
    values = values_of(rest.pop("vars", None), screening)
    return DefinitionChanges(name=name, variables=values or None, **rest)


def words_of(files: Files) -> list[str]:
    """Paths, patterns and directories as command-line words.

    Raises:
        InvalidInput: one of them is empty.
    """
    given = [files] if isinstance(files, (str, os.PathLike)) else files
    words = [os.fspath(each) for each in given]
    if "" in words:
        raise InvalidInput("a path is empty", code="no_such_file")
    return words


def check_schema(schema: Mapping[str, Any] | None) -> None:
    """Validate a schema against JSON Schema's meta-schema.

    Raises:
        InvalidInput: it is not a valid schema.
    """
    from gptasst.definitions.schemas import check_schema as check

    if schema is not None:
        try:
            check(dict(schema))
        except ValueError as error:
            raise InvalidInput(f"the schema {error}", code="bad_schema") from None


def case_job(subjects: tuple[Subject, ...], options: TestOptions) -> TestJob:
    """What is asked of a test of some subjects.

    Raises:
        UsageError: the timeout is no time, the limit no amount, or there are no jobs.
    """
    from gptasst.cases.types import TestJob
    from gptasst.config.profile import check_timeout
    from gptasst.models.prices import budget_of

    timeout = options.get("timeout")
    if timeout is not None:
        check_timeout(timeout, f"timeout is {timeout:g}")
    jobs, case = options.get("jobs", JOBS), options.get("case") or ()
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}, but must be at least 1")
    return TestJob(
        subjects,
        (case,) if isinstance(case, str) else tuple(case),
        model=options.get("model"),
        judge_model=options.get("judge_model"),
        jobs=jobs,
        timeout=timeout,
        force=options.get("force", False),
        retrieval_only=options.get("retrieval_only", False),
        budget=budget_of(options.get("max_cost"), "max_cost"),
    )
