"""Read cases from disk: files beside a definition or of their own, and the inputs they name."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gptasst.config.toml import TomlDocument
from gptasst.definitions.cases import cases_in
from gptasst.definitions.library import refuse_not_regular
from gptasst.definitions.types import CASES_ENDING, Case, Definition, Instruction
from gptasst.errors import GptasstError, InvalidDefinition, InvalidInput, NotFound
from gptasst.hints import cmd
from gptasst.inputs.reading import InputFile, kind_of, read_input, read_regular
from gptasst.inputs.screening import Screening

_MOST_BYTES = 10_000_000  # bytes of a file of cases, and of all inputs that an assistant carries


def read_cases_file(path: Path) -> tuple[Case, ...]:
    """The cases in a file, without reading the files that they name.

    Raises:
        InvalidDefinition: it can't be read, is not UTF-8, is invalid, or has no case.
    """
    try:
        content = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise InvalidDefinition(f"can't be read: {error.strerror}", file=path) from None
    try:
        document = TomlDocument(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise InvalidDefinition(f"not UTF-8 at byte {error.start}", file=path, line=1) from None
    if "instructions" in document.root or "extends" in document.root:
        raise InvalidDefinition(
            "it is a definition, not a file of cases",
            file=path,
            hint=f"{cmd(f'test {shlex.quote(str(path))}')} runs the cases in it",
        )
    document.only_keys((), ("case", "judge_model"))
    judge = document.text_value("judge_model")
    found = cases_in(document)
    if not found:
        raise InvalidDefinition("it has no [[case]]", file=path)
    return tuple(replace(each, judge_model=each.judge_model or judge) for each in found)


def carried_cases(path: Path, screening: Screening) -> tuple[Case, ...]:
    """The cases in a file, complete for an assistant."""
    return carried(read_cases_file(path), path.parent, screening)


def cases_beside(definition: Path) -> Path:
    """The file of cases beside a definition, if there is one."""
    return definition.with_name(definition.name.removesuffix(".toml") + CASES_ENDING)


def is_cases_file(word: str) -> bool:
    return word.endswith(CASES_ENDING)


def definition_of_cases(path: Path) -> Path:
    """The definition that a file of cases belongs to.

    Raises:
        NotFound: it does not exist.
    """
    definition = path.with_name(path.name.removesuffix(CASES_ENDING) + ".toml")
    for wanted in (path, definition):
        if not wanted.is_file():
            words = f"test NAME --cases {shlex.quote(str(path))}"
            hint = f"{cmd(words)} runs the cases on another definition"
            raise NotFound(f"no file `{wanted}`", hint=None if wanted is path else hint)
    return definition


def cases_of(found: Instruction) -> tuple[Case, ...]:
    """The cases of an instruction: its own, and those in the file beside it.

    Raises:
        InvalidDefinition: the file is invalid, or a case has a name that is taken.
    """
    own, path = found.definition.cases, cases_beside(Path(found.path))
    if not found.path.endswith(".toml") or not path.exists():
        return own
    if found.origin == "project":
        refuse_not_regular(path)
    beside = read_cases_file(path)
    names = {case.name for case in own}
    for case in beside:
        if case.name in names:
            raise InvalidDefinition(
                f"case `{case.name}` is in `{found.path}`, too", file=path, hint="rename one"
            )
    return own + beside


def with_cases(found: Instruction, screening: Screening) -> Definition:
    """An instruction's definition with all of its cases and their inputs.

    Raises:
        InvalidDefinition: its cases are invalid, or their inputs can't be included.
    """
    cases = cases_of(found)
    if not cases:
        return found.definition
    return replace(found.definition, cases=carried(cases, Path(found.path).parent, screening))


def carried(cases: Sequence[Case], directory: Path, screening: Screening) -> tuple[Case, ...]:
    """Cases with the texts of their input files included.

    Args:
        cases: the cases, as read.
        directory: the base of relative file names.
        screening: the check for secrets.

    Raises:
        InvalidDefinition: a file can't be read, looks secret, or is not text; or the total is too
            large.
    """
    ready = tuple(_with_input(case, directory, screening) for case in cases)
    size = sum(len(case.input or "") for case in ready)
    if size > _MOST_BYTES:
        raise InvalidDefinition(
            f"the inputs of the cases are {size:,} characters, an assistant takes {_MOST_BYTES:,}"
        )
    return ready


def _with_input(case: Case, directory: Path, screening: Screening) -> Case:
    if not case.needs_file:
        return case
    try:
        read = input_of_case(case, directory, screening)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"case `{case.name}`: {error.problem}", hint=error.hint) from None
    assert read is not None
    if read.text is None:
        raise InvalidDefinition(
            f"case `{case.name}`: `{case.file}` is not text, and an assistant carries only text",
            hint="leave it out, or keep the case in a file and use `--cases`",
        )
    return replace(case, input=read.text)


def input_of_case(case: Case, directory: Path | None, screening: Screening) -> InputFile | None:
    """The input file of a case, or its text under a file's name; `None` without a file.

    Raises:
        InvalidDefinition: it can't be read, looks secret, or is outside of the directory.
    """
    if case.file is None:
        return None
    if case.input is not None:
        size = len(case.input.encode("utf-8", "surrogatepass"))
        return InputFile(case.file, "text", "text/plain", size, text=case.input, encoding="utf-8")
    path = (directory or Path()) / case.file
    places = [Path.cwd().resolve(), (directory or Path()).resolve()]
    if not any(path.resolve().is_relative_to(place) for place in places):
        raise InvalidDefinition(
            f"`{case.file}` lies outside of the working directory",
            hint="go to a directory above it",
        )
    try:
        _refuse_not_regular_input(path, case.file)
        screening.refuse_file(path)
        read = read_input(path)
    except GptasstError as error:
        raise InvalidDefinition(error.message, hint=error.advice) from None
    return replace(read, path=case.file)


def _refuse_not_regular_input(path: Path, name: str) -> None:
    """Raise for a named pipe or a device, which could keep a test waiting for ever."""
    try:
        mode = path.stat().st_mode
    except OSError:  # reading it says why
        return
    if not stat.S_ISREG(mode):
        raise InvalidInput(f"`{name}` can't be read: it is {kind_of(mode)}")
