"""What callers pass in, as the services take it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gptasst.client.options import JOBS, Files, MapOptions, RunOptions
from gptasst.each.types import EachJob, Purpose
from gptasst.errors import InvalidInput, UsageError
from gptasst.inputs.screening import Screening
from gptasst.runs.types import RunRequest


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

    rest = dict(options)
    screening = Screening(allow_secrets=rest.pop("allow_secrets", False))
    asked = RunRequest(name=name, screening=screening, **rest)
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
