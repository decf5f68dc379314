"""The output of each input, decided and checked before anything is sent."""

from __future__ import annotations

import errno
import os
import string
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gptasst.each.types import FileTarget, Purpose
from gptasst.errors import InvalidInput, UsageError
from gptasst.inputs.screening import Screening
from gptasst.inputs.words import is_found_below

_PLACEHOLDERS = ("stem", "suffix", "name", "parent", "relpath")
_KNOWN = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)


def plan_targets(
    words: Sequence[str],
    purpose: Purpose,
    output: str | None,
    warn: Callable[[str], None],
    screening: Screening,
    *,
    failed: Callable[[str], None] | None = None,
) -> tuple[FileTarget, ...]:
    """The files that words stand for, with their outputs; see the functions below.

    Args:
        words: file names, patterns, directories.
        purpose: `write` needs an output.
        output: see `plan_outputs`.
        warn: called for files that are skipped as secret or outside of the tree.
        screening: the check for secrets.
        failed: called for unreadable directories, instead of `warn`.
    """
    inputs = named_inputs(words, warn, screening, failed=failed)
    if output is not None:
        return plan_outputs(inputs, output, words)
    if purpose == "replace":
        return plan_replacements(inputs)
    return tuple(FileTarget(path, None) for path in inputs)


def named_inputs(
    words: Sequence[str],
    warn: Callable[[str], None],
    screening: Screening,
    *,
    failed: Callable[[str], None] | None = None,
) -> Mapping[Path, Path]:
    """The files that command-line words stand for, with their paths below an output directory.

    Raises:
        UsageError: there are no words.
        InvalidInput: a word matches no file, or all files look secret.
    """
    if not words:
        raise UsageError(
            "--each has no files to work on", hint="give files: -f FILE…", code="no_input"
        )
    screened = screening.files(words, one_by_one=True)
    screened.tell(warn, failed)
    return screened.places


def plan_outputs(
    inputs: Mapping[Path, Path], output: str, words: Sequence[str]
) -> tuple[FileTarget, ...]:
    """Assign an output to each input.

    Args:
        inputs: the result of `named_inputs`.
        output: a directory, in which each file keeps its relative path; or a pattern with at
            least one of `{stem}`, `{suffix}`, `{name}`, `{parent}` (its directory) and `{relpath}`
            (its path from the working directory). `{{` and `}}` are braces.
        words: the words that matched the inputs.

    Raises:
        UsageError: the pattern has an unknown placeholder or leaves its directory.
        InvalidInput: two inputs have the same output, an output is an input or would become one,
            or it can't be written.
    """
    parts = _parsed(output)
    if any(name is not None for _, name in parts):
        _refuse_upwards(output)
        targets = [FileTarget(path, _filled(parts, path, output)) for path in inputs]
        for target in targets:
            refuse_links(target.output or target.path, _root(parts, target.path))
    else:
        directory = Path("".join(literal for literal, _ in parts))
        targets = [FileTarget(path, directory / place) for path, place in inputs.items()]
        for target in targets:
            refuse_links(target.output or target.path, directory)
    _refuse_inputs(targets, words)
    _refuse_shared(targets)
    _refuse_unwritable(targets)
    return tuple(targets)


def plan_replacements(inputs: Mapping[Path, Path]) -> tuple[FileTarget, ...]:
    """Make each input its own output.

    Raises:
        InvalidInput: two of them are the same file.
    """
    targets = tuple(FileTarget(path, path) for path in inputs)
    _refuse_shared(targets)
    return targets


def _parsed(output: str) -> list[tuple[str, str | None]]:
    """A pattern as pairs of fixed text and the placeholder after it."""
    try:
        fields = list(string.Formatter().parse(output))
    except ValueError as error:
        raise UsageError(
            f"`{output}` is not a pattern: {error}",
            hint="write a brace that belongs to a name twice",
            code="bad_pattern",
        ) from None
    for _, name, form, conversion in fields:
        if name is not None and (name not in _PLACEHOLDERS or form or conversion):
            shown = name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise UsageError(
                f"`{{{shown}}}` is no placeholder", hint=f"there are {_KNOWN}", code="bad_pattern"
            )
    return [(literal, name) for literal, name, _, _ in fields]


def _filled(parts: Sequence[tuple[str, str | None]], path: Path, pattern: str) -> Path:
    here = Path(os.path.relpath(path)) if _is_below(path, Path()) else path
    values = {
        "stem": path.stem,
        "suffix": path.suffix,
        "name": path.name,
        "parent": str(here.parent),
        "relpath": str(here),
    }
    text = "".join(literal + (values[name] if name else "") for literal, name in parts)
    if os.path.split(text)[1] in ("", ".", ".."):
        raise UsageError(
            f"`{pattern}` gives no file name for `{path}`",
            hint="end it with {name}",
            code="bad_pattern",
        )
    root = _root(parts, path)
    if not _is_below(Path(text), root):
        raise UsageError(
            f"`{pattern}` leads out of `{root}` for `{path}`: it would be `{text}`",
            hint="{name} instead of {parent} or {relpath} stays inside",
            code="output_escapes",
        )
    return Path(text)


def _root(parts: Sequence[tuple[str, str | None]], path: Path) -> Path:
    """The directory that a pattern's outputs must stay in."""
    beginning, first = parts[0]
    if beginning or first in ("stem", "suffix", "name"):
        return Path(beginning + "x").parent
    here = Path(os.path.relpath(path)) if _is_below(path, Path()) else path
    return here.parent  # beside the input


def refuse_links(output: Path, root: Path) -> None:
    """Raise if a link leads an output out of the directory that was given for it.

    That directory may itself be a link if it is elsewhere. A link in the working directory must
    stay there, because it may come from the repository.
    """
    real_root = Path(os.path.realpath(root))
    here = Path.cwd().resolve()
    stays = not _is_below(root, Path()) or real_root.is_relative_to(here)
    real = Path(os.path.realpath(output))
    if not stays or not real.is_relative_to(real_root):
        place = root if not stays else output
        raise InvalidInput(
            f"`{place}` is, or lies behind, a link that leads to"
            f" `{real_root if not stays else real}`",
            hint="to write there, name that directory itself with -o",
            code="output_escapes",
        )


def _refuse_upwards(pattern: str) -> None:
    if ".." in Path(pattern).parts:
        raise UsageError(
            f"the pattern `{pattern}` leads out of its directory",
            hint="use the full path of the directory, without `..`",
            code="output_escapes",
        )


def _is_below(path: Path, directory: Path) -> bool:
    """Whether a path is below another, by names only."""
    inside = Path(os.path.normpath(path.absolute()))
    return inside.is_relative_to(os.path.normpath(directory.absolute()))


def _refuse_inputs(targets: Sequence[FileTarget], words: Sequence[str]) -> None:
    inputs = {_identity(target.path): target.path for target in targets}
    directories = [Path(word) for word in words if os.path.isdir(word)]
    for target in targets:
        assert target.output is not None
        taken = inputs.get(_identity(target.output))
        if taken is not None:
            raise InvalidInput(
                f"the output `{target.output}` of `{target.path}` is itself an input",
                hint="use --in-place to overwrite inputs, or -o with another directory",
                code="output_is_input",
            )
        for directory in directories:
            if is_found_below(directory, target.output):
                raise InvalidInput(
                    f"the output `{target.output}` is in `{directory}`, which is read:"
                    " the next run would take it as input",
                    hint="write to a directory outside of it, or list the files one by one",
                    code="output_is_input",
                )


def _refuse_shared(targets: Sequence[FileTarget]) -> None:
    seen: dict[str, FileTarget] = {}
    for target in targets:
        assert target.output is not None
        first = seen.setdefault(_identity(target.output), target)
        if first is not target:
            raise InvalidInput(
                f"`{first.path}` and `{target.path}` would both be written to `{target.output}`",
                hint="-o 'DIRECTORY/{relpath}' keeps them apart",
                code="output_collision",
            )


def _refuse_unwritable(targets: Sequence[FileTarget]) -> None:
    files = {_identity(target.output) for target in targets if target.output}
    checked: set[Path] = set()
    for target in targets:
        assert target.output is not None
        if os.path.isdir(target.output):
            raise InvalidInput(f"output `{target.output}` is a directory", hint="name a file in it")
        _refuse_too_long(target.output)
        directory = target.output.parent
        if directory in checked:
            continue
        checked.add(directory)
        while not os.path.lexists(directory):
            if _identity(directory) in files:
                raise InvalidInput(
                    f"`{directory}` would be an output and the directory of `{target.output}`",
                    code="output_collision",
                )
            directory = directory.parent
        if not os.path.isdir(directory):
            raise InvalidInput(
                f"`{directory}` is not a directory",
                hint="with --each, -o names a directory, or a pattern such as 'out/{name}'",
            )
        if not os.access(directory, os.W_OK | os.X_OK):
            raise InvalidInput(f"output directory `{directory}` can't be written to")


def _refuse_too_long(path: Path) -> None:
    try:
        Path(path.name).lstat()  # the directory may not exist yet
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise InvalidInput(f"output `{path}` can't be written: {error.strerror}") from None


def _identity(path: Path) -> str:
    """A unique text for a file: links are resolved, and case is ignored where the system does."""
    real = os.path.realpath(path)
    return real.casefold() if sys.platform in ("win32", "darwin") else real
